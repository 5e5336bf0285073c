"""Matrices as static HTML: inline styles only, no script, no style sheet.

Allure keeps inline styles and drops the rest of an HTML attachment's looks; the overview page shows
the same tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from sixproof.model import Endpoint, Matrix
from sixproof.reporting.diagnosis.parity import parity_line
from sixproof.reporting.matrix.grid import Cell, Expected, Grid, Square, Standing, port_name
from sixproof.reporting.matrix.palette import NOT_ASKED, PAINTS
from sixproof.reporting.matrix.text import headline

_MONO = "font-family:ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace"
_TABLE = f"border-collapse:separate;border-spacing:2px;{_MONO};font-size:13px;margin:6px 0 4px"
_HEAD = "font-weight:normal;padding:1px 5px;text-align:left;white-space:nowrap"
_CELL = "padding:1px 5px;text-align:center;border-radius:3px;min-width:12px"
_BESIDE = "display:inline-block;vertical-align:top;max-width:100%;margin-right:32px"
_EDGE = "border-left:2px solid #8a8a94"


def matrix_html(matrix: Matrix, expected: Expected | None = None) -> str:
    """Every family of a matrix, families that look alike in one table."""
    grids = [Grid.of(matrix, family, expected) for family in matrix.families()]
    alike = len(grids) > 1 and len({grid.picture() for grid in grids}) == 1
    parts = [_headline(grid) + ("" if alike else grid_html(grid)) for grid in grids]
    if alike:
        parts.append(grid_html(grids[-1]))
    else:
        parts = [f'<div style="{_BESIDE}">{part}</div>' for part in parts]
    if len(grids) > 1:
        parts.append(f'<p style="margin:4px 0">{escape(str(parity_line(matrix, expected)))}</p>')
    return f'<div style="font-family:system-ui,sans-serif">{"".join(parts)}</div>'


def page_of(title: str, body: str) -> str:
    """A whole document around a table, for viewers that want one."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title></head>"
        f'<body style="background:#ffffff;color:#1b1b1f;margin:12px">{body}</body></html>\n'
    )


def grid_html(grid: Grid) -> str:
    """One family's table and its legend."""
    caption = f"{grid.title}, {grid.family}: rows are sources, columns are destinations"
    rows = "".join(_row(grid, row, number) for number, row in enumerate(grid.rows, 1))
    return (
        '<div style="overflow-x:auto">'
        f'<table style="{_TABLE}" aria-label="{escape(caption)}">'
        f"<thead>{_node_row(grid)}{_head_row(grid)}</thead><tbody>{rows}</tbody></table></div>"
        f"{_legend(grid)}"
    )


def _headline(grid: Grid) -> str:
    text = str(headline(grid))
    family, _, rest = text.partition(":")
    return f'<p style="margin:8px 0 2px"><b>{escape(family)}</b>:{escape(rest)}</p>'


def _node_row(grid: Grid) -> str:
    """The nodes over their columns, where the names of the columns do not say them."""
    if len({column.node for column in grid.columns}) < 2:
        return ""
    cells = [f'<td style="{_HEAD}"></td>' * (2 if _numbered(grid) else 1)]
    for index, (node, group) in enumerate(groupby(grid.columns, key=lambda c: c.node)):
        edge = f";{_EDGE}" if index else ""
        cells.append(
            f'<th scope="colgroup" colspan="{len(list(group))}" style="{_HEAD}{edge}">'
            f"{escape(node or 'no node')}</th>"
        )
    return f"<tr>{''.join(cells)}</tr>"


def _head_row(grid: Grid) -> str:
    """The columns' roles, with numbers where rows carry the same ones."""
    cells = [f'<td style="{_HEAD}"></td>' * (2 if _numbered(grid) else 1)]
    for index, column in enumerate(grid.columns):
        short = str(index + 1) if _numbered(grid) else _role(column)
        cells.append(
            f'<th scope="col" title="{escape(column.name)}" '
            f'style="{_HEAD};text-align:center{_edge(grid.columns, index)}">{escape(short)}</th>'
        )
    return f"<tr>{''.join(cells)}</tr>"


def _row(grid: Grid, row: Endpoint, number: int) -> str:
    head = f'<th scope="row" style="{_HEAD}">{escape(row.name)}</th>'
    if _numbered(grid):
        head = f'<td style="{_HEAD};text-align:right">{number}</td>{head}'
    cells = (
        _square(grid, grid.squares[row.name, column.name], _edge(grid.columns, index))
        for index, column in enumerate(grid.columns)
    )
    return f"<tr>{head}{''.join(cells)}</tr>"


def _square(grid: Grid, square: Square, edge: str) -> str:
    """A square as one cell: a letter where its ports agree, else a strip of letters."""
    shown = square.shown()
    if len(shown) == 1:
        return _td(shown[0], _words(grid, square), edge)
    strip = "".join(
        f'<span style="{_paint(cell)};padding:1px 3px;border-radius:2px">{_letter(cell)}</span>'
        for cell in shown
    )
    title = escape(_words(grid, square))
    return f'<td title="{title}" style="white-space:nowrap;padding:0 2px{edge}">{strip}</td>'


def _td(cell: Cell | None, words: str, edge: str) -> str:
    title = f' title="{escape(words)}"' if words else ""
    return f'<td{title} style="{_CELL};{_paint(cell)}{edge}">{_letter(cell)}</td>'


def _words(grid: Grid, square: Square) -> str:
    """What a pointer resting on a square is told; only wrong squares say something."""
    wrong = [
        f"{port_name(port_spec, grid.family)} {cell.meaning}"
        for port_spec, cell in zip(grid.port_specs, square.cells, strict=True)
        if cell is not None and (cell.standing.wrong or cell.standing is Standing.FAILS)
    ]
    if not wrong:
        return ""
    flow = next(cell.observation.flow for cell in square.cells if cell is not None)
    return f"{flow.source.name} -> {flow.destination.name}: {'; '.join(wrong)}"


def _letter(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    return "<b>" + escape(cell.mark) + "</b>" if cell.standing.wrong else escape(cell.mark)


def _paint(cell: Cell | None) -> str:
    return NOT_ASKED.css if cell is None else PAINTS[cell.standing].css


def _edge(columns: Sequence[Endpoint], index: int) -> str:
    """A bar before the first column of a node."""
    starts = index > 0 and columns[index].node != columns[index - 1].node
    return f";{_EDGE}" if starts else ""


def _numbered(grid: Grid) -> bool:
    """Whether rows and columns are the same endpoints, so that numbers name the columns."""
    return grid.rows == grid.columns and len(grid.rows) > 4


def _role(endpoint: Endpoint) -> str:
    return endpoint.name.partition("@")[0] if endpoint.node else endpoint.name


def _legend(grid: Grid) -> str:
    """The marks that occur, and the order of ports in a strip."""
    items = list(_legend_items(grid))
    port_specs = [port_name(port_spec, grid.family) for port_spec in grid.port_specs]
    if len(port_specs) > 1:
        mixed = any(len(square.shown()) > 1 for square in grid.squares.values())
        how = "several letters, in order" if mixed else "every cell alike for"
        items.append(f"<span>{how}: {escape(', '.join(port_specs))}</span>")
    return f'<p style="font-size:12px;margin:2px 0 10px">{" &ensp; ".join(items)}</p>'


def _legend_items(grid: Grid) -> Iterator[str]:
    for cell in grid.legend():
        style = f"{_CELL};{_MONO};{PAINTS[cell.standing].css}"
        yield f'<span style="{style}">{_letter(cell)}</span> {escape(cell.meaning)}'
