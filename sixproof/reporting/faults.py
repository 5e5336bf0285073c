"""Faults: the patterns of all matrices of a run, the same one told once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from sixproof.reporting.category import Category
from sixproof.reporting.diagnosis import diagnose
from sixproof.reporting.grid import Standing
from sixproof.reporting.measured import Measured
from sixproof.reporting.pattern import Pattern
from sixproof.reporting.results import Results


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """A place that fails, and every matrix that shows it.

    `pattern` is the one with most cells, `worst` the matrix that it comes from.
    """

    pattern: Pattern
    worst: Measured
    seen_in: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The diagnosis, and where else it shows."""
        if len(self.seen_in) == 1:
            return f"{self.pattern.sentence} [{self.seen_in[0]}]"
        others = len(self.seen_in) - 1
        return f"{self.pattern.sentence} [{self.seen_in[0]} and {others} more]"

    @property
    def measured(self) -> bool:
        """Whether this is about the network."""
        return self.pattern.standing is not Standing.UNKNOWN

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes of failure."""
        return self.pattern.categories


def faults(results: Results) -> tuple[Fault, ...]:
    """The faults of a run, those that most matrices show first, what was not measured last; what a
    cluster is known not to do is none."""
    found: dict[tuple[object, ...], list[tuple[Pattern, Measured]]] = {}
    for measured in results.telling():
        for pattern in diagnose(measured.matrix, measured.disagreements()):
            reason = pattern.cells[0].observation.reason if pattern.scope is None else ""
            key = (pattern.standing, pattern.families, pattern.where, pattern.lanes, reason)
            found.setdefault(key, []).append((pattern, measured))
    return tuple(sorted((_told(group) for group in found.values()), key=_order))


def chosen(results: Results, found: Sequence[Fault], limit: int) -> tuple[Measured, ...]:
    """The matrices worth a reader's time: one a fault, then the others of the headline.

    A matrix that shows a fault already shown would tell nothing new.
    """
    worst = [fault.worst for fault in found]
    calm = [m for m in results.matrices if m.headline and not m.disagreements()]
    distinct = {id(m): m for m in (*worst, *calm)}
    return tuple(distinct.values())[:limit]


def _told(group: Sequence[tuple[Pattern, Measured]]) -> Fault:
    pattern, worst = max(group, key=lambda pair: len(pair[0].cells))
    return Fault(pattern, worst, tuple(dict.fromkeys(m.matrix.title for _, m in group)))


def _order(fault: Fault) -> tuple[bool, int, int]:
    return not fault.measured, -len(fault.seen_in), -len(fault.pattern.cells)
