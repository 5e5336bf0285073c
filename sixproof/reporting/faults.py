"""Faults: the patterns of a whole run, one cause told once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from sixproof.model import Disagreement, edge_of
from sixproof.reporting.category import Category
from sixproof.reporting.diagnosis import diagnose
from sixproof.reporting.grid import Standing
from sixproof.reporting.measured import Measured
from sixproof.reporting.merged import merged, showing
from sixproof.reporting.pattern import Pattern
from sixproof.reporting.results import Results

_TITLES = 3
"""Matrices that a sentence names."""


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """A place that fails, and every matrix that shows it, those with most of its cells first.

    `mixed` counts its cells that were as expected in another matrix.
    """

    pattern: Pattern
    shown_by: tuple[Measured, ...]
    mixed: int = 0

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
        if not self.mixed:
            return self.pattern.contrasts
        return (*self.pattern.contrasts, f"{self.mixed} of its cells worked in another test")

    @property
    def sentence(self) -> str:
        """The diagnosis, and which tests show it."""
        return f"{'; '.join((self.pattern.fact, *self.contrasts))} [{self.where_seen}]"

    @property
    def measured(self) -> bool:
        """Whether this is about the network."""
        return self.pattern.standing is not Standing.UNKNOWN

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes of failure."""
        return self.pattern.categories


def faults(results: Results) -> tuple[Fault, ...]:
    """The faults of a run, those that most tests show first, what was not measured last; what a
    cluster is known not to do is none.

    Matrices that agree are diagnosed as one, so that a cause that many tests meet is one fault.
    """
    found: list[_Found] = []
    for group in merged(results.telling()):
        for pattern in diagnose(group.matrix, group.wrong):
            keys = {_key(cell) for cell in pattern.cells}
            members = showing(group.members, pattern.cells)
            found.append(_Found(pattern, members, len(keys & group.mixed)))
    return tuple(sorted((f.fault() for f in _distinct(found)), key=_order))


def chosen(results: Results, found: Sequence[Fault], limit: int) -> tuple[Measured, ...]:
    """The matrices worth a reader's time: one a fault, then the others of the headline.

    A matrix that shows a fault already shown would tell nothing new.
    """
    worst = [fault.worst for fault in found]
    calm = [m for m in results.matrices if m.headline and not m.disagreements()]
    distinct = {id(m): m for m in (*worst, *calm)}
    return tuple(distinct.values())[:limit]


@dataclasses.dataclass(slots=True)
class _Found:
    """A pattern on its way to a fault; others of the same cause are told with it."""

    pattern: Pattern
    members: tuple[Measured, ...]
    mixed: int

    def explains(self, other: Pattern) -> bool:
        """Whether the same fault would make the other pattern: it is the same one, or it lies
        within this place, and what was to be refused or to be told apart could not even arrive."""
        mine = self.pattern
        if mine.scope is None or mine.standing is not Standing.BLOCKED:
            return _told_alike(mine) == _told_alike(other)
        if other.standing not in (Standing.BLOCKED, Standing.OTHER):
            return False
        return (
            set(other.families) <= set(mine.families)
            and set(other.outcomes) <= set(mine.outcomes)
            and _protocols(other.cells) <= _protocols(mine.cells)
            and all(
                mine.scope.holds(c.observation.flow.source, c.observation.flow.destination)
                for c in other.cells
            )
        )

    def take(self, other: _Found) -> None:
        """Tell the other one here."""
        self.members = tuple({id(m): m for m in (*self.members, *other.members)}.values())

    def fault(self) -> Fault:
        """The fault."""
        return Fault(self.pattern, self.members, self.mixed)


def _distinct(found: Iterable[_Found]) -> list[_Found]:
    """The patterns, each of which no larger one explains."""
    kept: list[_Found] = []
    for one in sorted(found, key=lambda f: -len(f.pattern.cells)):
        cause = next((k for k in kept if k.explains(one.pattern)), None)
        if cause is None:
            kept.append(one)
        else:
            cause.take(one)
    return kept


def _told_alike(pattern: Pattern) -> tuple[object, ...]:
    reason = pattern.cells[0].observation.reason if pattern.scope is None else ""
    return pattern.standing, pattern.families, pattern.where, pattern.lanes, reason


def _protocols(cells: Iterable[Disagreement]) -> set[str]:
    return {cell.observation.flow.protocol.value for cell in cells}


def _key(cell: Disagreement) -> tuple[object, ...]:
    return cell.observation.flow.family, edge_of(cell.observation.flow)


def _order(fault: Fault) -> tuple[bool, int, int]:
    return not fault.measured, -fault.tests, -len(fault.pattern.cells)
