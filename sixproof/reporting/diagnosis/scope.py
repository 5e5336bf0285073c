"""Scopes: places in a matrix that one cause could explain, and how they are said.

A scope is a source side, a destination side and how the two are related: "from worker to
worker2 and back", "to echo@worker2 from every other pod", "between nodes".
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Iterable, Iterator, Sequence

from sixproof.model import Endpoint, EndpointKind


class SideKind(enum.StrEnum):
    """What a side of a scope fixes."""

    ANY = "any"
    NODE = "node"
    PODS = "pods of a node"
    KIND = "kind"
    NAMESPACE = "namespace"
    LABEL = "label"
    ENDPOINT = "endpoint"
    ZONE = "zone"


class Relation(enum.StrEnum):
    """How source and destination are related."""

    ANY = "any"
    OTHERS = "others"  # not from an endpoint to itself
    ACROSS = "across"  # on different, known nodes
    WITHIN = "within"  # on the same node
    PEERS = "peers"  # on the same node, but not from an endpoint to itself
    SELF = "self"  # from an endpoint to itself

    def holds(self, source: Endpoint, destination: Endpoint) -> bool:
        """Whether two endpoints are related so."""
        same = source.name == destination.name
        if self in (Relation.ANY, Relation.OTHERS, Relation.SELF):
            return self is Relation.ANY or same is (self is Relation.SELF)
        known = bool(source.node and destination.node)
        together = source.node == destination.node
        if self is Relation.ACROSS:
            return known and not together
        return known and together and not (same and self is Relation.PEERS)


_SIDE_COST = {SideKind.ANY: 0, SideKind.ENDPOINT: 3}
_GROUP_COST = 2
_RELATION_COST = {Relation.ANY: 0, Relation.OTHERS: 2, Relation.PEERS: 2}
_KIND_WORDS = {
    EndpointKind.POD: "pods",
    EndpointKind.HOST: "the host networks of nodes",
    EndpointKind.NODE: "node addresses",
    EndpointKind.SERVICE: "services",
    EndpointKind.OUTSIDE: "the outside",
}


_SIDE_WORDS = {
    SideKind.NODE: "node ",
    SideKind.PODS: "pods on ",
    SideKind.NAMESPACE: "pods of namespace ",
    SideKind.LABEL: "pods labelled ",
    SideKind.ZONE: "zone ",
}
_OWN_NAMESPACE = re.compile(r"six-[a-z0-9]{1,12}-(?:[a-z0-9-]+-)?(?P<role>[a-z0-9]+)")
"""Namespaces of a run; their last part is what reports call them."""
_OWN_LABEL = "sixproof.dev/"
"""Labels of the harness: they say nothing that a reader could know."""


@dataclasses.dataclass(frozen=True, slots=True)
class Side:
    """One side of a scope. `said` replaces a name that the reader does not know."""

    kind: SideKind = SideKind.ANY
    name: str = ""
    said: str = dataclasses.field(default="", compare=False)

    def admits(self, endpoint: Endpoint) -> bool:
        """Whether an endpoint lies on this side."""
        if self.kind is SideKind.NODE:
            return endpoint.node == self.name
        if self.kind is SideKind.PODS:
            return endpoint.kind is EndpointKind.POD and endpoint.node == self.name
        if self.kind is SideKind.KIND:
            return endpoint.kind.value == self.name
        if self.kind is SideKind.ZONE:
            return endpoint.zone == self.name
        if self.kind is SideKind.NAMESPACE:
            return endpoint.kind is EndpointKind.POD and endpoint.namespace == self.name
        if self.kind is SideKind.LABEL:
            named = tuple(self.name.split("=", 1)) in endpoint.labels
            return endpoint.kind is EndpointKind.POD and named
        return self.kind is SideKind.ANY or endpoint.name == self.name

    def __str__(self) -> str:
        if self.kind is SideKind.KIND:
            return _KIND_WORDS[EndpointKind(self.name)]
        return f"{_SIDE_WORDS.get(self.kind, '')}{self.said or self.name}"


@dataclasses.dataclass(frozen=True, slots=True)
class Scope:
    """A set of source and destination pairs that share one description."""

    source: Side = Side()
    destination: Side = Side()
    relation: Relation = Relation.ANY
    both_ways: bool = False

    @property
    def cost(self) -> int:
        """How much the description says; of equal scopes the cheapest is the best said."""
        ends = (self.source.kind, self.destination.kind)
        sides = sum(_SIDE_COST.get(kind, _GROUP_COST) for kind in ends)
        return sides + _RELATION_COST.get(self.relation, 1) + int(self.both_ways)

    def reverse(self) -> Scope | None:
        """The way back, None where the scope has none of its own."""
        if self.both_ways or self.source == self.destination:
            return None
        return dataclasses.replace(self, source=self.destination, destination=self.source)

    def holds(self, source: Endpoint, destination: Endpoint) -> bool:
        """Whether a flow between two endpoints runs here."""
        there = self.source.admits(source) and self.destination.admits(destination)
        back = self.source.admits(destination) and self.destination.admits(source)
        inside = there or (self.both_ways and back)
        return inside and self.relation.holds(source, destination)

    def __str__(self) -> str:
        """Where the flows run, empty for everywhere."""
        ends = (self.source.kind, self.destination.kind)
        if ends == (SideKind.ANY, SideKind.ANY):
            return _EVERYWHERE[self.relation]
        if SideKind.ANY in ends:
            return self._one_sided()
        if self.source == self.destination:
            if self.relation is Relation.SELF or self.source.kind is SideKind.ENDPOINT:
                return f"from {self.source} to itself"
            return f"inside {self.source}" + _suffix(self.relation)
        source, destination = str(self.source), str(self.destination)
        if ends == (SideKind.NODE, SideKind.NODE):
            source, destination = self.source.name, self.destination.name
            back = " and back" if self.both_ways else ""
            return f"from {source} to {destination}{back}{_suffix(self.relation)}"
        if self.both_ways:
            return f"between {source} and {destination}{_suffix(self.relation)}"
        return f"from {source} to {destination}{_suffix(self.relation)}"

    def _one_sided(self) -> str:
        side = self.destination if self.source.kind is SideKind.ANY else self.source
        if self.relation is Relation.SELF:
            return f"from {side} to itself"
        if side.kind is SideKind.NODE and self.relation in _INSIDE:
            return f"{_INSIDE[self.relation]} {side}"
        if self.both_ways:
            return f"to and from {side}{_suffix(self.relation)}"
        far = _FAR_SIDE[self.relation]
        if side is self.source:
            return f"from {side}" + (f" to {far}" if far else "")
        return f"to {side}" + (f" from {far}" if far else "")


_EVERYWHERE = {
    Relation.ANY: "",
    Relation.OTHERS: "between different endpoints",
    Relation.ACROSS: "between nodes",
    Relation.WITHIN: "inside a node",
    Relation.PEERS: "between endpoints of one node",
    Relation.SELF: "from an endpoint to itself",
}
_FAR_SIDE = {
    Relation.ANY: "",
    Relation.OTHERS: "every other endpoint",
    Relation.ACROSS: "other nodes",
    Relation.WITHIN: "its own node",
    Relation.PEERS: "the other endpoints of its node",
}
_INSIDE = {Relation.WITHIN: "inside", Relation.PEERS: "between the endpoints of"}
_SUFFIX = {
    Relation.ACROSS: " across nodes",
    Relation.WITHIN: " on the same node",
    Relation.PEERS: ", except from an endpoint to itself",
}


def _suffix(relation: Relation) -> str:
    return _SUFFIX.get(relation, "")


def sides(endpoints: Iterable[Endpoint], known: Sequence[Endpoint]) -> tuple[Side, ...]:
    """Every side that holds one of these endpoints, and not all of those that are known."""

    def grouped(endpoint: Endpoint) -> Iterator[Side]:
        if endpoint.node:
            yield Side(SideKind.NODE, endpoint.node)
        if endpoint.zone:  # of a zone with one node, that node is said
            yield Side(SideKind.ZONE, endpoint.zone)
        yield Side(SideKind.KIND, endpoint.kind.value)
        if endpoint.kind is not EndpointKind.POD:
            return
        if endpoint.node:
            yield Side(SideKind.PODS, endpoint.node)
        if endpoint.namespace:
            own = _OWN_NAMESPACE.fullmatch(endpoint.namespace)
            yield Side(SideKind.NAMESPACE, endpoint.namespace, own["role"] if own else "")
        for key, value in endpoint.labels:
            if not key.startswith(_OWN_LABEL):
                yield Side(SideKind.LABEL, f"{key}={value}")

    found: dict[Side, None] = {Side(): None}
    for endpoint in endpoints:
        for side in grouped(endpoint):
            if side not in found and not all(side.admits(other) for other in known):
                found[side] = None
        found[Side(SideKind.ENDPOINT, endpoint.name, endpoint.called)] = None
    return tuple(found)


def candidates(
    sources: Iterable[Side], destinations: Iterable[Side], *, nodes: int
) -> Iterator[Scope]:
    """Every scope of these sides. With two nodes, "other nodes" is said by its name instead."""
    ends = tuple(destinations)
    for source in sources:
        for destination in ends:
            open_ended = Side() in (source, destination)
            for relation in Relation:
                if relation is Relation.ACROSS and open_ended and nodes < 3:
                    continue
                yield Scope(source, destination, relation)
                if source != destination and relation is not Relation.SELF:
                    yield Scope(source, destination, relation, both_ways=True)
