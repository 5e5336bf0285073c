"""Contrasts: what works beside a pattern, which tells causes apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from sixproof.model import Edge, Family, MatrixKind, Outcome, edge_of
from sixproof.reporting.diagnosis.bit_field import BitField
from sixproof.reporting.diagnosis.pattern import (
    Pattern,
    said_families,
    said_list,
    said_ports,
    said_questions,
    said_some,
)
from sixproof.reporting.diagnosis.scope import Relation, Scope
from sixproof.reporting.matrix.grid import CellState

_PORTS = 4
"""Ports or questions that a contrast names."""
Wrong = Mapping[tuple[Family, Edge], CellState]
"""The wrong cells, and their states."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Tally:
    """Cells of a place: those that a fault of the kind spares although it could hit them."""

    good: int
    bad: int

    @property
    def all_good(self) -> bool:
        return self.good > 0 and self.bad == 0


def contrasted(pattern: Pattern, fields: Mapping[Family, BitField], wrong: Wrong) -> Pattern:
    """The pattern with what works beside it: other ports, other family, the way back, the rest."""
    if pattern.scope is None:
        return pattern
    view = _View(pattern, pattern.scope, fields, wrong)
    said = (view.only(), view.port_specs(), view.family(), view.back(), view.rest(), view.replies())
    return dataclasses.replace(pattern, contrasts=tuple(filter(None, said)))


class _View:
    """One pattern in its matrix."""

    def __init__(
        self, pattern: Pattern, scope: Scope, fields: Mapping[Family, BitField], wrong: Wrong
    ) -> None:
        self._pattern = pattern
        self._scope = scope
        self._fields = fields
        self._wrong = wrong
        self._leak = pattern.state is not CellState.BLOCKED

    def only(self) -> str:
        """What the matrix cannot tell apart from a node: the single endpoint on it."""
        names = self._fields[self._pattern.families[0]].lonely(self._scope)
        return f"{said_list(names)} is the only endpoint there" if len(names) == 1 else ""

    def port_specs(self) -> str:
        """The other ports in the same place."""
        fine = []
        field = self._fields[self._pattern.families[0]]
        others = [
            port_spec for port_spec in field.port_specs if port_spec not in self._pattern.edge_ports
        ]
        for port_spec in others:
            if self._tally(self._scope, (port_spec,), self._pattern.families).all_good:
                fine.append(port_spec)
        if not fine:
            return ""
        asked = field.asked(field.mask(self._scope))
        if self._pattern.kind is not MatrixKind.FLOWS:
            named = said_some(self._questions(fine), _PORTS)
            return f"what else was asked in the same place is right ({named})"
        words = said_some(said_ports(fine, asked, self._pattern.families), _PORTS)
        if self._leak:
            return f"{words} in the same place is denied"
        return f"{words} in the same place {'work' if len(fine) > 1 else 'works'}"

    def _questions(self, edge_ports: Iterable[str]) -> tuple[str, ...]:
        field = self._fields[self._pattern.families[0]]
        wanted = set(edge_ports)
        cells = (o.flow for edge, o in field.cells.items() if edge[2] in wanted)
        return said_questions(flow.question or flow.port_spec for flow in cells)

    def family(self) -> str:
        """The same flows over the other family."""
        if len(self._pattern.families) != 1:
            return ""
        other = self._pattern.families[0].other
        if other not in self._fields:
            return f"{other} was not measured"
        tally = self._tally(self._scope, self._pattern.edge_ports, (other,))
        if tally.all_good:
            return (
                f"the same over {other} is denied as expected" if self._leak else f"{other} works"
            )
        if tally.good:
            done = "are denied" if self._leak else "work"
            return f"over {other} {tally.good} of {tally.good + tally.bad} {done}"
        if tally.bad:
            return f"{other} is wrong there too"
        return ""

    def back(self) -> str:
        """The opposite direction, where the pattern has one."""
        reverse = self._scope.reverse()
        if reverse is None:
            return ""
        tally = self._tally(reverse, self._pattern.edge_ports, self._pattern.families)
        if not tally.all_good:
            return ""
        return "the way back is denied" if self._leak else f"{self._pattern.kind} {reverse} work"

    def rest(self) -> str:
        """Everything else in the same ports, else what lies inside the nodes."""
        if self._tally(None, self._pattern.edge_ports, self._pattern.families).all_good:
            words = said_families(self._pattern.families)
            port_specs = said_some(self._pattern.port_specs, _PORTS)
            if self._pattern.kind is not MatrixKind.FLOWS:
                return f"elsewhere the same {words} {self._pattern.kind} are right"
            said = " ".join(filter(None, ("every other", words, port_specs, "flow")))
            return f"{said} is denied as expected" if self._leak else f"{said} works"
        if self._scope.relation is Relation.ACROSS:
            inside = Scope(relation=Relation.WITHIN)
            tally = self._tally(inside, self._pattern.edge_ports, self._pattern.families)
            return "traffic inside a node works" if tally.all_good and not self._leak else ""
        return ""

    def replies(self) -> str:
        """Lost replies name the direction in which packets are lost."""
        lost = {
            (o.flow.source.node, o.flow.destination.node)
            for o in (d.observation for d in self._pattern.cells)
            if o.outcome is Outcome.REPLY_LOST and o.flow.crosses_nodes
        }
        heres, theres = {here for here, _ in lost}, {there for _, there in lost}
        if min(len(heres), len(theres)) != 1:
            return ""
        here = next(iter(heres)) if len(heres) == 1 else "other nodes"
        there = next(iter(theres)) if len(theres) == 1 else "other nodes"
        return (
            f"requests from {here} arrive on {there} and the replies are lost: "
            f"packets from {there} to {here} are lost"
        )

    def _tally(
        self, scope: Scope | None, port_specs: Iterable[str], families: Iterable[Family]
    ) -> _Tally:
        """The cells of a scope, of everything outside the pattern's own for None."""
        good = bad = 0
        for family in families:
            field = self._fields.get(family)
            if field is None:
                continue
            whole = field.mask(Scope())
            mask = whole & ~field.mask(self._scope) if scope is None else field.mask(scope)
            for cell in field.inside(mask, port_specs):
                state = self._wrong.get((family, edge_of(cell.flow)))
                if state in (self._pattern.state, CellState.UNKNOWN):
                    bad += 1
                elif state is None and cell.outcome.works is not self._leak:
                    good += 1
        return _Tally(good, bad)
