"""Matrices: many observations together, and how they differ from what was expected."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Mapping

from sixproof.model.family import Family
from sixproof.model.flow import Flow
from sixproof.model.observation import Observation
from sixproof.model.outcome import Outcome, Parity
from sixproof.model.protocol import Protocol

Edge = tuple[str, str, str]
"""Source name, destination name, port without family (``tcp/8080``, ``icmp``) and question."""


def edge_of(flow: Flow) -> Edge:
    """The edge that a flow measures, equal for both families."""
    port_spec = Protocol.ICMP.value.lower() if flow.port is None else flow.asked
    return flow.source.name, flow.destination.name, port_spec


class MatrixKind(enum.StrEnum):
    """What the cells of a matrix are, worded for a sentence about many of them.

    Cells of flows are evidence for or against a family. Other cells are weighed by their test:
    which replica answered was chance, which family a name without addresses has is open.
    """

    FLOWS = "flows"
    DNS_QUESTIONS = "DNS questions"  # whether a server answers at all
    DNS_ANSWERS = "DNS answers"  # whether its answer is true
    LOOKUPS = "lookups"  # how a pod's resolver answers for a name
    PATHS = "path checks"  # how a path carries packets of every size
    PACKETS = "crafted packets"
    SOURCES = "source addresses"
    BACKENDS = "backends"  # which backend of a service answered
    ROUTES = "routes"  # which way a node's kernel sends packets to a pod
    ADDRESSES = "pod addresses"  # whether every source of an address agrees
    SESSIONS = "BGP sessions"
    ANNOUNCEMENTS = "BGP announcements"  # what a node tells a BGP peer
    HEALTH = "health checks"  # a node's answer to a service's load balancer
    FELIX = "states of Felix"  # the state that a node's Felix reports

    @property
    def sent(self) -> bool:
        """Whether packets of a family decide its cells, and not what objects, kernels and daemons
        say."""
        return self not in (
            MatrixKind.ROUTES,
            MatrixKind.ADDRESSES,
            MatrixKind.ANNOUNCEMENTS,
            MatrixKind.FELIX,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Expectation:
    """The required result of a flow: one of `outcomes`, because of `because` (the oracle's words).

    `by_policy` says whether a policy decides it at either end, even by allowing the flow.
    `closed_by` names the policies of the cluster's owner that close a flow which a test needs open,
    "" for none: the result of such a flow proves nothing about the network.
    """

    outcomes: frozenset[Outcome]
    because: str
    by_policy: bool = False
    closed_by: str = ""

    @classmethod
    def allowed(cls, because: str, *, by_policy: bool = False) -> Expectation:
        """The flow must work."""
        return cls(frozenset({Outcome.ALLOWED}), because, by_policy)

    def proven_by(self, outcome: Outcome) -> bool:
        """Whether this outcome proves what the test is about. A silence where either is expected
        proves nothing, nor does one that the cluster owner's policies cause."""
        if self.closed_by or outcome not in self.outcomes:
            return False
        return outcome.works or Outcome.ALLOWED not in self.outcomes

    def __str__(self) -> str:
        return " or ".join(sorted(o.value for o in self.outcomes))


@dataclasses.dataclass(frozen=True, slots=True)
class Disagreement:
    """A cell that differs from its expectation. `parity` compares it with the other family's."""

    observation: Observation
    expected: Expectation
    parity: Parity
    counterpart: Observation | None = None


@dataclasses.dataclass(frozen=True)
class Matrix:
    """Observations of one question, over any number of families and ports.

    A later observation of the same edge and family replaces an earlier one.
    """

    title: str
    cells: Mapping[tuple[Family, Edge], Observation]
    kind: MatrixKind = MatrixKind.FLOWS

    @classmethod
    def of(
        cls,
        title: str,
        observations: Iterable[Observation],
        kind: MatrixKind = MatrixKind.FLOWS,
    ) -> Matrix:
        """The matrix of these observations."""
        return cls(title, {(o.flow.family, edge_of(o.flow)): o for o in observations}, kind)

    def observations(self) -> tuple[Observation, ...]:
        """All cells, in the order in which they were measured."""
        return tuple(self.cells.values())

    def families(self) -> tuple[Family, ...]:
        """The families measured, IPv4 before IPv6."""
        return tuple(f for f in Family if any(family is f for family, _ in self.cells))

    def sources(self) -> tuple[str, ...]:
        """Row names in order of first appearance."""
        return tuple(dict.fromkeys(edge[0] for _, edge in self.cells))

    def destinations(self) -> tuple[str, ...]:
        """Column names in order of first appearance."""
        return tuple(dict.fromkeys(edge[1] for _, edge in self.cells))

    def port_specs(self) -> tuple[str, ...]:
        """Ports in order of first appearance."""
        return tuple(dict.fromkeys(edge[2] for _, edge in self.cells))

    def cell(self, family: Family, edge: Edge) -> Observation | None:
        """The observation of an edge in a family, None where it was not measured."""
        return self.cells.get((family, edge))

    def parity(self, edge: Edge) -> Parity:
        """How the families of an edge compare."""
        seen = [self.cell(family, edge) for family in (Family.IPV4, Family.IPV6)]
        return Parity.of(*(None if o is None else o.outcome for o in seen))

    def parities(self) -> dict[Edge, Parity]:
        """The parity of every edge, in order of first appearance."""
        return {edge: self.parity(edge) for edge in dict.fromkeys(e for _, e in self.cells)}

    def disagreements(
        self, expected: Mapping[tuple[Family, Edge], Expectation]
    ) -> tuple[Disagreement, ...]:
        """The cells that differ from their expectation.

        An expected cell that was not measured is an error of the caller.

        Raises:
            KeyError: an expectation has no cell, or a cell has no expectation.
        """
        if missing := expected.keys() ^ self.cells.keys():
            raise KeyError(
                f"{self.title}: measured and expected cells differ: {sorted(missing)[:3]}"
            )
        return tuple(
            Disagreement(
                observation=seen,
                expected=expected[key],
                parity=self.parity(key[1]),
                counterpart=self.cell(key[0].other, key[1]),
            )
            for key, seen in self.cells.items()
            if seen.outcome not in expected[key].outcomes
        )


Judged = tuple[Matrix, Mapping[tuple[Family, Edge], Expectation]]
"""A matrix, and the expectation of each cell."""
