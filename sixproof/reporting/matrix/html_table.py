"""Matrices as static HTML: inline styles only, no script, no style sheet.

Allure keeps inline styles and drops the rest of an HTML attachment's looks; the overview page shows
the same tables.
"""

from __future__ import annotations

import dataclasses
from itertools import groupby

from sixproof.model import Endpoint, Matrix
from sixproof.reporting.diagnosis.parity import parity_line
from sixproof.reporting.matrix.grid import Cell, CellState, Expected, Grid, Square, port_name
from sixproof.reporting.matrix.palette import NOT_ASKED, PAINTS, Paint
from sixproof.reporting.matrix.text import headline
from sixproof.reporting.pages import markup


@dataclasses.dataclass(frozen=True, slots=True)
class FamilyTable:
    """One family's table and its legend, as ``tables.html.j2`` draws them."""

    grid: Grid

    @property
    def headline(self) -> str:
        """The family, a colon, and how many cells are as they must be."""
        return str(headline(self.grid))

    @property
    def caption(self) -> str:
        """What the table is, for screen readers."""
        title = f"{self.grid.title}, {self.grid.family}"
        return f"{title}: rows are sources, columns are destinations"

    @property
    def numbered(self) -> bool:
        """Whether rows and columns are the same endpoints, so that numbers name the columns."""
        return self.grid.rows == self.grid.columns and len(self.grid.rows) > 4

    @property
    def nodes(self) -> tuple[tuple[str, int], ...]:
        """The nodes over their columns and how many those are; none where all are of one node."""
        groups = groupby(column.node for column in self.grid.columns)
        found = tuple((node, len(list(group))) for node, group in groups)
        return found if len(found) > 1 else ()

    @property
    def columns(self) -> tuple[tuple[Endpoint, bool], ...]:
        """The columns, and whether each is the first of a node but the first node."""
        columns = self.grid.columns
        before = (*columns[:1], *columns)
        return tuple((c, c.node != b.node) for c, b in zip(columns, before, strict=False))

    def role(self, column: Endpoint) -> str:
        """The heading of a column whose node is named above."""
        return column.name.partition("@")[0] if column.node else column.name

    def paint(self, cell: Cell | None) -> Paint:
        """The colours of a cell."""
        return NOT_ASKED if cell is None else PAINTS[cell.state]

    def words(self, square: Square) -> str:
        """The tooltip of a square; only wrong squares have one."""
        wrong = [
            f"{port_name(port_spec, self.grid.family)} {cell.meaning}"
            for port_spec, cell in zip(self.grid.port_specs, square.cells, strict=True)
            if cell is not None and (cell.state.wrong or cell.state is CellState.FAILS)
        ]
        if not wrong:
            return ""
        flow = next(cell.observation.flow for cell in square.cells if cell is not None)
        return f"{flow.source.name} -> {flow.destination.name}: {'; '.join(wrong)}"


@dataclasses.dataclass(frozen=True, slots=True)
class MatrixTables:
    """Every family of a matrix; those that look `alike` share one table."""

    families: tuple[FamilyTable, ...]
    alike: bool
    parity: str

    @classmethod
    def of(cls, matrix: Matrix, expected: Expected | None = None) -> MatrixTables:
        """The tables of a matrix."""
        grids = [Grid.of(matrix, family, expected) for family in matrix.families()]
        several = len(grids) > 1
        return cls(
            tuple(map(FamilyTable, grids)),
            several and len({grid.picture() for grid in grids}) == 1,
            str(parity_line(matrix, expected)) if several else "",
        )


def matrix_page(matrix: Matrix, expected: Expected | None = None) -> str:
    """A matrix as a whole document, for viewers that want one."""
    drawn = MatrixTables.of(matrix, expected)
    return markup.filled("matrix.html.j2", title=matrix.title, drawn=drawn)
