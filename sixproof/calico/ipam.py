"""Calico's IPAM: the blocks of each node, and which pod or node each address is assigned to.

Blocks are read from the store (crd.projectcalico.org/v1); projectcalico.org/v3 does not serve them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from sixproof.kube.api import json_fields
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.api.resources import Kind
from sixproof.kube.facts.discovery import CALICO_STORE
from sixproof.model import Family, IPAddress, IPNetwork

BLOCKS = Kind(CALICO_STORE, "IPAMBlock", "ipamblocks", namespaced=False)
AFFINITIES = Kind(CALICO_STORE, "BlockAffinity", "blockaffinities", namespaced=False)
_HOST = "host:"
_CONFIRMED = "confirmed"


@dataclasses.dataclass(frozen=True, slots=True)
class Allocation:
    """The owner of an address of a block: a pod, or `use` (``vxlanTunnelAddress``) of a node."""

    namespace: str = ""
    pod: str = ""
    node: str = ""
    use: str = ""

    def __str__(self) -> str:
        if self.pod:
            return f"pod {self.namespace}/{self.pod} on {self.node}"
        return f"{self.use or 'something'} of node {self.node or 'unknown'}"


@dataclasses.dataclass(frozen=True, slots=True)
class Block:
    """A block of a pool. `node` is the one that assigns addresses from it, "" for none."""

    cidr: IPNetwork
    node: str = ""
    assigned: Mapping[IPAddress, Allocation] = dataclasses.field(default_factory=dict)

    @property
    def family(self) -> Family:
        """The family of its addresses."""
        return Family.of(self.cidr)


@dataclasses.dataclass(frozen=True, slots=True)
class Ipam:
    """All blocks, and the confirmed `affinities`: which block belongs to which node."""

    blocks: tuple[Block, ...] = ()
    affinities: Mapping[IPNetwork, str] = dataclasses.field(default_factory=dict)

    def block_of(self, address: IPAddress) -> Block | None:
        """The block that an address is in, None where it is in none."""
        of_its_family = (b for b in self.blocks if b.family is Family.of(address))
        return next((b for b in of_its_family if address in b.cidr), None)


def read(cluster: Cluster) -> Ipam:
    """The blocks and affinities of the cluster.

    Raises:
        ApiError: they cannot be read.
    """
    return ipam(cluster.list(BLOCKS), cluster.list(AFFINITIES))


def ipam(blocks: Iterable[Manifest], affinities: Iterable[Manifest]) -> Ipam:
    """The same from objects; what does not parse, or is being deleted, is left out."""
    owners: dict[IPNetwork, str] = {}
    for affinity in affinities:
        spec = json_fields.mapping(affinity, "spec")
        cidr = json_fields.network(json_fields.text(spec, "cidr"))
        confirmed = json_fields.text(spec, "state") == _CONFIRMED
        # Those of load balancer addresses belong to no host (Calico's `virtual:load-balancer`).
        of_a_host = json_fields.text(spec, "type") in ("", "host")
        gone = json_fields.text(spec, "deleted") == "true"
        if cidr is not None and confirmed and of_a_host and not gone:
            owners[cidr] = json_fields.text(spec, "node")
    found = (_block(json_fields.mapping(block, "spec")) for block in blocks)
    return Ipam(tuple(block for block in found if block is not None), owners)


def _block(spec: Manifest) -> Block | None:
    cidr = json_fields.network(json_fields.text(spec, "cidr"))
    if cidr is None or spec.get("deleted") is True:
        return None
    affinity = json_fields.text(spec, "affinity")
    ordinals = spec.get("allocations")
    holders = json_fields.entries(spec, "attributes")
    assigned: dict[IPAddress, Allocation] = {}
    for ordinal, index in enumerate(ordinals if isinstance(ordinals, list) else ()):
        if isinstance(index, int) and 0 <= index < len(holders) and ordinal < cidr.num_addresses:
            assigned[cidr[ordinal]] = _allocation(holders[index])
    return Block(cidr, affinity.removeprefix(_HOST) if _HOST in affinity else "", assigned)


def _allocation(attributes: Manifest) -> Allocation:
    secondary = json_fields.mapping(attributes, "secondary")
    return Allocation(
        *(json_fields.text(secondary, key) for key in ("namespace", "pod", "node", "type"))
    )
