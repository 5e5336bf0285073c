"""Merged matrices: what the tests of a run measured side by side, as one matrix to diagnose.

A test asks about one family, one protocol or one kind of pair; its twins ask about the others. What
one cause does to all of them is one pattern only in the matrix of all of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from sixproof.model import (
    Disagreement,
    Edge,
    Endpoint,
    EndpointKind,
    Expectation,
    Family,
    Matrix,
    MatrixKind,
    Observation,
    edge_of,
)
from sixproof.reporting.results.matrices.measured import Measured

_CONTRADICTION = 4
"""Cells wrong in both that outweigh one that is wrong in only one of two matrices."""

Key = tuple[Family, Edge]


@dataclasses.dataclass(frozen=True)
class Merged:
    """Matrices that agree, made one. A cell is wrong where it is wrong in any of them; `mixed` are
    those that were right in another one. `through` says whether its flows run through services."""

    matrix: Matrix
    wrong: tuple[Disagreement, ...]
    members: tuple[Measured, ...]
    mixed: frozenset[Key]
    ends: tuple[Endpoint, ...]
    through: bool


def merged(measured: Iterable[Measured]) -> tuple[Merged, ...]:
    """As few matrices as stay true, of those with wrong cells and what was right beside them.

    Two matrices are not merged where they expect different things of a flow, know different
    endpoints by one name, or disagree about what fails: then they asked different questions (such
    as payloads of 1 byte and of 64 KiB), or the fault came and went.
    """
    judged = [s for m in measured if m.expected is not None for s in _sheets(m)]
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


def behind(endpoint: Endpoint) -> bool:
    """Whether others answer behind an endpoint: a service, a HostPort. Which of them it was, and so
    which way a flow took, is another draw each time."""
    return endpoint.kind in (EndpointKind.SERVICE, EndpointKind.NODE)


@dataclasses.dataclass(frozen=True)
class _Sheet:
    """Cells of one matrix, all of them to endpoints or all of them through services, and which of
    them are wrong."""

    measured: Measured
    through: bool
    cells: dict[Key, tuple[Observation, Expectation]]
    wrong: frozenset[Key]
    ends: dict[str, Endpoint]

    @property
    def of(self) -> MatrixKind:
        """What its cells are."""
        return self.measured.matrix.kind


def _sheets(measured: Measured) -> Iterator[_Sheet]:
    expected = measured.expected or {}
    for through in (False, True):
        seen = {
            key: o
            for key, o in measured.matrix.cells.items()
            if behind(o.flow.destination) is through
        }
        if seen:
            yield _Sheet(
                measured,
                through,
                {key: (o, expected[key]) for key, o in seen.items()},
                frozenset(k for k, o in seen.items() if o.outcome not in expected[k].outcomes),
                {e.name: e for o in seen.values() for e in (o.flow.source, o.flow.destination)},
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
        """Whether it asks the same questions and got the same answers, so far as they are one's to
        give: through a service the next connection may end elsewhere."""
        if self._sheets and self._sheets[0].of is not sheet.of:
            return False
        if self._sheets and self._sheets[0].through is not sheet.through:
            return False
        if any(_differ(self._ends[n], sheet.ends[n]) for n in self._ends.keys() & sheet.ends):
            return False
        shared = self._cells.keys() & sheet.cells.keys()
        if any(self._cells[k][1].outcomes != sheet.cells[k][1].outcomes for k in shared):
            return False
        both = len(self._wrong & sheet.wrong)
        one = sum(self._measured(key, sheet) for key in (self._wrong ^ sheet.wrong) & shared)
        return sheet.through or one * _CONTRADICTION <= both

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
        matrix = dataclasses.replace(members[0].matrix, cells=cells)
        wrong = matrix.disagreements({key: wanted for key, (_, wanted) in self._cells.items()})
        return Merged(
            matrix,
            wrong,
            members,
            frozenset(self._mixed),
            tuple(self._ends.values()),
            self._sheets[0].through,
        )


def _differ(one: Endpoint, other: Endpoint) -> bool:
    """Whether they are not the same endpoint; a matrix may know it by one of its families only."""
    both = one.families() & other.families()
    return not both or any(one.address(f) != other.address(f) for f in both)


def _rank(seen: Observation, wrong: bool) -> int:
    """What is wrong takes precedence over what was not measured, and that over what is right."""
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
