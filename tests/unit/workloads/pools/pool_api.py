"""A cluster in memory that knows IPPools as Calico's API server does."""

from __future__ import annotations

import copy
from typing import Any

from sixproof.calico.ipam import AFFINITIES, BLOCKS
from sixproof.errors import ApiError
from sixproof.kube.api import json_fields
from sixproof.kube.api.resources import Kind
from sixproof.workloads.pools.own_pool import IP_POOL
from sixproof.workloads.probe_pods.probe_pod import node_of
from tests.unit.workloads.memory import Manifest, MemoryCluster

DEFAULTS = {"IPv4": "10.244.0.0/16", "IPv6": "fd00:10:244::/56"}
SIZES = {"IPv4": 26, "IPv6": 122}


def ip_pool(name: str, cidr: str, size: int, **spec: Any) -> Manifest:
    """An IPPool of the cluster's owner."""
    usual = {
        "cidr": cidr,
        "blockSize": size,
        "ipipMode": "Never",
        "vxlanMode": "Always",
        "natOutgoing": True,
        "nodeSelector": "all()",
        "allowedUses": ["Workload", "Tunnel"],
        "assignmentMode": "Automatic",
    }
    return {"kind": "IPPool", "metadata": {"name": name}, "spec": {**usual, **spec}}


class PoolApi(MemoryCluster):
    """Two default pools and two nodes. `forgets` are fields that it does not keep, `refuses` what
    it says to whoever makes a pool, and how often; `blocks` are those of IPAM."""

    def __init__(self) -> None:
        super().__init__()
        self.forgets: set[str] = set()
        self.refuses: list[ApiError] = []
        self.blocks: list[Manifest] | ApiError = []
        for family, cidr in DEFAULTS.items():
            name = f"default-{family.lower()}-ippool"
            self.objects["IPPool", "", name] = ip_pool(name, cidr, SIZES[family])
        for node in ("n1", "n2"):
            labels = {"kubernetes.io/hostname": f"{node}.example"}
            self.objects["Node", "", node] = {"metadata": {"name": node, "labels": labels}}

    @property
    def pools(self) -> dict[str, Manifest]:
        """The pools that stand."""
        return {name: one for (kind, _, name), one in self.objects.items() if kind == "IPPool"}

    def create(self, manifest: Manifest) -> Manifest:
        """Create what is not there, without the fields that it forgets."""
        if self.refuses:
            raise self.refuses.pop(0)
        kept = copy.deepcopy(manifest)
        for field in self.forgets:
            kept["spec"].pop(field, None)
        return super().create(kept)

    def apply(self, manifest: Manifest) -> Manifest:
        """A pod runs on the node that its affinity names."""
        made = super().apply(manifest)
        if made["kind"] == "Pod":
            made["spec"]["nodeName"] = node_of(made)
        return made

    def get(self, kind: Kind, name: str, namespace: str = "") -> Manifest:
        """One object."""
        found = self.find(kind, name, namespace)
        if found is None:
            raise ApiError(f"no {kind} {name}", status=404)
        return found

    def list(self, kind: Kind, namespace: str = "", **rest: Any) -> tuple[Manifest, ...]:
        """Objects of a kind; blocks, unless they may not be read; events of one pod."""
        if kind in (BLOCKS, AFFINITIES):
            if isinstance(self.blocks, ApiError):
                raise self.blocks
            return tuple(self.blocks if kind == BLOCKS else ())
        about = rest.pop("fields", "").removeprefix("involvedObject.name=")
        found = super().list(kind, namespace, **rest)
        return tuple(
            f for f in found if about in ("", json_fields.text(f, "involvedObject", "name"))
        )

    def patch(self, kind: Kind, name: str, change: Manifest, *where: Any, **how: Any) -> Manifest:
        """The spec of a pool is merged."""
        if kind != IP_POOL:
            return super().patch(kind, name, change, *where, **how)
        found = self.objects["IPPool", "", name]
        self.log.append(f"patch IPPool {name}")
        found["spec"] |= change["spec"]
        return found

    def delete_all(self, kind: Kind, namespace: str, **_: Any) -> None:
        """All of a namespace."""
        for key in [k for k in self.objects if k[:2] == (kind.kind, namespace)]:
            self.delete(kind, key[2], namespace)
