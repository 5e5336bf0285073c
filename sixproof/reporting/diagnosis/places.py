"""Diagnosis: which places of a matrix explain its wrong cells.

For each family and kind of fault, scopes are taken greedily: the one that explains most wrong cells
while few cells contradict it, of equals the tightest, of those the shortest said. A cell that was
rightly denied does not contradict a blocked flow, and the other way round.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from sixproof.model import Disagreement, Endpoint, EndpointKind, Family, Matrix, MatrixKind, edge_of
from sixproof.reporting.diagnosis.bit_field import BitField
from sixproof.reporting.diagnosis.contrast import contrasted
from sixproof.reporting.diagnosis.pattern import Pattern, said_list, said_ports, said_scattered
from sixproof.reporting.diagnosis.scope import Scope
from sixproof.reporting.matrix.grid import CellState, state_of

_CONTRADICTION = 2
"""What one contradicting cell costs, in explained ones."""
_MOST = 6
"""Patterns of one family and kind; a reader follows no more."""
_WEAK = 3
"""Patterns whose description says more than their cells show; with more of them it is chance."""


def diagnose(matrix: Matrix, disagreements: Iterable[Disagreement]) -> tuple[Pattern, ...]:
    """The patterns behind the disagreements, the largest first, what was not measured last.

    Every disagreement is in exactly one pattern. Cells of the matrix that are not among the
    disagreements count as right.
    """
    return tuple(of_pods(pattern, pattern.cells) for pattern in patterns(matrix, disagreements))


def patterns(matrix: Matrix, disagreements: Iterable[Disagreement]) -> tuple[Pattern, ...]:
    """The same, with places as their scopes say them, whatever ends their flows have: a node where
    only its pods fail (`of_pods` says it in words)."""
    wrong = tuple(disagreements)
    fields = {family: BitField.of(matrix, family) for family in matrix.families()}
    states = {(d.observation.flow.family, edge_of(d.observation.flow)): _state(d) for d in wrong}
    found: list[Pattern] = []
    for family, field in fields.items():
        here = [d for d in wrong if d.observation.flow.family is family]
        for state in (CellState.LEAK, CellState.BLOCKED, CellState.OTHER):
            cells = [d for d in here if _state(d) is state]
            found += _Explanation(field, state, cells, here).patterns()
        found += unmeasured(family, [d for d in here if _state(d) is CellState.UNKNOWN])
    called = (_called(pattern, matrix.kind) for pattern in _joined(found))
    with_contrasts = [contrasted(pattern, fields, states) for pattern in called]
    return tuple(
        sorted(with_contrasts, key=lambda p: (p.state is CellState.UNKNOWN, -len(p.cells)))
    )


def _called(pattern: Pattern, kind: MatrixKind) -> Pattern:
    """The pattern of such a matrix. In a matrix of something other than flows, a node with only one
    server is named by that server: "to coredns-x on worker2"."""
    servers = {(end := d.observation.flow.destination).name: end for d in pattern.cells}
    where = pattern.where
    if kind is not MatrixKind.FLOWS and len(servers) == 1:
        (server,) = servers.values()
        if server.node:
            where = where.replace(f"to node {server.node}", f"to {server.called}", 1)
    return dataclasses.replace(pattern, kind=kind, where=where)


def of_pods(pattern: Pattern, cells: Iterable[Disagreement]) -> Pattern:
    """The pattern with "pods on worker" instead of "node worker", where no other endpoint of that
    node is among the ends of these cells, all that are reported in that place."""
    kinds: dict[str, set[EndpointKind]] = {}
    for cell in cells:
        for end in (cell.observation.flow.source, cell.observation.flow.destination):
            kinds.setdefault(end.node, set()).add(end.kind)
    names = [n for n, found in kinds.items() if n and found == {EndpointKind.POD}]
    if not names:
        return pattern
    known = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    of_a_node = re.compile(rf"\b(from|to|between|and) node ({known})(?![\w.-])")

    def worded(text: str) -> str:
        return of_a_node.sub(r"\1 pods on \2", text)

    contrasts = tuple(map(worded, pattern.contrasts))
    return dataclasses.replace(pattern, where=worded(pattern.where), contrasts=contrasts)


def _state(disagreement: Disagreement) -> CellState:
    return state_of(disagreement.observation.outcome, disagreement.expected)


class _Explanation:
    """The wrong cells of one family and kind, on their way into patterns."""

    def __init__(
        self,
        field: BitField,
        state: CellState,
        cells: Sequence[Disagreement],
        wrong: Sequence[Disagreement],
    ) -> None:
        self._field = field
        self._state = state
        self._left = {edge_of(d.observation.flow): d for d in cells}
        self._hit = field.marked(self._left)
        bad = {edge_of(d.observation.flow) for d in wrong}
        must_work = state is CellState.BLOCKED
        right = [e for e, o in field.cells.items() if e not in bad and o.outcome.measured]
        works = [e for e in right if field.cells[e].outcome.works]
        denied = [e for e in right if not field.cells[e].outcome.works]
        self._against = field.marked(works if must_work else denied)
        self._spared = field.marked(denied if must_work else works)

    def patterns(self) -> list[Pattern]:
        """The patterns; what has no common place is one scattered pattern."""
        every = dict(self._left)
        found: list[Pattern] = []
        while self._left and len(found) < _MOST:
            found.append(self._next())
        weak = [p for p in found if p.weak]
        if len(weak) > _WEAK:
            found = [p for p in found if p not in weak]
            self._left |= {edge_of(d.observation.flow): d for p in weak for d in p.cells}
        if len(self._left) > len(every) / 2:
            found, self._left = [], every
        if self._left:
            found.append(self._scattered())
        return found

    def _next(self) -> Pattern:
        """The pattern that explains most of what is left; takes its cells away."""
        hits = self._field.marked(self._left)
        somewhere = 0
        for mask in hits.values():
            somewhere |= mask
        choices = self._field.scopes(somewhere)

        def merit(scope: Scope) -> tuple[int, int, int]:
            mask = choices[scope]
            gains = (self._gain(mask, hits, port_spec) for port_spec in self._field.port_specs)
            return sum(g for g in gains if g > 0), -mask.bit_count(), -scope.cost

        scope = max(choices, key=merit)
        mask = choices[scope]
        port_specs = tuple(
            port_spec
            for port_spec in self._field.port_specs
            if self._gain(mask, hits, port_spec) > 0
        )
        edges = [edge_of(o.flow) for o in self._field.inside(mask, port_specs)]
        cells = tuple(self._left.pop(edge) for edge in edges if edge in self._left)
        return Pattern(
            families=(self._field.family,),
            state=self._state,
            where=str(scope),
            port_specs=said_ports(port_specs, self._exposed(mask), (self._field.family,)),
            cells=cells,
            total=len(cells) + _count(self._against, mask, port_specs),
            spared=_count(self._spared, mask, port_specs),
            scope=scope,
            edge_ports=port_specs,
        )

    def _exposed(self, mask: int) -> tuple[str, ...]:
        """The ports in which such a fault could have hit a pair of the mask."""
        return tuple(
            port_spec
            for port_spec in self._field.port_specs
            if mask & (self._hit[port_spec] | self._against[port_spec])
        )

    def _gain(self, mask: int, hits: Mapping[str, int], port_spec: str) -> int:
        contradicted = (mask & self._against[port_spec]).bit_count()
        return (mask & hits[port_spec]).bit_count() - _CONTRADICTION * contradicted

    def _scattered(self) -> Pattern:
        cells = tuple(self._left.values())
        everywhere = self._field.mask(Scope())
        return Pattern(
            families=(self._field.family,),
            state=self._state,
            where=said_scattered(cells),
            port_specs=(),
            cells=cells,
            total=len(cells) + _count(self._against, everywhere, self._field.port_specs),
        )


def _count(masks: Mapping[str, int], mask: int, port_specs: Iterable[str]) -> int:
    return sum((masks[port_spec] & mask).bit_count() for port_spec in port_specs)


def _joined(patterns: Iterable[Pattern]) -> list[Pattern]:
    """The patterns, those that both families share made one."""
    found: dict[tuple[object, ...], Pattern] = {}
    for pattern in patterns:
        key = (
            pattern.state,
            pattern.where,
            pattern.scope,
            pattern.edge_ports,
            pattern.families if pattern.scattered else (),
            _reason(pattern),
        )
        found[key] = _merged(found[key], pattern) if key in found else pattern
    return list(found.values())


def _merged(one: Pattern, other: Pattern) -> Pattern:
    families = one.families + other.families
    port_specs = tuple(dict.fromkeys(one.port_specs + other.port_specs))
    return dataclasses.replace(
        one,
        families=families,
        port_specs=port_specs,
        cells=one.cells + other.cells,
        total=one.total + other.total,
        spared=one.spared + other.spared,
    )


def _reason(pattern: Pattern) -> str:
    unknown = pattern.state is CellState.UNKNOWN
    return pattern.cells[0].observation.reason if unknown else ""


_STALLED = "stalled"
_NAMED = 4
"""Agents named one by one; of more only the number is said."""


def unmeasured(family: Family, cells: Sequence[Disagreement]) -> list[Pattern]:
    """One pattern per reason, with the agents that it concerns. Agents that were too busy are one
    reason, for however long each was; the longest comes first."""
    reasons: dict[str, list[Disagreement]] = {}
    for cell in sorted(cells, key=lambda c: c.observation.stalled, reverse=True):
        reason = _STALLED if cell.observation.stalled else cell.observation.reason
        reasons.setdefault(reason, []).append(cell)
    return [
        Pattern(
            families=(family,),
            state=CellState.UNKNOWN,
            where=_agents(group),
            port_specs=(),
            cells=tuple(group),
            total=len(group),
        )
        for group in reasons.values()
    ]


def _agents(cells: Sequence[Disagreement]) -> str:
    """The agents that all cells have in common: the asking ones, or the one asked."""
    sources = list(
        {c.observation.flow.source.name: c.observation.flow.source for c in cells}.values()
    )
    destinations = {c.observation.flow.destination.called for c in cells}
    if len(sources) > 1 and len(destinations) == 1:
        return f"agent of {destinations.pop()}"
    if len(sources) == 1:
        return f"agent of {sources[0].called}"
    return _together(sources)


def _together(agents: Sequence[Endpoint]) -> str:
    nodes = {agent.node for agent in agents}
    if len(nodes) == 1 and nodes != {""}:
        node = nodes.pop()
        names = [agent.name.removesuffix(f"@{node}") for agent in agents]
        return f"agents on node {node}: {said_list(names[:_NAMED])}"
    names = [agent.called for agent in agents]
    if len(names) > _NAMED:
        return f"{len(names)} agents: {', '.join(names[:_NAMED])} and others"
    return f"agents of {said_list(names)}"
