"""A run's own pool: what it is for, and why no other pod gets an address from it. Pure.

Calico gives an ordinary pod an address of any enabled pool whose selectors match, unless the pool
is assigned manually (`assignmentMode` Manual). A pod whose annotation names a pool gets an address
from it whatever the selectors say (projectcalico/calico, libcalico-go/lib/ipam, determinePools).
"""

from __future__ import annotations

import dataclasses
import enum
import random
from collections.abc import Iterable, Mapping, Sequence

from sixproof.calico import pools as calico_pools
from sixproof.calico.pools import Pool
from sixproof.errors import Subject
from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.api.resources import Kind
from sixproof.kube.facts.discovery import CALICO_API
from sixproof.kube.runs import ownership
from sixproof.model import Family, IPNetwork
from sixproof.workloads.pools import ranges
from sixproof.workloads.probe_pods.identity import Run

IP_POOL = Kind(CALICO_API, "IPPool", "ippools", namespaced=False)
NOBODY = "!all()"
"""A nodeSelector that selects no node: every version of Calico's IPAM keeps ordinary pods away."""
ROLE = "pools"
"""The role of the namespace of pods that request own pools."""
HOSTNAME = "kubernetes.io/hostname"
NAMESPACE_NAME = "kubernetes.io/metadata.name"

_BLOCK_SIZES = {Family.IPV4: (29, 30), Family.IPV6: (125, 126)}  # the second where pools have one
_COPIED = ("ipipMode", "vxlanMode", "disableBGPExport")


class Purpose(enum.StrEnum):
    """What an own pool is for."""

    MASKED = "masked"
    """For pods that request it; natOutgoing is on."""
    BARE = "bare"
    """The same with natOutgoing off."""
    DISABLED = "disabled"
    """No pod can get an address from it."""
    SEGMENT = "segment"
    """For the pods of one namespace on one node, without a request."""


@dataclasses.dataclass(frozen=True, slots=True)
class OwnPool:
    """A pool that a run creates.

    Its name begins with that of the namespace whose pods are to use it (`serves`). `way` are the
    fields that say how packets cross between nodes, those of the pool that the cluster's pods use.
    A SEGMENT is for pods in `namespace` on `node`, which has this `hostname`
    label.
    """

    run: Run
    name: str
    purpose: Purpose
    cidr: IPNetwork
    block_size: int
    way: Mapping[str, object] = dataclasses.field(default_factory=dict)
    node: str = ""
    hostname: str = ""
    namespace: str = ""

    @property
    def family(self) -> Family:
        """The family of its addresses."""
        return Family.of(self.cidr)

    def subject(self) -> Subject:
        """It, as what a verdict is about."""
        return Subject(IP_POOL.kind, self.name)

    @property
    def enabled(self) -> bool:
        """Whether it is ever to be enabled."""
        return self.purpose is not Purpose.DISABLED

    @property
    def pool(self) -> Pool:
        """The pool as Calico has it, once it exists."""
        found = calico_pools.pool(self.manifest(disabled=not self.enabled))
        assert found is not None
        return found

    def manifest(self, *, disabled: bool) -> Manifest:
        """The IPPool. Every field is set: nothing depends on API server defaults."""
        segment = self.purpose is Purpose.SEGMENT
        chosen = f"{HOSTNAME} == '{self.hostname}'" if segment else NOBODY
        only = {"namespaceSelector": f"{NAMESPACE_NAME} == '{self.namespace}'"} if segment else {}
        return {
            "apiVersion": IP_POOL.api_version,
            "kind": IP_POOL.kind,
            "metadata": {"name": self.name, "labels": ownership.labels(self.run.id)},
            "spec": {
                "cidr": str(self.cidr),
                "blockSize": self.block_size,
                "ipipMode": "Never",
                "vxlanMode": "Never",
                **self.way,
                "natOutgoing": self.purpose is not Purpose.BARE,
                "disabled": disabled,
                "nodeSelector": chosen,
                **only,
                "assignmentMode": "Automatic" if segment else "Manual",
                "allowedUses": ["Workload"],  # with Tunnel, nodes might take addresses from it
            },
        }


def plan(
    run: Run,
    serial: str,
    node: tuple[str, str],
    used: Mapping[Family, Manifest],
    others: Sequence[IPNetwork],
    *,
    purposes: Iterable[Purpose] = Purpose,
    before: Mapping[Family, str] | None = None,
    chance: random.Random | None = None,
) -> tuple[OwnPool, ...]:
    """A pool of each of the purposes and of each family of `used`: the IPPool that the cluster's
    pods get their addresses from.

    `serial` keeps the processes of a run apart. `node` is that of the SEGMENT, by its name and its
    hostname label. Pools sort `before` the block of this name where possible, so that IPAM tries
    their blocks first where nothing else keeps it off. `others` are ranges to avoid. A family is
    left out where no free range was found.
    """
    drawn = chance or random.SystemRandom()
    known, wanted = list(others), tuple(purposes)
    made: list[OwnPool] = []
    for family, pool in used.items():
        for purpose in wanted:
            cidr = ranges.free(family, known, drawn, before=(before or {}).get(family, ""))
            if cidr is None:
                made = [p for p in made if p.family is not family]
                break
            known.append(cidr)
            segment = purpose is Purpose.SEGMENT
            made.append(
                OwnPool(
                    run=run,
                    name=f"{run.namespace(home(serial))}-{purpose}-{family.lower()}",
                    purpose=purpose,
                    cidr=cidr,
                    block_size=_other_size(family, pool),
                    way={k: v for k in _COPIED if (v := json_fields.at(pool, "spec", k))},
                    node=node[0] if segment else "",
                    hostname=node[1] if segment else "",
                    namespace=run.namespace(home(serial)) if segment else "",
                )
            )
    return tuple(made)


def home(serial: str) -> str:
    """The role of the namespace in which a process's pods request its pools."""
    return f"{ROLE}-{serial}"


def serves(pool: str, namespace: str) -> bool:
    """Whether an own pool of this name is for pods of a namespace."""
    return bool(namespace) and pool.startswith(f"{namespace}-")


def find(pools: Iterable[OwnPool], purpose: Purpose, family: Family) -> OwnPool:
    """The pool of a purpose and a family.

    Raises:
        KeyError: there is none.
    """
    for pool in pools:
        if pool.purpose is purpose and pool.family is family:
            return pool
    raise KeyError(f"{purpose} {family}")


def _other_size(family: Family, pool: Manifest) -> int:
    """A small block size that differs from that of the cluster's own pool."""
    first, second = _BLOCK_SIZES[family]
    return second if json_fields.number(pool, "spec", "blockSize") == first else first
