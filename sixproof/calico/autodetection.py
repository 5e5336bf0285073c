"""Whether the address that Calico chose for a node is one that its autodetection method chooses.

Methods as written in the Installation (``nodeAddressAutodetectionV6``) and calico-node's
environment (``IP6_AUTODETECTION_METHOD``) (Calico reference, configuring calico/node).
"""

from __future__ import annotations

import re
from ipaddress import ip_interface

from sixproof.calico.nodes import CalicoNode
from sixproof.errors import NotAsked
from sixproof.kube.api import json_fields
from sixproof.model import Family

_EXCLUDED = (
    *("docker", "cbr", "dummy", "virbr", "lxcbr", "veth", "cali", "tunl", "flannel", "kube-ipvs"),
    *("cni", "vxlan.calico", "vxlan-v6.calico", "wireguard.cali", "wg-v6.cali", "nodelocaldns"),
)
"""Prefixes of devices that first-found skips."""


def disagreement(method: str, node: CalicoNode, family: Family, device: str) -> str:
    """What is wrong with the address that Calico chose for a node; "" where nothing is, or where it
    chose none, which is reported elsewhere. `device` is the one that has the address on the node.

    Raises:
        NotAsked: what the method chooses cannot be determined from outside, or it cannot be read.
    """
    chosen = node.address(family)
    if chosen is None:
        return ""
    name, _, value = method.partition("=")
    name = name.replace("-", "").lower()
    said = f"Calico chose {chosen} on {device or 'no device'}"
    if name in ("cidr", "cidrs"):
        networks = json_fields.networks(value.split(","))
        if not any(chosen.ip in n for n in networks if n.version == chosen.version):
            return f"{said}, which is not in {value}"
    elif name in ("interface", "skipinterface"):
        matched = any(_matches(pattern, device) for pattern in value.split(","))
        if matched is (name == "skipinterface"):
            verb = "skipped" if matched else "not chosen"
            return f"{said}, which is {verb} by {method}"
    elif name == "firstfound":
        if device.startswith(_EXCLUDED) or device == "lo":
            return f"{said}, which {method} passes over"
    elif name in ("kubernetes", "kubernetesinternalip"):
        if chosen.ip not in node.internal:
            return f"{said}, which is no InternalIP of the node"
    elif (fixed := _address(method)) is not None:
        if chosen.ip != fixed:
            return f"{said}, and calico-node is given {method}"
    else:
        raise NotAsked(f"what {method} chooses cannot be known from outside", "another method")
    return ""


def _matches(pattern: str, device: str) -> bool:
    try:
        return re.match(pattern, device) is not None
    except re.error as error:
        raise NotAsked(f"the pattern {pattern!r} of devices cannot be read: {error}") from error


def _address(text: str) -> object | None:
    try:
        return ip_interface(text).ip
    except ValueError:
        return None
