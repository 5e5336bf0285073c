"""Calico's IPAM in a simulated cluster: which pool serves a pod, from which block, or why none."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

Manifest = dict[str, Any]
_EQUAL = re.compile(r"(\S+) == '([^']*)'")
POOLS = "/apis/projectcalico.org/v3"


class NoAddress(Exception):
    """A pod gets none; the message is what the CNI plugin says."""


@dataclasses.dataclass(frozen=True)
class Held:
    """An address and who has it."""

    address: str
    pod: Manifest
    pool: Manifest


class Ipam:
    """Gives addresses. `listed` lists objects of a collection.

    What it does wrong: it does not heed annotations (`heeds`), nor nodeSelectors (`selects`), its
    blocks are of another size (`odd_size`), it gives who asks for a pool that serves nobody an
    address of another (`lenient`), or any pod one of a pool that only serves who asks (`generous`).
    """

    def __init__(self, listed: Callable[[str], list[Manifest]]) -> None:
        self._listed = listed
        self.heeds = True
        self.selects = True
        self.odd_size = 0
        self.lenient = False
        self.generous = False

    def pool_of(self, address: str) -> Manifest | None:
        """The pool that an address is of."""
        return next((p for p in self._pools(address) if _within(address, p)), None)

    def assigned(self, pod: Manifest, node: Manifest, usual: list[str]) -> list[str]:
        """The addresses of a new pod; `usual` are those that it gets of the pool that serves all.

        Raises:
            NoAddress: a pool that it names is not to be had.
        """
        return [self._one(pod, node, address) for address in usual]

    def blocks(self) -> list[Manifest]:
        """An IPAMBlock for each block of which somebody has an address."""
        found: dict[str, list[Held]] = {}
        for held in self._held():
            found.setdefault(str(self._block(held)), []).append(held)
        return [_block(cidr, all_held) for cidr, all_held in found.items()]

    def affinities(self) -> list[Manifest]:
        """A BlockAffinity for each."""
        return [
            {
                "metadata": {"name": f"affinity-{number}"},
                "spec": {
                    "cidr": block["spec"]["cidr"],
                    "node": block["spec"]["affinity"].removeprefix("host:"),
                    "state": "confirmed",
                    "deleted": "false",
                },
            }
            for number, block in enumerate(self.blocks())
        ]

    def _one(self, pod: Manifest, node: Manifest, usual: str) -> str:
        version = ipaddress.ip_address(usual).version
        notes = pod["metadata"].get("annotations") or {}
        named = json.loads(notes.get(f"cni.projectcalico.org/ipv{version}pools", "[]"))
        if named and self.heeds:
            pool = self._named(named[0], usual)
        else:
            pool = self._chosen(pod, node, usual)
        return usual if _within(usual, pool) else self._next(pool, node)

    def _named(self, name: str, usual: str) -> Manifest:
        pools = self._pools(usual)
        pool = next((p for p in pools if p["metadata"]["name"] == name), None)
        if (pool is None or pool["spec"].get("disabled")) and self.lenient:
            return next(p for p in pools if _within(usual, p))
        if pool is None:
            raise NoAddress(f'error parsing pool "{name}": invalid CIDR address: {name}')
        if pool["spec"].get("disabled"):
            cidr = pool["spec"]["cidr"]
            raise NoAddress(f"the given pool ({cidr}) does not exist, or is not enabled")
        return pool

    def _chosen(self, pod: Manifest, node: Manifest, usual: str) -> Manifest:
        """The pool of the node's first block by name, of those that select the pod."""
        fitting = [p for p in self._pools(usual) if self._selects(p, pod, node)]
        names = {p["metadata"]["name"] for p in fitting}
        there = [
            (str(self._block(held)).translate(str.maketrans(".:/", "---")), held.pool)
            for held in self._held()
            if held.pool["metadata"]["name"] in names
            and held.pod["spec"]["nodeName"] == node["metadata"]["name"]
        ]
        if there:
            return min(there, key=lambda pair: pair[0])[1]
        return next(p for p in fitting if _within(usual, p))

    def _selects(self, pool: Manifest, pod: Manifest, node: Manifest) -> bool:
        spec = pool["spec"]
        if spec.get("disabled") or self.generous:
            return not spec.get("disabled")
        if spec.get("assignmentMode") == "Manual":
            return False
        homes = {m["metadata"]["name"]: m for m in self._listed("namespaces")}
        home = pod["metadata"]["namespace"]
        labels = {"kubernetes.io/metadata.name": home} | (
            homes.get(home, {"metadata": {}})["metadata"].get("labels") or {}
        )
        on_node = not self.selects or _matches(
            spec.get("nodeSelector", ""), node["metadata"]["labels"]
        )
        return on_node and _matches(spec.get("namespaceSelector", ""), labels)

    def _next(self, pool: Manifest, node: Manifest) -> str:
        """The next address of the node's block of a pool."""
        cidr = ipaddress.ip_network(pool["spec"]["cidr"])
        nodes = [n["metadata"]["name"] for n in self._listed("nodes")]
        size = 1 << (cidr.max_prefixlen - pool["spec"]["blockSize"])
        name = pool["metadata"]["name"]
        mine = [
            held
            for held in self._held()
            if held.pool["metadata"]["name"] == name
            and held.pod["spec"]["nodeName"] == node["metadata"]["name"]
        ]
        return str(cidr[nodes.index(node["metadata"]["name"]) * size + len(mine)])

    def _held(self) -> Iterator[Held]:
        for pod in self._listed("pods"):
            for entry in pod.get("status", {}).get("podIPs", ()):
                pool = self.pool_of(entry["ip"])
                if pool is not None and not pod["spec"].get("hostNetwork"):
                    yield Held(entry["ip"], pod, pool)

    def _block(self, held: Held) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        size = held.pool["spec"]["blockSize"] + self.odd_size
        return ipaddress.ip_network(f"{held.address}/{size}", strict=False)

    def _pools(self, address: str) -> list[Manifest]:
        version = ipaddress.ip_address(address).version
        return [
            p
            for p in self._listed("ippools")
            if ipaddress.ip_network(p["spec"]["cidr"]).version == version
        ]


def _within(address: str, pool: Manifest) -> bool:
    cidr = ipaddress.ip_network(pool["spec"]["cidr"])
    found = ipaddress.ip_address(address)
    return found.version == cidr.version and found in cidr


def _matches(selector: str, labels: dict[str, str]) -> bool:
    """The selectors that occur here; any other fails the test that makes it."""
    if selector in ("", "all()"):
        return True
    if selector == "!all()":
        return False
    found = _EQUAL.fullmatch(selector)
    assert found, selector
    return labels.get(found[1]) == found[2]


def _block(cidr: str, held: list[Held]) -> Manifest:
    network = ipaddress.ip_network(cidr)
    allocations: list[int | None] = [None] * network.num_addresses
    attributes = []
    for number, one in enumerate(held):
        ordinal = int(ipaddress.ip_address(one.address)) - int(network.network_address)
        allocations[ordinal] = number
        meta = one.pod["metadata"]
        attributes.append(
            {
                "handle_id": meta["uid"],
                "secondary": {
                    "namespace": meta["namespace"],
                    "pod": meta["name"],
                    "node": one.pod["spec"]["nodeName"],
                },
            }
        )
    return {
        "metadata": {"name": cidr.translate(str.maketrans(".:/", "---"))},
        "spec": {
            "cidr": cidr,
            "affinity": f"host:{held[0].pod['spec']['nodeName']}",
            "allocations": allocations,
            "attributes": attributes,
        },
    }
