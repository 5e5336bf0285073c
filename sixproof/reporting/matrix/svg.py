"""Matrices as SVG: one picture per family, drawn at its own size.

Allure shows a picture whole, while it puts an HTML attachment into a small window where the report
is opened from a file. Text is set in boxes that are wide enough for any monospaced font.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from sixproof.model import Endpoint, Matrix
from sixproof.reporting.matrix.drawing import CHAR, FAINT, LINE, PAD, Bar, Drawing, Shape, Words
from sixproof.reporting.matrix.grid import Cell, Expected, Grid
from sixproof.reporting.matrix.palette import PAINTS
from sixproof.reporting.matrix.text import headline

_BOX = 16
_GAP = 4
_BAR = 8
_NODE = 16


def matrix_svgs(matrix: Matrix, expected: Expected | None = None) -> tuple[tuple[str, str], ...]:
    """One title and picture per family, those with most wrong cells first."""
    grids = [Grid.of(matrix, family, expected) for family in matrix.families()]
    worst = sorted(grids, key=lambda grid: -sum(cell.state.wrong for cell in grid.cells()))
    return tuple((f"{grid.title}, {headline(grid)}", grid_svg(grid)) for grid in worst)


def grid_svg(grid: Grid) -> str:
    """The picture of one family: headline, nodes, columns, rows, legend."""
    plan = _Plan(grid)
    shapes = (*_heads(plan), *_rows(plan), *_legend(plan))
    title = f"{grid.title}, {headline(grid)}"
    return Drawing(title, plan.width, plan.height, shapes).svg()


class _Plan:
    """The positions: x of every column, y of every row."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.numbered = grid.rows == grid.columns
        rows = [f"{i:>2} {r.name}" for i, r in enumerate(grid.rows, 1)]
        self.labels = rows if self.numbered else [row.name for row in grid.rows]
        x = PAD + max((len(label) for label in self.labels), default=0) * CHAR + PAD
        self.columns: list[tuple[Endpoint, str, float, float]] = []
        for node, group in groupby(enumerate(grid.columns, 1), key=lambda item: item[1].node):
            start = x
            for number, column in group:
                head = str(number) if self.numbered else column.name
                wide = max(self._letters(column) * _BOX, len(head) * CHAR)
                self.columns.append((column, head, x, wide))
                x += wide + _GAP
            x = max(x, start + min(len(node), _NODE) * CHAR) + _BAR
        self.top = PAD + LINE * 3
        self.legend = list(_legend_lines(grid))
        foot = (len(self.legend) + 0.5) * LINE
        self.height = self.top + len(grid.rows) * LINE + foot + PAD
        longest = max((len(text) for _, text in self.legend), default=0) + 4
        self.width = max(x, longest * CHAR, len(str(headline(grid))) * CHAR) + PAD

    def _letters(self, column: Endpoint) -> int:
        return max(len(self.grid.square(row, column).shown()) for row in self.grid.rows)


def _heads(plan: _Plan) -> Iterator[Shape]:
    yield Words(PAD, PAD + LINE * 0.6, str(headline(plan.grid)), bold=True)
    for node, group in groupby(plan.columns, key=lambda column: column[0].node):
        columns = list(group)
        room = (columns[-1][2] + columns[-1][3] - columns[0][2]) / CHAR
        name = _cut(node, max(_NODE, int(room)))
        yield Words(columns[0][2], PAD + LINE * 1.6, name, FAINT)
    for _, head, x, wide in plan.columns:
        yield Words(x + wide / 2, PAD + LINE * 2.6, head, FAINT, middle=True)


def _rows(plan: _Plan) -> Iterator[Shape]:
    for index, row in enumerate(plan.grid.rows):
        y = plan.top + index * LINE
        yield Words(PAD, y + 12.5, plan.labels[index])
        for column, _, x, wide in plan.columns:
            shown = plan.grid.square(row, column).shown()
            box = wide / len(shown)
            for number, cell in enumerate(shown):
                yield from _box(cell, x + number * box, y, box)


def _legend(plan: _Plan) -> Iterator[Shape]:
    y = plan.top + len(plan.grid.rows) * LINE + LINE * 0.5
    for index, (cell, text) in enumerate(plan.legend):
        line = y + index * LINE
        indent = PAD
        if cell is not None:
            yield from _box(cell, PAD, line, _BOX)
            indent += _BOX + 6
        yield Words(indent, line + 12.5, text, FAINT)


def _legend_lines(grid: Grid) -> Iterator[tuple[Cell | None, str]]:
    for cell in grid.legend():
        yield cell, cell.meaning
    for said in grid.notes():
        yield None, said


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}~"


def _box(cell: Cell | None, x: float, y: float, wide: float) -> Iterator[Shape]:
    middle = x + wide / 2
    if cell is None:
        yield Words(middle, y + 12.5, "-", FAINT, middle=True)
        return
    paint = PAINTS[cell.state]
    yield Bar(x + 0.5, y + 0.5, wide - 1, _BOX, paint)
    yield Words(middle, y + 12.5, cell.mark, paint.text, middle=True, bold=cell.state.wrong)
