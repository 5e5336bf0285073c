"""IP pools: the ranges of pod addresses, and how their packets cross between nodes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.facts import cni
from sixproof.model import Family, IPNetwork

_DEFAULT_BLOCK = {Family.IPV4: 26, Family.IPV6: 122}


@dataclasses.dataclass(frozen=True, slots=True)
class Pool:
    """One IPPool.

    `block_size` is the prefix length of the blocks that nodes take from it. `encapsulation` is
    ``None``, ``IPIP``, ``VXLAN``, ``IPIPCrossSubnet`` or ``VXLANCrossSubnet``. `uses` are
    ``Workload``, ``Tunnel``, ``LoadBalancer``. A `manual` pool serves only pods that request it.
    One that is not `exported` (disableBGPExport) is not announced by BGP.
    """

    name: str
    cidr: IPNetwork
    block_size: int
    encapsulation: str = "None"
    nat_outgoing: bool = False
    node_selector: str = "all()"
    disabled: bool = False
    uses: tuple[str, ...] = ("Workload", "Tunnel")
    namespace_selector: str = ""
    manual: bool = False
    exported: bool = True

    @property
    def family(self) -> Family:
        """The family of its addresses."""
        return Family.of(self.cidr)

    @property
    def blocks(self) -> int:
        """How many blocks it has; 0 if none fits."""
        spare = self.block_size - self.cidr.prefixlen
        return 1 << spare if spare >= 0 else 0

    def encapsulates(self, tunnel: str) -> bool:
        """Whether packets may use that tunnel (``IPIP``, ``VXLAN``)."""
        return self.encapsulation.startswith(tunnel)


def pool(manifest: Manifest) -> Pool | None:
    """The pool of an IPPool object, None where its cidr does not parse."""
    cidr = json_fields.network(json_fields.text(manifest, "spec", "cidr"))
    if cidr is None:
        return None
    spec = json_fields.mapping(manifest, "spec")
    return Pool(
        name=json_fields.name(manifest),
        cidr=cidr,
        block_size=json_fields.number(spec, "blockSize") or _DEFAULT_BLOCK[Family.of(cidr)],
        encapsulation=cni.encapsulation(manifest),
        nat_outgoing=json_fields.flag(spec, "natOutgoing") or False,
        node_selector=json_fields.text(spec, "nodeSelector") or "all()",
        disabled=json_fields.flag(spec, "disabled") or False,
        uses=json_fields.strings(spec, "allowedUses") or ("Workload", "Tunnel"),
        namespace_selector=json_fields.text(spec, "namespaceSelector"),
        manual=json_fields.text(spec, "assignmentMode") == "Manual",
        exported=not json_fields.flag(spec, "disableBGPExport"),
    )


def pools(manifests: Iterable[Manifest]) -> tuple[Pool, ...]:
    """The pools of IPPool objects, IPv4 first, then by name."""
    found = [p for p in map(pool, manifests) if p is not None]
    return tuple(sorted(found, key=lambda p: (p.family.version, p.name)))
