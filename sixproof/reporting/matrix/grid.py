"""The grid of one family: rows and columns by node, ports folded where they agree.

Every picture of a matrix (terminal, HTML, overview) is drawn from a grid, so that they cannot
differ in what they call wrong.
"""

from __future__ import annotations

import dataclasses
import enum
from collections import Counter
from collections.abc import Iterable, Mapping

from sixproof.model import Edge, Endpoint, Expectation, Family, Matrix, Observation, Outcome

Expected = Mapping[tuple[Family, Edge], Expectation]
"""The expected outcome of every cell of a matrix."""


class CellState(enum.StrEnum):
    """How a cell compares to what was expected of it."""

    WORKS = "works"  # ALLOWED, and nothing says that it must not be
    DENIED = "denied as expected"
    CLOSED = "closed by a policy of the cluster"
    BLOCKED = "must be allowed"
    LEAK = "must be denied"
    OTHER = "denied, but not as expected"
    FAILS = "does not work"  # no expectation was given
    UNKNOWN = "not measured"

    @property
    def wrong(self) -> bool:
        """Whether such a cell makes its test fail."""
        return self in (CellState.BLOCKED, CellState.LEAK, CellState.OTHER, CellState.UNKNOWN)

    @property
    def counted(self) -> str:
        """The words behind a number of such cells: ``54 fail but must be allowed``."""
        return _COUNTED.get(self, self.value)


_COUNTED = {
    CellState.CLOSED: "closed by policies of the cluster",
    CellState.BLOCKED: "fail but must be allowed",
    CellState.LEAK: "pass but must be denied",
    CellState.OTHER: "denied in another way than expected",
    CellState.FAILS: "do not work",
}


def state_of(outcome: Outcome, expected: Expectation | None) -> CellState:
    """How an outcome compares to an expectation, None where there is none."""
    if not outcome.measured:
        return CellState.UNKNOWN
    if expected is None:
        return CellState.WORKS if outcome.works else CellState.FAILS
    if outcome in expected.outcomes:
        if outcome.works:
            return CellState.WORKS
        return CellState.CLOSED if expected.closed_by else CellState.DENIED
    if outcome.works:
        return CellState.LEAK
    return CellState.BLOCKED if Outcome.ALLOWED in expected.outcomes else CellState.OTHER


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """One port of one square."""

    observation: Observation
    expected: Expectation | None
    state: CellState

    @property
    def mark(self) -> str:
        """The outcome's letter: small where it was expected, ``p`` where a policy of the cluster
        makes it so, capital or ``!`` where it is wrong."""
        letter = self.observation.outcome.mark
        if self.state is CellState.LEAK:
            return "!"
        if self.state is CellState.CLOSED:
            return "p"
        return letter.lower() if self.state is CellState.DENIED else letter

    @property
    def meaning(self) -> str:
        """What the mark means, in the words of the legend."""
        name = self.observation.outcome.value
        if self.state is CellState.DENIED:
            return f"{name} as expected"
        if self.state is CellState.CLOSED:
            return f"{name}, {self.state}"
        if self.state in (CellState.BLOCKED, CellState.LEAK):
            return f"{name}, {self.state}"
        if self.state is CellState.OTHER:
            return f"{name}, another denial expected"
        return f"{name} ({self.state})" if self.state is CellState.UNKNOWN else name


@dataclasses.dataclass(frozen=True, slots=True)
class Square:
    """All ports from one row to one column, in port order; None where a port was not asked."""

    cells: tuple[Cell | None, ...]

    @property
    def folded(self) -> Cell | None:
        """The cell that represents the whole square, None where its ports differ."""
        asked = [cell for cell in self.cells if cell is not None]
        kinds = {(cell.mark, cell.state) for cell in asked}
        return asked[0] if len(kinds) == 1 else None

    @property
    def empty(self) -> bool:
        """Whether nothing was asked here."""
        return all(cell is None for cell in self.cells)

    def shown(self) -> tuple[Cell | None, ...]:
        """The cells to draw: one where the ports agree, else one per port."""
        if self.empty:
            return (None,)
        return self.cells if self.folded is None else (self.folded,)


MANY = 12
"""Sources up to which every row is drawn."""
SPARSE = 4
"""Of more sources only those with wrong cells are drawn, where one of so many squares or fewer was
asked: a picture of all is mostly empty, and grows with the square of the number of nodes."""
DRAWN = 24
"""Of them, rows and columns at most."""


