"""Faults: the patterns of a whole run, each cause reported once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from sixproof.model import Disagreement, Endpoint, EndpointKind, Flow, MatrixKind, Outcome, edge_of
from sixproof.reporting.diagnosis.category import Category
from sixproof.reporting.diagnosis.merged import behind, merged, showing
from sixproof.reporting.diagnosis.pattern import Pattern, scattered_together
from sixproof.reporting.diagnosis.places import of_pods, patterns
from sixproof.reporting.diagnosis.scope import Relation, Side
from sixproof.reporting.matrix.grid import CellState
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results

_WIDE = 12
"""Ports, or questions, of a matrix that a page has room for."""
_TITLES = 3
"""Matrices that a sentence names."""


@dataclasses.dataclass(frozen=True, slots=True)
class FailingPlace:
    """A place that fails, and every matrix that shows it, those with most of its cells first.

    `mixed` counts its cells that were as expected in another matrix; `services` says that flows
    through services fail that may run in this place.
    """

    pattern: Pattern
    shown_by: tuple[Measured, ...]
    mixed: int = 0
    services: bool = False

    @property
    def worst(self) -> Measured:
        """The matrix that shows most of it."""
        return self.shown_by[0]

    @property
    def seen_in(self) -> tuple[str, ...]:
        """The titles of these matrices."""
        return tuple(dict.fromkeys(m.matrix.title for m in self.shown_by))

    @property
    def tests(self) -> int:
        """How many tests show it."""
        return len({m.test for m in self.shown_by})

    @property
    def where_seen(self) -> str:
        """Which tests show it: ``seen in 9 tests: full mesh, node to pod ...``."""
        many = "1 test" if self.tests == 1 else f"{self.tests} tests"
        more = " ..." if len(self.seen_in) > _TITLES else ""
        return f"seen in {many}: {', '.join(self.seen_in[:_TITLES])}{more}"

    @property
    def contrasts(self) -> tuple[str, ...]:
        """What works beside it, and what of it worked at another time."""
        said = (
            "flows to services fail too if the backend is in this place" if self.services else "",
            f"{self.mixed} of its cells worked in another test" if self.mixed else "",
        )
        return (*self.pattern.contrasts, *filter(None, said))

    @property
    def sentence(self) -> str:
        """The diagnosis, and which tests show it."""
        return f"{'; '.join((self.pattern.fact, *self.contrasts))} [{self.where_seen}]"

    @property
    def measured(self) -> bool:
        """Whether this is about the network."""
        return self.pattern.state is not CellState.UNKNOWN

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes of failure."""
        return self.pattern.categories


def faults(results: Results) -> tuple[FailingPlace, ...]:
    """The faults of a run, those that most tests show first, what was not measured last; what a
    cluster is known not to do is none.

    Matrices that agree are diagnosed as one, so that a cause that hits many tests is one fault.
    """
    found: list[_Found] = []
    for group in merged(results.unexcused()):
        for pattern in patterns(group.matrix, group.wrong):
            keys = {_key(cell) for cell in pattern.cells}
            members = showing(group.members, pattern.cells)
            mixed = 0 if group.through else len(keys & group.mixed)
            found_pattern = _to_services(pattern) if group.through else pattern
            found.append(_Found(found_pattern, members, mixed, group.ends))
    return tuple(sorted((f.fault() for f in _distinct(_gathered(found))), key=_order))


def chosen(results: Results, found: Sequence[FailingPlace], limit: int) -> tuple[Measured, ...]:
    """The matrices worth a reader's time: one per fault, then the others of the headline.

    A matrix whose fault is already shown adds nothing; one of many questions is too wide to draw.
    """
    worst = [fault.worst for fault in found if len(fault.worst.matrix.port_specs()) <= _WIDE]
    calm = [m for m in results.matrices if m.headline and not m.disagreements()]
    distinct = {id(m): m for m in (*worst, *calm)}
    return tuple(distinct.values())[:limit]


