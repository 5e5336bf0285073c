"""Grids: which letter a cell gets, what folds, and how places are ordered."""

from __future__ import annotations

import pytest

from sixproof.model import Expectation, Family, Flow, Matrix, Outcome
from sixproof.reporting.matrix.grid import (
    DRAWN,
    Cell,
    CellState,
    Grid,
    by_node,
    port_name,
    state_of,
)
from sixproof.reporting.matrix.html_table import matrix_page
from sixproof.reporting.matrix.svg import matrix_svgs
from sixproof.reporting.matrix.text import matrix_lines
from tests.unit.reporting.samples import (
    DENY,
    OPEN,
    PORT_SPECS,
    Rule,
    all_open,
    pod,
    pods,
    seen,
    topology,
    v6_tunnel_broken,
    works,
)


@pytest.mark.parametrize(
    ("outcome", "expected", "state", "mark"),
    [
        (Outcome.ALLOWED, OPEN, CellState.WORKS, "."),
        (Outcome.ALLOWED, None, CellState.WORKS, "."),
        (Outcome.ALLOWED, DENY, CellState.LEAK, "!"),
        (Outcome.DROPPED, OPEN, CellState.BLOCKED, "X"),
        (Outcome.DROPPED, DENY, CellState.DENIED, "x"),
        (Outcome.DROPPED, None, CellState.FAILS, "X"),
        (Outcome.REFUSED, DENY, CellState.OTHER, "R"),
        (Outcome.UNKNOWN, OPEN, CellState.UNKNOWN, "?"),
        (Outcome.UNKNOWN, DENY, CellState.UNKNOWN, "?"),
        (Outcome.UNKNOWN, None, CellState.UNKNOWN, "?"),
    ],
    ids=str,
)
def test_a_letter_says_whether_an_outcome_is_right(
    outcome: Outcome, expected: Expectation | None, state: CellState, mark: str
) -> None:
    flow = next(iter(topology().cells.values())).flow
    cell = Cell(seen(flow, outcome), expected, state_of(outcome, expected))
    assert (cell.state, cell.mark) == (state, mark)
    assert outcome.value in cell.meaning


def test_unknown_never_counts_as_right_even_where_it_is_expected() -> None:
    """Design contract 2: what could not be measured never passes."""
    anything = Expectation(frozenset(Outcome), "whatever")
    assert state_of(Outcome.UNKNOWN, anything) is CellState.UNKNOWN


def test_lanes_fold_where_they_agree_and_spread_where_they_differ() -> None:
    matrix = topology(v6_tunnel_broken)
    grid = Grid.of(matrix, Family.IPV6, all_open(matrix))
    same = grid.squares["a@worker", "b@worker"]
    apart = grid.squares["a@worker", "b@worker2"]
    assert [cell.mark for cell in same.shown() if cell] == ["."]
    assert [cell.mark for cell in apart.shown() if cell] == ["X", "X", "X", "."]


def test_a_square_that_nobody_asked_for_is_empty() -> None:
    grid = Grid.of(topology(itself=False), Family.IPV4)
    row = next(row for row in grid.rows if row.name == "a@worker")
    square = grid.square(row, row)
    assert square.empty
    assert square.shown() == (None,)


MANY_NODES = tuple(f"n{i}" for i in range(40))


def ring(rule: Rule = works) -> Matrix:
    """A pod on each of many nodes, tried with its two neighbours."""
    whole = topology(rule, endpoints=pods("a", MANY_NODES), port_specs=PORT_SPECS[:1])
    place = {node: number for number, node in enumerate(MANY_NODES)}

    def apart(flow: Flow) -> int:
        return (place[flow.source.node] - place[flow.destination.node]) % len(MANY_NODES)

    beside = [o for o in whole.observations() if apart(o.flow) in (1, len(MANY_NODES) - 1)]
    return Matrix.of("ring", beside)


def test_of_many_sources_with_few_destinations_only_wrong_ones_are_drawn() -> None:
    """All are counted; a healthy one is its headline and what it left out."""
    healthy = ring()
    grid = Grid.of(healthy, Family.IPV6, all_open(healthy))
    assert (grid.rows, grid.columns, len(grid.squares)) == ((), (), 80)
    assert grid.counts()[CellState.WORKS] == len(grid.cells()) == 80 * len(grid.port_specs)
    assert grid.undrawn == (
        "each of 40 sources was tried with some destinations; "
        "not drawn: 40, all of whose cells are as expected"
    )

    broken = ring(lambda f: Outcome.DROPPED if f.destination.node == "n7" else Outcome.ALLOWED)
    grid = Grid.of(broken, Family.IPV6, all_open(broken))
    assert {row.node for row in grid.rows} == {"n6", "n7", "n8"}
    assert grid.rows == grid.columns
    assert "not drawn: 37" in grid.undrawn
    for drawn in (matrix_page(broken, all_open(broken)), "".join(map(str, matrix_lines(broken)))):
        assert "a@n8" in drawn
        assert "a@n9" not in drawn
    for _, picture in matrix_svgs(broken, all_open(broken)):
        assert "sources was tried" in picture


def test_where_nearly_all_of_many_is_wrong_the_first_rows_are_drawn() -> None:
    """A picture of hundreds of rows shows nothing."""
    dead = ring(lambda _: Outcome.DROPPED)
    grid = Grid.of(dead, Family.IPV4, all_open(dead))
    assert (len(grid.rows), len(grid.columns)) == (DRAWN, DRAWN)
    assert grid.undrawn.endswith(f", and {40 - DRAWN} more")


def test_endpoints_of_one_node_stand_side_by_side() -> None:
    mixed = [pod("a", "n1", 1), pod("a", "n2", 2), pod("b", "n1", 3), pod("b", "n2", 4)]
    assert [e.name for e in by_node(mixed)] == ["a@n1", "b@n1", "a@n2", "b@n2"]


def test_rows_and_columns_follow_one_order_where_nobody_asks_itself() -> None:
    grid = Grid.of(topology(endpoints=pods("a"), itself=False), Family.IPV6)
    assert grid.rows == grid.columns


def test_families_with_equal_marks_have_equal_pictures() -> None:
    matrix = topology()
    assert Grid.of(matrix, Family.IPV4).picture() == Grid.of(matrix, Family.IPV6).picture()
    broken = topology(v6_tunnel_broken)
    assert Grid.of(broken, Family.IPV4).picture() != Grid.of(broken, Family.IPV6).picture()


def test_a_port_is_called_as_its_family_calls_it() -> None:
    assert port_name("icmp", Family.IPV6) == "icmpv6"
    assert port_name("icmp", Family.IPV4) == "icmp"
    assert port_name("tcp/80", Family.IPV6) == "tcp/80"
