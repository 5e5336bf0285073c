"""Node pairs: which nodes are tried with which, where all with all would be too many.

Flows between all nodes grow with the square of their number. A plan of pairs grows with the number
itself, and still tries every node as source and as destination, and every boundary between areas
(zones, subnets) that nodes lie in.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sixproof.calico.nodes import Interface
from sixproof.model import Endpoint, Family, Flow, NodeFacts
from sixproof.workloads.probe_pods.ports import PortSpec
from sixproof.workloads.probe_pods.topology import flows_of_pairs

ALL = 5
"""Nodes up to which every pair is tried: a plan would leave out none."""
AREAS = 8
"""Areas of a kind up to which every boundary between two of them is tried."""
CROSSINGS = 2
"""Pairs, of different nodes, that are tried for each boundary, where it has as many."""


@dataclasses.dataclass(frozen=True, slots=True)
class PlacedNode:
    """A node, and the area of each kind in which it lies: ``("zone", "north")``."""

    name: str
    areas: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, node: NodeFacts, chosen: Iterable[Interface] = ()) -> PlacedNode:
        """A node by its zone, and by the subnets of the addresses that were `chosen` for it."""
        zone = [("zone", node.zone)] if node.zone else []
        subnets = ((f"{Family.of(one.ip)} subnet", str(one.network)) for one in chosen)
        return cls(node.name, (*zone, *subnets))


@dataclasses.dataclass(frozen=True)
class NodePairs:
    """The partners of each node, every pair in both directions.

    Guarantees, where there are more than ALL nodes: a node has at least three partners, so that one
    that fails with all of them is told from a pair that fails. Of each kind of area, every boundary
    is crossed by CROSSINGS pairs where AREAS or fewer areas have that kind; of more, each area's
    boundaries with at least three others. Consecutive turns, as many as half the nodes, try every
    pair.
    """

    partners: Mapping[str, tuple[str, ...]]

    @property
    def count(self) -> int:
        """How many pairs there are, of two nodes in either order."""
        return sum(map(len, self.partners.values())) // 2


def planned(nodes: Iterable[PlacedNode], turn: int) -> NodePairs:
    """The pairs of these nodes at this `turn`: the same for the same nodes and turn.

    Nodes are put in a ring, area by area. Each is tried with its two neighbours, most of which
    share its areas, with the two that are so far from it as the turn says, and with what the
    boundaries of its areas ask for.
    """
    ring = sorted(nodes, key=lambda node: (node.areas, node.name))
    names = [node.name for node in ring]
    pairs = set(_in_a_ring(names, turn, ALL))
    for kind in dict.fromkeys(kind for node in ring for kind, _ in node.areas):
        pairs |= set(_across(ring, kind, turn))
    partners: defaultdict[str, set[str]] = defaultdict(set)
    for one, other in pairs:
        partners[one].add(other)
        partners[other].add(one)
    order = {name: place for place, name in enumerate(names)}
    return NodePairs({n: tuple(sorted(partners[n], key=order.__getitem__)) for n in names})


def _in_a_ring(members: Sequence[str], turn: int, complete: int) -> Iterator[tuple[str, str]]:
    """Each with its neighbours and those at a distance that turns from 2 to half the ring; all with
    all, where they are no more than `complete`."""
    count = len(members)
    if count <= complete:
        yield from itertools.combinations(members, 2)
        return
    for distance in (1, 2 + turn % (count // 2 - 1)):
        for place, member in enumerate(members):
            yield member, members[(place + distance) % count]


def _across(ring: Sequence[PlacedNode], kind: str, turn: int) -> Iterator[tuple[str, str]]:
    """Pairs for the boundaries between areas of a kind; which nodes of an area turns, too."""
    inside: defaultdict[str, list[str]] = defaultdict(list)
    for node in ring:
        if area := dict(node.areas).get(kind):
            inside[area].append(node.name)
    for one, other in _in_a_ring(sorted(inside), turn, AREAS):
        for number in range(turn, turn + min(CROSSINGS, len(inside[one]), len(inside[other]))):
            yield (
                inside[one][number % len(inside[one])],
                inside[other][number % len(inside[other])],
            )


@dataclasses.dataclass(frozen=True)
class EveryNode:
    """Every node has one of the `pods` and one of the `hosts`; `pairs` are nodes that are tried
    together."""

    pods: tuple[Endpoint, ...]
    hosts: tuple[Endpoint, ...]
    pairs: NodePairs

    def flows(
        self,
        sources: Iterable[Endpoint],
        destinations: Iterable[Endpoint],
        families: Iterable[Family],
        port_specs: Iterable[PortSpec] | None = None,
        *,
        own: bool = False,
    ) -> tuple[Flow, ...]:
        """Every flow from a source to a destination on a partner of its node, and with `own` on its
        own node; families and ports as in `topology.flows`."""
        there: defaultdict[str, list[Endpoint]] = defaultdict(list)
        for destination in destinations:
            there[destination.node].append(destination)
        pairs = (
            (source, destination)
            for source in sources
            for node in (*([source.node] * own), *self.pairs.partners.get(source.node, ()))
            for destination in there[node]
        )
        return flows_of_pairs(pairs, families, port_specs)