@dataclasses.dataclass(slots=True)
class _Found:
    """A pattern on its way to a fault; others of the same cause are reported with it."""

    pattern: Pattern
    members: tuple[Measured, ...]
    mixed: int
    ends: tuple[Endpoint, ...]
    services: bool = False
    taken: tuple[Disagreement, ...] = ()

    def explains(self, other: Pattern) -> bool:
        """Whether the same fault would make the other pattern: it is the same one, or it lies
        within this place, and what was to be refused or told apart could not even arrive."""
        mine = self.pattern
        if mine.kind not in (other.kind, MatrixKind.FLOWS):
            return False
        if mine.scope is None or mine.state is not CellState.BLOCKED:
            return _same(mine, other)
        silent = _silent_where_refused(other)
        if other.state not in (CellState.BLOCKED, CellState.OTHER) and not silent:
            return False
        return (
            set(other.families) <= set(mine.families)
            and (silent or set(other.outcomes) <= set(mine.outcomes))
            and _protocols(other.cells) <= _protocols(mine.cells)
            and all(self._hits(c.observation.flow) for c in other.cells)
        )

    def _hits(self, flow: Flow) -> bool:
        """Whether a flow runs in this place; one through a service may, where a pod behind it does:
        it leaves from its client, or from the node at which it came in."""
        scope = self.pattern.scope
        if scope is None or behind(flow.source):
            return False
        if not behind(flow.destination):
            return scope.holds(flow.source, flow.destination)
        pods = [e for e in self.ends if e.kind is EndpointKind.POD]
        frontends = [e for e in self.ends if e.node and e.node == flow.destination.node]
        ways = [(start, pod) for start in (flow.source, *frontends) for pod in pods]
        return any(scope.holds(*way) for way in (*ways, *((flow.source, d) for d in frontends)))

    def take(self, other: _Found) -> None:
        """Report the other one here."""
        through = _through(other.pattern) and not _through(self.pattern)
        self.services |= through
        if not through:
            self.taken += other.pattern.cells
        self.members = tuple({id(m): m for m in (*self.members, *other.members)}.values())

    def fault(self) -> FailingPlace:
        """The fault, its place in the words that hold for all that is reported with it."""
        pattern = of_pods(self.pattern, (*self.pattern.cells, *self.taken))
        return FailingPlace(pattern, self.members, self.mixed, self.services)


def _silent_where_refused(pattern: Pattern) -> bool:
    """Whether expected refusals did not come: by itself such a silence proves nothing."""
    return all(
        cell.expected.outcomes == {Outcome.REFUSED}
        and not cell.observation.outcome.measured
        and cell.observation.attempts
        for cell in pattern.cells
    )


def _to_services(pattern: Pattern) -> Pattern:
    """Where every flow runs through a service, "from node worker" means no other flow; services
    that are all dialled at nodes are NodePorts."""
    scope = pattern.scope
    if scope is None or scope.destination != Side() or scope.relation is not Relation.ANY:
        return pattern
    ends = [cell.observation.flow.destination for cell in pattern.cells]
    at_nodes = all(end.kind is EndpointKind.SERVICE and end.node for end in ends)
    where = f"{pattern.where} to {'NodePorts' if at_nodes else 'services'}"
    return dataclasses.replace(pattern, where=where.strip())


def _gathered(found: Iterable[_Found]) -> list[_Found]:
    """The patterns; those in no common place are one per family, since each test loses others, and
    take in what a small matrix shows of such a loss: a single cell is always in one place."""
    every = list(found)
    loose: dict[tuple[object, ...], list[_Found]] = {
        _kind(one.pattern): [] for one in every if one.pattern.scattered
    }
    kept: list[_Found] = []
    for one in every:
        if _kind(one.pattern) in loose and (one.pattern.scattered or one.pattern.weak):
            loose[_kind(one.pattern)].append(one)
        else:
            kept.append(one)
    for group in loose.values():
        members = (m for one in group for m in one.members)
        group.sort(key=lambda one: not one.pattern.scattered)
        pattern = scattered_together([one.pattern for one in group])
        kept.append(_Found(pattern, tuple({id(m): m for m in members}.values()), 0, ()))
    return kept


def _kind(pattern: Pattern) -> tuple[object, ...]:
    return pattern.kind, pattern.state, pattern.families


def _distinct(found: Iterable[_Found]) -> list[_Found]:
    """The patterns, each of which no larger one explains."""
    kept: list[_Found] = []
    direct = sorted(found, key=lambda f: (_through(f.pattern), -len(f.pattern.cells)))
    for one in direct:
        cause = next((k for k in kept if k.explains(one.pattern)), None)
        if cause is None:
            kept.append(one)
        else:
            cause.take(one)
    return kept


def _through(pattern: Pattern) -> bool:
    """Whether its flows run through services: the places of others come first."""
    return all(behind(cell.observation.flow.destination) for cell in pattern.cells)


def _same(one: Pattern, other: Pattern) -> bool:
    """Whether two patterns are one: by their scopes, or where one has only pods of a node that the
    other tells from its host network."""
    worded = [_pattern_key(of_pods(p, p.cells)) for p in (one, other)]
    return _pattern_key(one) == _pattern_key(other) or worded[0] == worded[1]


def _pattern_key(pattern: Pattern) -> tuple[object, ...]:
    reason = pattern.cells[0].observation.reason if pattern.scope is None else ""
    place = (pattern.where, pattern.port_specs, reason)
    return pattern.kind, pattern.state, pattern.families, *place


def _protocols(cells: Iterable[Disagreement]) -> set[str]:
    return {cell.observation.flow.protocol.value for cell in cells}


def _key(cell: Disagreement) -> tuple[object, ...]:
    return cell.observation.flow.family, edge_of(cell.observation.flow)


def _order(fault: FailingPlace) -> tuple[bool, int, int]:
    return not fault.measured, -fault.tests, -len(fault.pattern.cells)