@dataclasses.dataclass(frozen=True)
class Grid:
    """One family of a matrix, its rows and columns grouped by node.

    `rows` and `columns` follow one order, so that a fault between two nodes shows as a block.
    `squares` are those of which something was asked; `undrawn` says which have no row or column.
    """

    title: str
    family: Family
    rows: tuple[Endpoint, ...]
    columns: tuple[Endpoint, ...]
    port_specs: tuple[str, ...]
    squares: Mapping[tuple[str, str], Square]
    undrawn: str = ""

    @classmethod
    def of(cls, matrix: Matrix, family: Family, expected: Expected | None = None) -> Grid:
        """The grid of one family of a matrix."""
        seen = [o for (f, _), o in matrix.cells.items() if f is family]
        port_specs = tuple(dict.fromkeys(edge[2] for f, edge in matrix.cells if f is family))
        sources = {o.flow.source.name for o in seen}
        destinations = {o.flow.destination.name for o in seen}
        places = by_node([*(o.flow.source for o in seen), *(o.flow.destination for o in seen)])
        rows = tuple(place for place in places if place.name in sources)
        columns = tuple(place for place in places if place.name in destinations)

        def cell(edge: Edge) -> Cell | None:
            observation = matrix.cell(family, edge)
            if observation is None:
                return None
            wanted = None if expected is None else expected.get((family, edge))
            return Cell(observation, wanted, state_of(observation.outcome, wanted))

        order = {place.name: number for number, place in enumerate(places)}
        pairs = {(o.flow.source.name, o.flow.destination.name) for o in seen}
        squares = {
            (row, column): Square(tuple(cell((row, column, port_spec)) for port_spec in port_specs))
            for row, column in sorted(pairs, key=lambda pair: tuple(map(order.__getitem__, pair)))
        }
        undrawn = ""
        if len(rows) > MANY and SPARSE * len(squares) <= len(rows) * len(columns):
            rows, columns, undrawn = _narrowed(rows, columns, squares)
        return cls(matrix.title, family, rows, columns, port_specs, squares, undrawn)

    def square(self, row: Endpoint, column: Endpoint) -> Square:
        """All ports from a row to a column."""
        return self.squares.get((row.name, column.name)) or Square((None,) * len(self.port_specs))

    def drawn(self) -> tuple[Square, ...]:
        """The squares of every row and column, row by row."""
        return tuple(self.square(row, column) for row in self.rows for column in self.columns)

    def cells(self) -> tuple[Cell, ...]:
        """All cells that were asked, row by row."""
        return tuple(c for square in self.squares.values() for c in square.cells if c is not None)

    def counts(self) -> Counter[CellState]:
        """How many cells are in each state."""
        return Counter(cell.state for cell in self.cells())

    def picture(self) -> tuple[tuple[str, ...], ...]:
        """The names and marks alone; equal for families of which the same drawing serves."""
        names = (*(r.name for r in self.rows), "", *(c.name for c in self.columns))
        marks = tuple("".join(c.mark if c else "-" for c in s.cells) for s in self.squares.values())
        return (names, (*map(str, self.squares), *marks))

    def legend(self) -> tuple[Cell, ...]:
        """One cell per mark, in the order in which the marks are explained."""
        order = list(CellState)
        first = {cell.mark: cell for cell in reversed(self.cells())}
        return tuple(sorted(first.values(), key=lambda c: (order.index(c.state), c.mark)))

    def ports_said(self) -> str:
        """Which ports a square holds, in the order of its letters; empty for a single one."""
        if len(self.port_specs) < 2:
            return ""
        mixed = any(len(square.shown()) > 1 for square in self.drawn())
        how = "several letters, in order" if mixed else "every cell alike for"
        return f"{how}: {', '.join(port_name(one, self.family) for one in self.port_specs)}"

    def notes(self) -> tuple[str, ...]:
        """What is said below the drawing, beside the legend of its marks."""
        return tuple(filter(None, (self.ports_said(), self.undrawn)))


def _narrowed(
    rows: tuple[Endpoint, ...],
    columns: tuple[Endpoint, ...],
    squares: Mapping[tuple[str, str], Square],
) -> tuple[tuple[Endpoint, ...], tuple[Endpoint, ...], str]:
    """The rows and columns at the ends of wrong cells, and what is not drawn."""
    ends = {
        name
        for pair, square in squares.items()
        for cell in square.cells
        if cell is not None and (cell.state.wrong or cell.state is CellState.FAILS)
        for name in pair
    }
    wrong_rows = [row for row in rows if row.name in ends]
    wrong_columns = [column for column in columns if column.name in ends]
    drawn = (tuple(wrong_rows[:DRAWN]), tuple(wrong_columns[:DRAWN]))
    right = len(rows) - len(wrong_rows)
    said = f"each of {len(rows)} sources was tried with some destinations"
    if right:
        said += f"; not drawn: {right}, all of whose cells are as expected"
    if len(wrong_rows) > DRAWN:
        said += f", and {len(wrong_rows) - DRAWN} more"
    return *drawn, said


def by_node(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """Distinct endpoints, those of one node side by side, else in order of first appearance."""
    distinct = {endpoint.name: endpoint for endpoint in endpoints}
    groups: dict[str, list[Endpoint]] = {}
    for endpoint in distinct.values():
        groups.setdefault(endpoint.node, []).append(endpoint)
    return tuple(endpoint for group in groups.values() for endpoint in group)


def port_name(port_spec: str, family: Family) -> str:
    """An edge's port as a family calls it: ``icmpv6`` for ``icmp`` over IPv6."""
    return "icmpv6" if port_spec == "icmp" and family is Family.IPV6 else port_spec
