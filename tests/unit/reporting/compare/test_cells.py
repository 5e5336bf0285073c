"""Cells of two runs, question by question."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.model import Expectation, Family, MatrixKind, Outcome
from sixproof.reporting.compare import cells
from sixproof.reporting.compare.cells import CellChange, CellResult
from sixproof.reporting.compare.stable_names import StableNames
from sixproof.reporting.matrix.grid import CellState
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import CaseOutcome
from tests.unit.reporting.compare.two_runs import MESH, case, everything, mesh, on, over, run
from tests.unit.reporting.samples import pods, topology

RIGHT = CellResult(CellState.WORKS, Outcome.ALLOWED, "pod to pod")
DENIED = CellResult(CellState.DENIED, Outcome.DROPPED, "pod to pod")
LOST = CellResult(CellState.BLOCKED, Outcome.DROPPED, "pod to pod")
REFUSED = CellResult(CellState.BLOCKED, Outcome.REFUSED, "pod to pod")
LEAK = CellResult(CellState.LEAK, Outcome.ALLOWED, "pod to pod")
OTHER = CellResult(CellState.OTHER, Outcome.REJECTED, "pod to pod")
UNKNOWN = CellResult(CellState.UNKNOWN, Outcome.UNKNOWN, "pod to pod")
CLOSED = CellResult(CellState.CLOSED, Outcome.DROPPED, "pod to pod")


@pytest.mark.parametrize(
    ("before", "after", "which"),
    [
        (RIGHT, RIGHT, CellChange.RIGHT),
        (DENIED, RIGHT, CellChange.RIGHT),
        (RIGHT, LOST, CellChange.NEW),
        (DENIED, LEAK, CellChange.NEW),
        (LOST, LOST, CellChange.STILL),
        (LOST, REFUSED, CellChange.CHANGED),
        (LOST, OTHER, CellChange.CHANGED),
        (LOST, LEAK, CellChange.NEW),
        (LEAK, LEAK, CellChange.STILL),
        (LEAK, LOST, CellChange.CHANGED),
        (LOST, RIGHT, CellChange.GONE),
        (LEAK, DENIED, CellChange.GONE),
        (None, LOST, CellChange.UNKNOWN_BEFORE),
        (UNKNOWN, LOST, CellChange.UNKNOWN_BEFORE),
        (CLOSED, LOST, CellChange.UNKNOWN_BEFORE),
        (None, RIGHT, CellChange.ONLY_NOW),
        (CLOSED, RIGHT, CellChange.ONLY_NOW),
        (LOST, None, CellChange.WRONG_UNMEASURED),
        (LOST, UNKNOWN, CellChange.WRONG_UNMEASURED),
        (LOST, CLOSED, CellChange.WRONG_UNMEASURED),
        (RIGHT, None, CellChange.RIGHT_UNMEASURED),
        (RIGHT, UNKNOWN, CellChange.RIGHT_UNMEASURED),
        (UNKNOWN, UNKNOWN, CellChange.NEITHER),
        (UNKNOWN, None, CellChange.NEITHER),
        (None, UNKNOWN, CellChange.NEITHER),
    ],
)
def test_what_is_not_measured_is_neither_right_nor_gone(
    before: CellResult | None, after: CellResult | None, which: CellChange
) -> None:
    """All pairs of results that mean something different."""
    assert cells.change(before, after) is which


def taken(results: Results) -> cells.Cells:
    """The cells of a run."""
    return cells.cells_of(results, StableNames.of(results))


def test_questions_are_the_same_under_another_run_id() -> None:
    """The names of tests and titles hold the run's id, and nothing else differs."""
    before = run(1, mesh(title="to six-a1b1c1-svc"))
    after = run(2, mesh(title="to six-a2b2c2-svc"))
    assert taken(before).keys() == taken(after).keys()
    assert len(taken(before)) == 9 * 9 * 4 * 2


