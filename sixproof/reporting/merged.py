"""Merged matrices: what the tests of a run measured side by side, as one matrix to diagnose.

A test asks about one family, one protocol or one kind of pair; its twins ask about the others. What
one cause does to all of them is one pattern only in the matrix of all of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from sixproof.model import (
    Disagreement,
    Edge,
    Endpoint,
    Expectation,
    Family,
    Matrix,
    Observation,
    edge_of,
)
from sixproof.reporting.measured import Measured

_CONTRADICTION = 4
"""Cells wrong in both that stand against one that is wrong in one of two matrices only."""

Key = tuple[Family, Edge]


@dataclasses.dataclass(frozen=True)
class Merged:
    """Matrices that agree, made one. A cell is wrong where it is wrong in any of them; `mixed` are
    those that were right in another one."""

    matrix: Matrix
    wrong: tuple[Disagreement, ...]
    members: tuple[Measured, ...]
    mixed: frozenset[Key] = frozenset()


def merged(measured: Iterable[Measured]) -> tuple[Merged, ...]:
    """As few matrices as tell no lie, of those with wrong cells and what was right beside them.

    Two matrices are not merged where they expect different things of a flow, know different
    endpoints by one name, or disagree about what fails: then they asked different questions (such
    as payloads of 1 byte and of 64 KiB), or the fault came and went.
    """
    judged = [_Sheet.of(m) for m in measured if m.expected is not None]
    wrong = sorted((s for s in judged if s.wrong), key=lambda s: -len(s.wrong))
    groups: list[_Group] = []
    for sheet in wrong:
        group = next((g for g in groups if g.takes(sheet)), None)
        if group is None:
            group = _Group()
            groups.append(group)
        group.add(sheet)
    for group in groups:
        for sheet in judged:
            if not sheet.wrong and group.touches(sheet) and group.takes(sheet):
                group.add(sheet)
    return tuple(group.merged() for group in groups)


@dataclasses.dataclass(frozen=True)
class _Sheet:
    """One matrix, and which of its cells are wrong."""

    measured: Measured
    cells: dict[Key, tuple[Observation, Expectation]]
    wrong: frozenset[Key]
    ends: dict[str, Endpoint]

    @classmethod
    def of(cls, measured: Measured) -> _Sheet:
        expected = measured.expected or {}
        seen = measured.matrix.cells
        flows = [o.flow for o in seen.values()]
        return cls(
            measured,
            {key: (o, expected[key]) for key, o in seen.items()},
            frozenset(k for k, o in seen.items() if o.outcome not in expected[k].outcomes),
            {e.name: e for f in flows for e in (f.source, f.destination)},
        )


class _Group:
    """Sheets that agree, on their way into one matrix."""

    def __init__(self) -> None:
        self._sheets: list[_Sheet] = []
        self._cells: dict[Key, tuple[Observation, Expectation]] = {}
        self._wrong: set[Key] = set()
        self._mixed: set[Key] = set()
        self._ends: dict[str, Endpoint] = {}

    def touches(self, sheet: _Sheet) -> bool:
        """Whether it has an endpoint in common with this group."""
        return not self._ends.keys().isdisjoint(sheet.ends)

    def takes(self, sheet: _Sheet) -> bool:
        """Whether it asks the same questions and got the same answers."""
        for name in self._ends.keys() & sheet.ends.keys():
            if self._ends[name].addresses != sheet.ends[name].addresses:
                return False
        shared = self._cells.keys() & sheet.cells.keys()
        if any(self._cells[k][1].outcomes != sheet.cells[k][1].outcomes for k in shared):
            return False
        both = len(self._wrong & sheet.wrong)
        one = sum(self._measured(key, sheet) for key in (self._wrong ^ sheet.wrong) & shared)
        return one * _CONTRADICTION <= both

    def _measured(self, key: Key, sheet: _Sheet) -> bool:
        """Whether both saw something of a cell; what was not measured contradicts nothing."""
        return self._cells[key][0].outcome.measured and sheet.cells[key][0].outcome.measured

    def add(self, sheet: _Sheet) -> None:
        """Take it in."""
        self._sheets.append(sheet)
        self._ends |= sheet.ends
        for key, cell in sheet.cells.items():
            known = self._cells.get(key)
            if known is None:
                self._cells[key] = cell
                continue
            if (key in sheet.wrong) is not (key in self._wrong) and self._measured(key, sheet):
                self._mixed.add(key)
            if _rank(cell[0], key in sheet.wrong) > _rank(known[0], key in self._wrong):
                self._cells[key] = cell
        self._wrong |= sheet.wrong

    def merged(self) -> Merged:
        """The one matrix; it is called as its first member is, which has most wrong cells."""
        members = tuple(sheet.measured for sheet in self._sheets)
        cells = {key: seen for key, (seen, _) in self._cells.items()}
        matrix = Matrix(members[0].matrix.title, cells)
        wrong = matrix.disagreements({key: wanted for key, (_, wanted) in self._cells.items()})
        return Merged(matrix, wrong, members, frozenset(self._mixed))


def _rank(seen: Observation, wrong: bool) -> int:
    """What is wrong is told before what was not measured, and that before what is right."""
    return int(wrong) + int(wrong and seen.outcome.measured)


def showing(group: Sequence[Measured], cells: Iterable[Disagreement]) -> tuple[Measured, ...]:
    """The matrices in which one of these cells is wrong, those with most of them first."""
    keys = {(c.observation.flow.family, edge_of(c.observation.flow)) for c in cells}
    counts = {index: _hits(measured, keys) for index, measured in enumerate(group)}
    order = sorted((i for i, hits in counts.items() if hits), key=lambda i: -counts[i])
    return tuple(group[i] for i in order)


def _hits(measured: Measured, keys: set[Key]) -> int:
    expected = measured.expected or {}
    cells = measured.matrix.cells
    return sum(cells[key].outcome not in expected[key].outcomes for key in keys & cells.keys())
