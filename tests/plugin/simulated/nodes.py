"""More nodes than were recorded: copies of a worker, each with names and ranges of its own."""

from __future__ import annotations

import copy
import ipaddress
import json
from typing import Any

from sixproof.kube.facts.discovery import ZONE_LABEL

Manifest = dict[str, Any]
POOLS = {"IPv4": "10.128.0.0/9", "IPv6": "fd00:10:300::/40"}
"""Ranges of pods that hold those of all copies."""


def grown(nodes: list[Manifest], count: int, zones: int = 1) -> list[Manifest]:
    """These nodes and copies of the last one, `count` in all, in turn in one of the zones."""
    more = [_copy(nodes[-1], number) for number in range(len(nodes), count)]
    found = [*nodes, *more][:count]
    for number, node in enumerate(found):
        node["metadata"]["labels"][ZONE_LABEL] = f"zone-{number % zones}"
    return found


def _copy(worker: Manifest, number: int) -> Manifest:
    made = copy.deepcopy(worker)
    name, high, low = f"six-more{number}", *divmod(number, 256)
    four, six = f"172.31.{128 + high}.{low}", f"fd5e:7e57:bed::{number:x}:4"
    pods = [f"10.{128 + high}.{low}.0/24", f"fd00:10:{0x300 + high:x}:{low:x}::/64"]
    first = [str(ipaddress.ip_network(cidr)[1]) for cidr in pods]
    meta = made["metadata"]
    meta["name"] = meta["labels"]["kubernetes.io/hostname"] = name
    device = {"name": "eth0", "addresses": [four, six]}
    meta["annotations"] |= {
        "projectcalico.org/IPv4Address": f"{four}/16",
        "projectcalico.org/IPv6Address": f"{six}/64",
        "projectcalico.org/IPv4VXLANTunnelAddr": first[0],
        "projectcalico.org/IPv6VXLANTunnelAddr": first[1],
        "projectcalico.org/Interfaces": json.dumps([device]),
    }
    made["spec"] |= {"podCIDR": pods[0], "podCIDRs": pods}
    internal = [{"type": "InternalIP", "address": address} for address in (four, six)]
    made["status"]["addresses"] = [*internal, {"type": "Hostname", "address": name}]
    return made
