"""The situation that rules look at: what failed, what worked, and what nodes and pods say."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address

from sixproof.agent.protocol import IpSetSeen, NodeSeen
from sixproof.model import (
    Disagreement,
    Edge,
    Endpoint,
    EndpointKind,
    Family,
    Flow,
    IPAddress,
    MatrixKind,
    Observation,
    edge_of,
)
from sixproof.probes.nodes.examination import (
    Examination,
    FailureReading,
    FilterReading,
    NodeReading,
)
from sixproof.reporting.conclusion.reach import touches
from sixproof.reporting.results.results_json import Results


def _once_each(readings: Iterable[NodeReading]) -> list[NodeReading]:
    """Of several readings of one place the first that was answered."""
    known: dict[str, NodeReading] = {}
    for there in readings:
        if there.node not in known or known[there.node].seen is None:
            known[there.node] = there
    return list(known.values())


class Situation:
    """One run that failed; with a `reading`, one test of it at the moment at which it did."""

    def __init__(self, results: Results, reading: FailureReading | None = None) -> None:
        self.results = results
        self.examination = results.examination or Examination()
        self.ip_sets: Mapping[str, Sequence[IpSetSeen]] = {}
        if reading is not None:
            self.ip_sets = {there.node: there.sets for there in reading.ip_sets}
            self.results = dataclasses.replace(
                results, matrices=tuple(m for m in results.matrices if m.test == reading.test)
            )
            read = [there for there in reading.nodes if there.seen is not None]
            self.examination = dataclasses.replace(
                self.examination,
                after=_once_each((*read, *self.examination.after)),
                inside=_once_each((*reading.inside, *self.examination.inside)),
            )

    @functools.cached_property
    def nodes(self) -> Mapping[str, NodeSeen]:
        """What each node said last."""
        return self.examination.nodes()

    @functools.cached_property
    def earlier(self) -> Mapping[str, NodeSeen]:
        """What each node said when the run began."""
        return self.examination.earlier()

    def filter_of(self, node: str) -> FilterReading | None:
        """A node's packet filter, None where it was not read."""
        return self.examination.filter_of(node)

    @functools.cached_property
    def _wrong(self) -> tuple[tuple[MatrixKind, Disagreement], ...]:
        """All wrong cells with the kind of their matrix: compared once, since every rule asks."""
        return tuple(
            (m.matrix.kind, w) for m in self.results.unexcused() for w in m.disagreements()
        )

    @property
    def wrong(self) -> tuple[Disagreement, ...]:
        """All wrong cells of the run."""
        return tuple(wrong for _, wrong in self._wrong)

    def wrong_of(self, *kinds: MatrixKind) -> Iterator[Disagreement]:
        """The wrong cells of matrices of these kinds."""
        return (wrong for kind, wrong in self._wrong if kind in kinds)

    @functools.cached_property
    def _kinds(self) -> Mapping[Flow, frozenset[MatrixKind]]:
        found: dict[Flow, set[MatrixKind]] = {}
        for kind, wrong in self._wrong:
            found.setdefault(wrong.observation.flow, set()).add(kind)
        return {flow: frozenset(kinds) for flow, kinds in found.items()}

    def kinds_of(self, flow: Flow) -> frozenset[MatrixKind]:
        """The kinds of matrices in which a flow is a wrong cell."""
        return self._kinds.get(flow, frozenset())

    @functools.cached_property
    def _carried_elsewhere(self) -> frozenset[tuple[Family, Edge]]:
        """Edges of wrong flows that other tests carried: another payload, or another time."""
        wrong = {
            (w.observation.flow.family, edge_of(w.observation.flow))
            for w in self.wrong_of(MatrixKind.FLOWS)
        }
        return frozenset(
            key
            for measured in self.results.unexcused()
            if measured.matrix.kind is MatrixKind.FLOWS
            for key, seen in measured.matrix.cells.items()
            if seen.outcome.works and key in wrong
        )

    def comes_and_goes(self, flow: Flow) -> bool:
        """Whether a flow that is a wrong cell was carried in another test."""
        return (flow.family, edge_of(flow)) in self._carried_elsewhere

    def seen_of(self, *kinds: MatrixKind) -> Iterator[Observation]:
        """All cells of matrices of these kinds, right and wrong."""
        for measured in self.results.unexcused():
            if measured.matrix.kind in kinds:
                yield from measured.matrix.cells.values()

    @functools.cached_property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Pods and host networks of known nodes that were measured."""
        found: dict[tuple[str, tuple[IPAddress, ...]], Endpoint] = {}
        for measured in self.results.unexcused():
            for seen in measured.matrix.cells.values():
                for end in (seen.flow.source, seen.flow.destination):
                    if end.node and end.kind in (EndpointKind.POD, EndpointKind.HOST):
                        found.setdefault((end.name, end.addresses), end)
        return tuple(found.values())

    @functools.cached_property
    def node_addresses(self) -> Mapping[str, tuple[IPAddress, ...]]:
        """The InternalIPs of nodes by name."""
        facts = self.results.facts
        return {n.name: n.addresses for n in facts.nodes} if facts else {}

    def passes(self, flow: Flow, node: str) -> bool:
        """Whether packets of a flow surely pass a node: it starts or ends there, or is dialled at
        one of the node's own addresses (a NodePort), which sends it on."""
        return touches(flow, node) or flow.address in self.node_addresses.get(node, ())

    @functools.cached_property
    def holders(self) -> Mapping[IPAddress, str]:
        """Which node holds an address, by what the nodes say of their devices."""
        return {
            ip_address(held.address): node
            for node, seen in self.nodes.items()
            for held in seen.addresses
            if held.device != "lo" and not held.address.startswith("fe80:")
        }
