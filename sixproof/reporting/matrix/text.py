"""Matrices as text that any terminal can show: ASCII only, one letter per cell.

Small matrices name their columns; larger ones number them, draw a bar between nodes and, where
they are wider than the terminal, continue below.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from sixproof.model import Endpoint, Matrix
from sixproof.reporting.diagnosis.parity import parity_line
from sixproof.reporting.matrix.grid import Cell, CellState, Expected, Grid, Square, port_name
from sixproof.reporting.pages.styled_text import Text, Tone

TONES = {
    CellState.WORKS: Tone.GOOD,
    CellState.DENIED: Tone.QUIET,
    CellState.CLOSED: Tone.QUIET,
    CellState.BLOCKED: Tone.BAD,
    CellState.LEAK: Tone.LEAK,
    CellState.OTHER: Tone.BAD,
    CellState.FAILS: Tone.BAD,
    CellState.UNKNOWN: Tone.UNSURE,
}
_GAP = "  "
_BAR = "| "
_NODE = 16
"""How much of a node's name columns make room for; its rows say it whole."""


def matrix_lines(
    matrix: Matrix, expected: Expected | None = None, *, width: int = 100
) -> tuple[Text, ...]:
    """The matrix of every family, with a legend and the parity of its edges.

    Families that look alike share one drawing; else the worse one comes first, and of one that is
    all as expected beside it only the count. `width` is the terminal's, in columns; a
    longer line holds a single long name.
    """
    lines = [Text(matrix.title, Tone.HEAD)]
    grids = [Grid.of(matrix, family, expected) for family in matrix.families()]
    if len(grids) > 1 and len({grid.picture() for grid in grids}) == 1:
        lines += [headline(grid) for grid in grids]
        lines += [*_legend(grids[-1], width), *_body(grids[-1], width)]
    else:
        worst = max(map(_wrong, grids), default=0)
        for grid in sorted(grids, key=lambda grid: -_wrong(grid)):
            lines.append(headline(grid))
            if _wrong(grid) or not worst:
                lines += [*_legend(grid, width), *_body(grid, width)]
    if len(grids) > 1:
        lines.append(parity_line(matrix, expected))
    return tuple(lines)


def _wrong(grid: Grid) -> int:
    """How many of its cells are neither right nor left out."""
    counts = grid.counts()
    fine = (CellState.WORKS, CellState.DENIED, CellState.CLOSED)
    return counts.total() - sum(counts[state] for state in fine)


def headline(grid: Grid) -> Text:
    """The family and its count: ``IPv6: 252 of 324 cells as expected, 72 fail that must ...``."""
    counts = grid.counts()
    good = counts[CellState.WORKS] + counts[CellState.DENIED]
    said = "as expected" if any(c.expected for c in grid.cells()) else "ALLOWED"
    line = Text.assemble((grid.family, Tone.HEAD), f": {good} of {counts.total()} cells {said}")
    for state in CellState:
        if counts[state] and state not in (CellState.WORKS, CellState.DENIED):
            line.append(", ").append(f"{counts[state]} {state.counted}", TONES[state])
    return line


@dataclasses.dataclass(frozen=True, slots=True)
class _Column:
    """One column as drawn: `bar` where it starts another node's group."""

    endpoint: Endpoint
    head: str
    width: int
    bar: bool

    @property
    def taken(self) -> int:
        return len(_GAP) + self.width + (len(_BAR) if self.bar else 0)


def _body(grid: Grid, width: int) -> Iterator[Text]:
    """The grid's rows under its heads, named where that fits and numbered where not."""
    columns = _named(grid)
    labels = {row.name: row.name for row in grid.rows}
    numbered = _label_width(labels) + sum(c.taken for c in columns) > width
    if numbered:
        columns = _numbered(grid)
        if [r.name for r in grid.rows] == [c.name for c in grid.columns]:
            labels = {r.name: f"{i:>2} {r.name}" for i, r in enumerate(grid.rows, 1)}
        else:
            key = (f"{c.head} {c.endpoint.name}" for c in columns)
            yield from _wrapped("  to ", key, width)
    room = width - _label_width(labels)
    for block in _blocks(columns, room):
        if numbered and len({column.node for column in grid.columns}) > 1:
            yield Text(" " * _label_width(labels) + _node_heads(block), Tone.QUIET)
        yield from _block(grid, block, labels)