def test_of_several_results_the_worst_counts() -> None:
    """A question is right only where it is right each time, in any order."""
    for order in ((mesh(), mesh(on("worker"))), (mesh(on("worker")), mesh())):
        found = taken(run(1, *order))
        assert sum(result.wrong for result in found.values()) == 2 * 3 * 6 * 4
    unknown = taken(run(1, mesh(), mesh(everything(Outcome.UNKNOWN))))
    assert not any(result.right for result in unknown.values())
    lost = taken(run(1, mesh(everything(Outcome.UNKNOWN)), mesh(over(Family.IPV6))))
    assert {r.state for q, r in lost.items() if q.family is Family.IPV6} == {CellState.BLOCKED}


def test_a_leak_is_the_worst() -> None:
    """Of a question that was lost once and carried once against a policy."""
    matrix = topology(title="full mesh", families=[Family.IPV6])
    denied = dict.fromkeys(matrix.cells, Expectation(frozenset({Outcome.DROPPED}), "closed"))
    leaking = Measured(matrix, denied, MESH)
    found = taken(run(1, leaking, mesh(over(Family.IPV6))))
    assert {r.state for q, r in found.items() if q.family is Family.IPV6} == {CellState.LEAK}


def test_what_nobody_judged_and_what_is_known_not_to_work_is_left_out() -> None:
    """There is no verdict about it."""
    unjudged = Measured(topology(), None, MESH)
    assert taken(run(1, unjudged)) == {}
    limit = [case(CaseOutcome.XFAILED)]
    assert taken(run(1, mesh(over(Family.IPV4)), cases=limit)) == {}


@pytest.mark.parametrize(
    ("source", "destination", "said"),
    [
        (0, 0, "pod to pod, itself"),
        (0, 1, "pod to pod, same node"),
        (0, 3, "pod to pod, other node"),
    ],
)
def test_the_class_of_an_edge(source: int, destination: int, said: str) -> None:
    """By the kinds of its ends, and whether it leaves its node."""
    ends = pods()
    matrix = topology(endpoints=(ends[source], ends[destination]))
    flow = next(
        o.flow
        for o in matrix.observations()
        if (o.flow.source, o.flow.destination) == (ends[source], ends[destination])
    )
    assert cells.edge_class(flow) == said
    apart = dataclasses.replace(flow, source=dataclasses.replace(flow.source, node=""))
    assert cells.edge_class(apart) == "pod to pod"


def test_classes_of_edges_are_counted_by_family() -> None:
    """What is new comes first, with examples of it."""
    rows = cells.by_class(taken(run(1, mesh())), taken(run(2, mesh(on("worker")))))
    first, *rest = rows
    assert (first.family, first.edge_class) == (Family.IPV6, "pod to pod, other node")
    assert first.kind is MatrixKind.FLOWS
    assert first.counts == {CellChange.NEW: 144, CellChange.RIGHT: 72}
    assert first.examples[0] == "a@control-plane -> a@worker tcp/8080"
    assert len(first.examples) == cells.EXAMPLES
    assert first.moved
    assert not any(row.moved or row.examples for row in rest)
    assert sum(sum(row.counts.values()) for row in rows) == 9 * 9 * 4 * 2


def test_classes_name_what_was_not_measured_again() -> None:
    """A smaller run shows less, and nothing of it is gone."""
    small = mesh(endpoints=pods(nodes=("control-plane", "worker")))
    rows = cells.by_class(taken(run(1, mesh(on("worker2")))), taken(run(2, small)))
    across = next(
        r for r in rows if r.family is Family.IPV6 and r.edge_class.endswith("other node")
    )
    assert CellChange.GONE not in across.counts
    assert across.counts[CellChange.WRONG_UNMEASURED] == 144


def test_the_standing_of_questions() -> None:
    """How many are right, wrong, and neither."""
    found = taken(run(1, mesh(on("worker"))))
    asked = [q for q in found if q.family is Family.IPV6]
    assert cells.standing(asked, found) == (180, 144, 0)
    assert cells.standing(asked, {}) == (0, 0, 324)
    assert cells.standing([], found) == (0, 0, 0)
