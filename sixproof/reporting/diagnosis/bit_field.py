"""The field of one family: its source and destination pairs as bits, so that scopes are masks.

Bit *i* is the *i*-th pair. A matrix of thirty endpoints has some fifteen thousand candidate scopes;
as masks they are weighed in a fraction of a second.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sixproof.model import Edge, Endpoint, Family, Matrix, Observation
from sixproof.reporting.diagnosis.scope import (
    Relation,
    Scope,
    Side,
    SideKind,
    candidates,
    sides,
)

MOST_SIDES = 100
"""Sides of scopes that are weighed, those with most wrong pairs: their number is squared."""


@dataclasses.dataclass(frozen=True)
class BitField:
    """The pairs of one family of a matrix. `port_specs` are in order of first appearance."""

    family: Family
    pairs: tuple[tuple[Endpoint, Endpoint], ...]
    port_specs: tuple[str, ...]
    cells: Mapping[Edge, Observation]

    @classmethod
    def of(cls, matrix: Matrix, family: Family) -> BitField:
        """The field of a family."""
        cells = {edge: o for (f, edge), o in matrix.cells.items() if f is family}
        ends = {e[:2]: (o.flow.source, o.flow.destination) for e, o in cells.items()}
        port_specs = tuple(dict.fromkeys(edge[2] for edge in cells))
        return cls(family, tuple(ends.values()), port_specs, cells)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes known, in order of first appearance."""
        return tuple(dict.fromkeys(e.node for pair in self.pairs for e in pair if e.node))

    def endpoints(self, node: str) -> tuple[str, ...]:
        """What the endpoints on a node are called."""
        here = (e for pair in self.pairs for e in pair if e.node == node)
        return tuple({e.name: e.called for e in here}.values())

    def marked(self, edges: Iterable[Edge]) -> dict[str, int]:
        """Per port, the mask of the pairs that these edges name."""
        bits = {(s.name, d.name): 1 << i for i, (s, d) in enumerate(self.pairs)}
        masks = dict.fromkeys(self.port_specs, 0)
        for source, destination, port_spec in edges:
            masks[port_spec] |= bits[source, destination]
        return masks

    def inside(self, mask: int, port_specs: Iterable[str]) -> Iterator[Observation]:
        """The cells of a mask in these ports."""
        wanted = tuple(port_specs)
        for index, (source, destination) in enumerate(self.pairs):
            if mask >> index & 1:
                for port_spec in wanted:
                    if cell := self.cells.get((source.name, destination.name, port_spec)):
                        yield cell

    def asked(self, mask: int) -> tuple[str, ...]:
        """The ports in which a pair of the mask was asked."""
        pairs = [(s.name, d.name) for i, (s, d) in enumerate(self.pairs) if mask >> i & 1]
        return tuple(
            port_spec
            for port_spec in self.port_specs
            if any((*pair, port_spec) in self.cells for pair in pairs)
        )

    def mask(self, scope: Scope) -> int:
        """The pairs that a scope holds."""
        return self._masks.of(scope)

    @functools.cached_property
    def _masks(self) -> _Masks:
        return _Masks(self)

    def scopes(self, wrong: int) -> dict[Scope, int]:
        """Every scope that holds one of the wrong pairs, and its mask.

        Of scopes with the same mask only the shortest description is kept.
        """
        hit = [pair for i, pair in enumerate(self.pairs) if wrong >> i & 1]
        known = tuple({e.name: e for pair in self.pairs for e in pair}.values())
        sources = self._weightiest(wrong, sides((s for s, _ in hit), known))
        destinations = self._weightiest(wrong, sides((d for _, d in hit), known))
        best: dict[int, Scope] = {}
        for scope in candidates(sources, destinations, nodes=len(self.nodes)):
            mask = self.mask(scope)
            if mask & wrong and (mask not in best or scope.cost < best[mask].cost):
                best[mask] = scope
        return {scope: mask for mask, scope in best.items()}

    def _weightiest(self, wrong: int, found: Sequence[Side]) -> Sequence[Side]:
        if len(found) <= MOST_SIDES:
            return found
        held = {side: self.mask(Scope(side, both_ways=True)) & wrong for side in found}
        return sorted(found, key=lambda side: -held[side].bit_count())[:MOST_SIDES]

    def lonely(self, scope: Scope) -> tuple[str, ...]:
        """What a scope of a node cannot tell apart from that node: its only endpoint."""
        named = (s for s in (scope.source, scope.destination) if s.kind is SideKind.NODE)
        found = (self.endpoints(side.name) for side in named)
        return tuple(names[0] for names in found if len(names) == 1)


class _Masks:
    """Masks of sides and relations, each computed once."""

    def __init__(self, field: BitField) -> None:
        self._pairs = field.pairs
        self._sources: dict[Side, int] = {}
        self._destinations: dict[Side, int] = {}
        self._relations = {r: self._where(r.holds) for r in Relation}

    def of(self, scope: Scope) -> int:
        mask = self._from(scope.source) & self._to(scope.destination)
        if scope.both_ways:
            mask |= self._from(scope.destination) & self._to(scope.source)
        return mask & self._relations[scope.relation]

    def _from(self, side: Side) -> int:
        if side not in self._sources:
            self._sources[side] = self._where(lambda source, _: side.admits(source))
        return self._sources[side]

    def _to(self, side: Side) -> int:
        if side not in self._destinations:
            self._destinations[side] = self._where(lambda _, there: side.admits(there))
        return self._destinations[side]

    def _where(self, admits: Callable[[Endpoint, Endpoint], bool]) -> int:
        bits = ("01"[admits(*pair)] for pair in reversed(self._pairs))
        return int("".join(bits) or "0", 2)
