"""Matrices as SVG: one picture a family, drawn at its own size.

Allure shows a picture whole, while it puts an HTML attachment into a small window where the report
is opened from a file. Text is set in boxes that are wide enough for any monospaced font.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby

from sixproof.model import Endpoint, Matrix
from sixproof.reporting.matrix.grid import Cell, Expected, Grid, port_name
from sixproof.reporting.matrix.palette import PAINTS
from sixproof.reporting.matrix.text import headline

_CHAR = 7.4
_LINE = 19
_BOX = 16
_PAD = 10
_GAP = 4
_BAR = 8
_NODE = 16
_INK = "#1b1b1f"
_FAINT = "#5b5b66"


def matrix_svgs(matrix: Matrix, expected: Expected | None = None) -> tuple[tuple[str, str], ...]:
    """A title and a picture a family, those with most wrong cells first."""
    grids = [Grid.of(matrix, family, expected) for family in matrix.families()]
    worst = sorted(grids, key=lambda grid: -sum(cell.standing.wrong for cell in grid.cells()))
    return tuple((f"{grid.title}, {headline(grid)}", grid_svg(grid)) for grid in worst)


def grid_svg(grid: Grid) -> str:
    """The picture of one family: headline, nodes, columns, rows, legend."""
    plan = _Plan(grid)
    body = "".join((*_heads(plan), *_rows(plan), *_legend(plan)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{plan.width:.0f}" '
        f'height="{plan.height:.0f}" viewBox="0 0 {plan.width:.0f} {plan.height:.0f}" '
        'font-family="ui-monospace,Menlo,Consolas,DejaVu Sans Mono,monospace" font-size="12">'
        f"<title>{escape(grid.title)}, {escape(str(headline(grid)))}</title>"
        f'<rect width="100%" height="100%" rx="6" fill="#ffffff"/>{body}</svg>\n'
    )


class _Plan:
    """Where things stand: x of every column, y of every row."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.numbered = grid.rows == grid.columns
        rows = [f"{i:>2} {r.name}" for i, r in enumerate(grid.rows, 1)]
        self.labels = rows if self.numbered else [row.name for row in grid.rows]
        x = _PAD + max((len(label) for label in self.labels), default=0) * _CHAR + _PAD
        self.columns: list[tuple[Endpoint, str, float, float]] = []
        for node, group in groupby(enumerate(grid.columns, 1), key=lambda item: item[1].node):
            start = x
            for number, column in group:
                head = str(number) if self.numbered else column.name
                wide = max(self._letters(column) * _BOX, len(head) * _CHAR)
                self.columns.append((column, head, x, wide))
                x += wide + _GAP
            x = max(x, start + min(len(node), _NODE) * _CHAR) + _BAR
        self.top = _PAD + _LINE * 3
        self.legend = list(_legend_lines(grid))
        foot = (len(self.legend) + 0.5) * _LINE
        self.height = self.top + len(grid.rows) * _LINE + foot + _PAD
        longest = max((len(text) for _, text in self.legend), default=0) + 4
        self.width = max(x, longest * _CHAR, len(str(headline(grid))) * _CHAR) + _PAD

    def _letters(self, column: Endpoint) -> int:
        squares = self.grid.squares
        return max(len(squares[row.name, column.name].shown()) for row in self.grid.rows)


def _heads(plan: _Plan) -> Iterator[str]:
    yield _text(_PAD, _PAD + _LINE * 0.6, str(headline(plan.grid)), weight="bold")
    for node, group in groupby(plan.columns, key=lambda column: column[0].node):
        columns = list(group)
        room = (columns[-1][2] + columns[-1][3] - columns[0][2]) / _CHAR
        name = _cut(node, max(_NODE, int(room)))
        yield _text(columns[0][2], _PAD + _LINE * 1.6, name, fill=_FAINT)
    for _, head, x, wide in plan.columns:
        yield _text(x + wide / 2, _PAD + _LINE * 2.6, head, fill=_FAINT, anchor="middle")


def _rows(plan: _Plan) -> Iterator[str]:
    for index, row in enumerate(plan.grid.rows):
        y = plan.top + index * _LINE
        yield _text(_PAD, y + 12.5, plan.labels[index])
        for column, _, x, wide in plan.columns:
            shown = plan.grid.squares[row.name, column.name].shown()
            box = wide / len(shown)
            for number, cell in enumerate(shown):
                yield _box(cell, x + number * box, y, box)


def _legend(plan: _Plan) -> Iterator[str]:
    y = plan.top + len(plan.grid.rows) * _LINE + _LINE * 0.5
    for index, (cell, text) in enumerate(plan.legend):
        line = y + index * _LINE
        indent = _PAD
        if cell is not None:
            yield _box(cell, _PAD, line, _BOX)
            indent += _BOX + 6
        yield _text(indent, line + 12.5, text, fill=_FAINT)


def _legend_lines(grid: Grid) -> Iterator[tuple[Cell | None, str]]:
    for cell in grid.legend():
        yield cell, cell.meaning
    port_specs = [port_name(port_spec, grid.family) for port_spec in grid.port_specs]
    if len(port_specs) > 1:
        mixed = any(len(square.shown()) > 1 for square in grid.squares.values())
        how = "several letters, in order" if mixed else "every cell alike for"
        yield None, f"{how}: {', '.join(port_specs)}"


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}~"


def _box(cell: Cell | None, x: float, y: float, wide: float) -> str:
    if cell is None:
        return _text(x + wide / 2, y + 12.5, "-", fill=_FAINT, anchor="middle")
    paint = PAINTS[cell.standing]
    weight = "bold" if cell.standing.wrong else "normal"
    return (
        f'<rect x="{x + 0.5:.1f}" y="{y + 0.5:.1f}" width="{wide - 1:.1f}" height="{_BOX}" rx="2" '
        f'fill="{paint.fill}" stroke="{paint.border}"/>'
        + _text(x + wide / 2, y + 12.5, cell.mark, fill=paint.text, anchor="middle", weight=weight)
    )


def _text(
    x: float, y: float, text: str, *, fill: str = _INK, anchor: str = "start", weight: str = ""
) -> str:
    bold = ' font-weight="bold"' if weight == "bold" else ""
    middle = ' text-anchor="middle"' if anchor == "middle" else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}"{middle}{bold} xml:space="preserve">'
        f"{escape(text)}</text>"
    )