def _named(grid: Grid) -> list[_Column]:
    wide = _cell_width(grid)
    return [_Column(c, c.name, max(wide, len(c.name)), bar=False) for c in grid.columns]


def _numbered(grid: Grid) -> list[_Column]:
    """Columns under numbers, the last of each node as wide as the node's name needs."""
    wide = _cell_width(grid)
    columns: list[_Column] = []
    for node, group in groupby(enumerate(grid.columns, 1), key=lambda item: item[1].node):
        part = [
            _Column(endpoint, str(number), max(wide, len(str(number))), bar=False)
            for number, endpoint in group
        ]
        short = min(len(node), _NODE) + len(_GAP) - sum(column.taken for column in part)
        part[-1] = dataclasses.replace(part[-1], width=part[-1].width + max(0, short))
        part[0] = dataclasses.replace(part[0], bar=bool(columns))
        columns += part
    return columns


def _blocks(columns: Sequence[_Column], room: int) -> Iterator[list[_Column]]:
    """The columns in as many blocks as the room asks for, at least one column each."""
    block: list[_Column] = []
    taken = 0
    for column in columns:
        if block and taken + column.taken > room:
            yield block
            block, taken = [], 0
        block.append(dataclasses.replace(column, bar=column.bar and bool(block)))
        taken += block[-1].taken
    if block:
        yield block


def _block(grid: Grid, columns: Sequence[_Column], labels: dict[str, str]) -> Iterator[Text]:
    indent = " " * _label_width(labels)
    heads = "".join(_lead(c) + c.head.ljust(c.width) for c in columns)
    yield Text(indent + heads, Tone.QUIET)
    for row in grid.rows:
        line = Text(labels[row.name].ljust(len(indent)))
        for column in columns:
            square = _drawn(grid.square(row, column.endpoint))
            square.pad_right(column.width - len(square))
            line.append(_lead(column)).append(square)
        yield line


def _node_heads(columns: Sequence[_Column]) -> str:
    """The nodes' names over their columns, cut to their room."""
    groups: list[list[_Column]] = []
    for column in columns:
        if column.bar or not groups:
            groups.append([])
        groups[-1].append(column)
    text = ""
    for group in groups:
        room = sum(c.taken for c in group) - len(_lead(group[0]))
        name = group[0].endpoint.node or "no node"
        text += _lead(group[0]) + (name if len(name) <= room else name[: room - 1] + "~").ljust(
            room
        )
    return text


def _lead(column: _Column) -> str:
    return _GAP + _BAR if column.bar else _GAP


def _drawn(square: Square) -> Text:
    return Text.assemble(
        *(("-", Tone.QUIET) if c is None else (c.mark, TONES[c.state]) for c in square.shown())
    )


def _cell_width(grid: Grid) -> int:
    return max((len(square.shown()) for square in grid.drawn()), default=1)


def _label_width(labels: dict[str, str]) -> int:
    return max((len(label) for label in labels.values()), default=0)


def _legend(grid: Grid, width: int) -> Iterator[Text]:
    """What the marks say, and which ports a cell holds."""

    def item(cell: Cell) -> str:
        return f"{cell.mark} {cell.meaning}"

    marks = [item(cell) for cell in grid.legend()]
    if any(None in square.shown() for square in grid.drawn()):
        marks.append("- not asked")
    yield from _wrapped("  ", marks, width)
    port_specs = [port_name(port_spec, grid.family) for port_spec in grid.port_specs]
    if len(port_specs) > 1:
        spread = _cell_width(grid) > 1
        said = "  letters in a cell, in order: " if spread else "  every cell alike for: "
        if spread and any(len(square.shown()) == 1 for square in grid.drawn()):
            said = "  one letter for all, or in order: "
        yield from _wrapped(said, port_specs, width)
    if grid.undrawn:
        yield from _wrapped("  ", [grid.undrawn], width)


def _wrapped(lead: str, items: Iterable[str], width: int) -> Iterator[Text]:
    """The items behind a lead, continued below it where the line is full."""
    line = lead
    fresh = True
    for item in items:
        if not fresh and len(line) + len(item) + 3 > width:
            yield Text(line.rstrip(), Tone.QUIET)
            line, fresh = " " * len(lead), True
        line += item if fresh else f"   {item}"
        fresh = False
    yield Text(line, Tone.QUIET)
