"""An examination: what nodes and the cluster's own pods say when something failed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from sixproof.agent.protocol import FilterSeen, IpSetSeen, NodeSeen
from sixproof.kube.facts.components import ComponentPod, EndedPod, HealthCheck, StrayEndpoint
from sixproof.model import Finding


@dataclasses.dataclass(frozen=True)
class NodeReading:
    """The facts of one node, or of a pod by ``namespace/name``.

    `seen` is None where they could not be read, `missing` says why. `called` is what a reader calls
    the pod (``pod a on worker``), "" of a node.
    """

    node: str
    seen: NodeSeen | None = None
    missing: str = ""
    called: str = ""


@dataclasses.dataclass(frozen=True)
class FilterReading:
    """The packet filter of a node, before and after failing flows were sent again; where it was
    read `once` only, both are that, and how counters moved is not known."""

    node: str
    before: FilterSeen
    after: FilterSeen
    once: bool = False


@dataclasses.dataclass(frozen=True)
class IpSetsReading:
    """Felix's IP sets on a node, and which addresses of failing pods they hold; `cut` says that
    some sets could not be listed whole and are missing."""

    node: str
    sets: list[IpSetSeen]
    cut: bool = False


@dataclasses.dataclass(frozen=True)
class PodHealth:
    """What one of the cluster's own pods said of itself at one of its addresses, asked from its own
    node: the HTTP `status`, with `body` on one line; 0 without an answer, and `error` says why."""

    namespace: str
    name: str
    node: str
    address: str
    check: HealthCheck
    status: int
    body: str = ""
    error: str = ""


@dataclasses.dataclass(frozen=True)
class FailureReading:
    """What nodes said at the moment at which a test found cells wrong: what the test made, such as
    policies, pools and pods, still existed. `test` is its node id, `asked` are the addresses that
    were looked up in the IP sets, `seconds` is how long it took, `problems` say what could not be
    read, and `inside` are the facts of pods that most of its wrong cells have as an end."""

    test: str
    nodes: list[NodeReading] = dataclasses.field(default_factory=list)
    ip_sets: list[IpSetsReading] = dataclasses.field(default_factory=list)
    asked: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    problems: list[str] = dataclasses.field(default_factory=list)
    inside: list[NodeReading] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Examination:
    """All of it.

    `before` was read when the run began, `after` at its end; `inside` are the facts of pods that
    most wrong cells have as an end, by ``namespace/name``.

    `strays` and `ended` are endpoints and pods of the run itself that are not what they should be.
    `findings` are what was wrong with Calico's settings now and not when the run began.
    `settings` are texts of the cluster's own configuration by name (``kube-proxy``, ``Corefile``).
    `resent` counts the failing flows that were sent again between two readings of the packet
    filter, `still` those of them that failed again. `problems` say what could not be read.
    `health` is what pods of CoreDNS say of themselves.
    """

    before: list[NodeReading] = dataclasses.field(default_factory=list)
    after: list[NodeReading] = dataclasses.field(default_factory=list)
    inside: list[NodeReading] = dataclasses.field(default_factory=list)
    filters: list[FilterReading] = dataclasses.field(default_factory=list)
    pods: list[ComponentPod] = dataclasses.field(default_factory=list)
    strays: list[StrayEndpoint] = dataclasses.field(default_factory=list)
    ended: list[EndedPod] = dataclasses.field(default_factory=list)
    findings: list[Finding] = dataclasses.field(default_factory=list)
    settings: dict[str, str] = dataclasses.field(default_factory=dict)
    resent: int = 0
    still: int = 0
    problems: list[str] = dataclasses.field(default_factory=list)
    health: list[PodHealth] = dataclasses.field(default_factory=list)

    def nodes(self) -> Mapping[str, NodeSeen]:
        """The last facts of each node."""
        return _by_node(self.after)

    def earlier(self) -> Mapping[str, NodeSeen]:
        """The first facts of each node."""
        return _by_node(self.before)

    def filter_of(self, node: str) -> FilterReading | None:
        """A node's packet filter, None where it was not read."""
        return next((f for f in self.filters if f.node == node and not f.after.error), None)

    def of(self, component: str, node: str = "") -> list[ComponentPod]:
        """The pods of a component, on one node or on all."""
        return [p for p in self.pods if p.component == component and node in ("", p.node)]

    def health_of(self, name: str, node: str) -> list[PodHealth]:
        """What a pod said of itself, nothing where it was not asked."""
        return [one for one in self.health if (one.name, one.node) == (name, node)]


def _by_node(readings: Iterable[NodeReading]) -> Mapping[str, NodeSeen]:
    return {r.node: r.seen for r in readings if r.seen is not None}
