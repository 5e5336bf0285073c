"""The pods of own pools: what a process of a run creates to see what pools do."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from sixproof.kube.api import resources
from sixproof.kube.api.client import Cluster
from sixproof.model import Endpoint, Family
from sixproof.workloads.pools import asking
from sixproof.workloads.pools.asking import AddressResult, Asking, Refusal
from sixproof.workloads.pools.own_pool import OwnPool, Purpose, home
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.probe_pod import PodOptions
from sixproof.workloads.services.backends import open_namespace

NODES = 3
"""The most nodes on which pods request pools."""
UNASKED = "unasked"
"""The role of a pod beside them that requests nothing."""
HOLDER, PLAIN = "holder", "plain"
"""Roles of pods around a SEGMENT: those that request it, and those that request nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class PoolPods:
    """Pods that requested the MASKED pools, one per node, one that requested the BARE ones, and
    then, on a node that has blocks of both, one that requested nothing: `unasked`."""

    masked: tuple[Endpoint, ...]
    bare: tuple[Endpoint, ...]
    unasked: Endpoint

    def of(self, purpose: Purpose) -> tuple[Endpoint, ...]:
        """Those that requested the pools of a purpose."""
        return {Purpose.MASKED: self.masked, Purpose.BARE: self.bare}[purpose]

    @property
    def every(self) -> tuple[tuple[Endpoint, Purpose], ...]:
        """All that made a request, each with what it requested."""
        return (
            *((pod, Purpose.MASKED) for pod in self.masked),
            *((pod, Purpose.BARE) for pod in self.bare),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class SegmentPods:
    """Pods that request nothing in the namespace of a SEGMENT: `inside` on its node, `elsewhere` on
    another. On both nodes a `holder` requested it by name, so that both have a block of it: a node
    allocates first from the blocks it has."""

    inside: Endpoint
    elsewhere: Endpoint
    holders: tuple[Endpoint, ...]


class PoolHome:
    """The namespace of a process whose pods request its own pools, and what it creates there."""

    def __init__(
        self,
        cluster: Cluster,
        run: Run,
        serial: str,
        options: PodOptions,
        nodes: Sequence[str],
        timeout: float,
    ) -> None:
        """`nodes` are those that the run covers, `timeout` the seconds that pods may take.

        Raises:
            ApiError: the API server refused.
        """
        self._cluster = cluster
        self._run = run
        self._options = options
        self._timeout = timeout
        self.nodes = tuple(nodes[:NODES])
        self.namespace = open_namespace(cluster, run, home(serial), options)

    def ask(self, pools: Sequence[OwnPool]) -> PoolPods:
        """Pods that request pools, ready.

        Raises:
            ApiError: the API server refused.
            NotReady: one did not become ready; the message holds the reason, which may be Calico's.
        """
        masked = [self._asking(pools, Purpose.MASKED, node) for node in self.nodes]
        made = self._make([*masked, self._asking(pools, Purpose.BARE, self.nodes[0])])
        (unasked,) = self._make([Asking(UNASKED, self.namespace, self.nodes[0])])
        return PoolPods(made[:-1], made[-1:], unasked)

    def segment(self, pools: Sequence[OwnPool]) -> SegmentPods:
        """Pods on the node of the SEGMENT, and on another; needs two covered nodes.

        Raises:
            ApiError: the API server refused.
            NotReady: one did not become ready.
        """
        inside = next(p.node for p in pools if p.purpose is Purpose.SEGMENT)
        other = next(node for node in self.nodes if node != inside)
        named = [self._asking(pools, Purpose.SEGMENT, node) for node in (inside, other)]
        holders = self._make([dataclasses.replace(one, role=HOLDER) for one in named])
        plain = self._make([Asking(PLAIN, self.namespace, node) for node in (inside, other)])
        return SegmentPods(plain[0], plain[1], holders)

    def refuse(self, pools: Sequence[OwnPool], family: Family, why: str) -> Refusal:
        """Create a pod that must get no address, because the pool that it requests is ``missing``
        or ``disabled``.

        Raises:
            ApiError: the API server refused.
        """
        refusal = asking.refusals(pools, family, self.namespace, self.nodes[0])[why]
        asking.begin(self._cluster, self._run, [refusal.asking], self._options)
        return refusal

    def result(self, refusal: Refusal) -> AddressResult:
        """The outcome of a refused pod, which is then deleted: the kubelet would try again and
        again.

        Raises:
            ApiError: the API server refused.
        """
        try:
            return asking.result(self._cluster, refusal, self._timeout)
        finally:
            asking.remove(self._cluster, [refusal.asking])

    def close(self) -> None:
        """Delete its pods, so that no pool is deleted before them; the namespace goes with the run.

        Raises:
            ApiError: the API server refused.
        """
        self._cluster.delete_all(resources.POD, self.namespace, grace=0)

    def _asking(self, pools: Sequence[OwnPool], purpose: Purpose, node: str) -> Asking:
        return asking.asking(pools, purpose, self.namespace, node)

    def _make(self, wanted: Sequence[Asking]) -> tuple[Endpoint, ...]:
        return asking.make(self._cluster, self._run, wanted, self._options, self._timeout)
