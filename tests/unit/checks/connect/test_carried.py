"""Not proven: what a matrix must have carried, how a run is judged without, what is reported."""

from __future__ import annotations

import dataclasses

import pytest

from fixtures.report import carried
from fixtures.report.carried import Skipped
from sixproof import records
from sixproof.checks.connect.carried import Expected, unproven
from sixproof.model import (
    Expectation,
    Family,
    Matrix,
    Observation,
    Outcome,
    Severity,
    edge_of,
)
from sixproof.reporting.diagnosis.verdicts import Word, headline, verdicts
from sixproof.reporting.matrix.grid import CellState, state_of
from sixproof.reporting.pages.overview import overview
from sixproof.reporting.pages.styled_text import plain
from sixproof.reporting.pages.summary import summary_lines
from sixproof.reporting.results import closed
from sixproof.reporting.results.ledger import Coverage
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.skip import Skip
from sixproof.reporting.results.test_record import Case, CaseOutcome, RunRecord
from sixproof.workloads.existing.closed_flows import EXISTING_POLICIES
from tests.unit.model.places import CLIENT, ECHO, flow, seen

POLICY = "GlobalNetworkPolicy closed"
SHUT = Expectation(frozenset({Outcome.DROPPED}), "denied", True, POLICY)
OPEN = Expectation.allowed("nothing selects it")
EITHER = Expectation(frozenset({Outcome.ALLOWED, Outcome.DROPPED}), "a HostEndpoint guards n1")
REFUSED = Expectation(frozenset({Outcome.REFUSED}), "nobody listens")
FINDING = EXISTING_POLICIES.found(
    Severity.ERROR, POLICY, "selects the probe pods and denies ingress"
)


def measured(*cells: tuple[Observation, Expectation]) -> tuple[Matrix, Expected]:
    """A matrix and what was expected of it."""
    matrix = Matrix.of("flows", [o for o, _ in cells])
    return matrix, {(o.flow.family, edge_of(o.flow)): wanted for o, wanted in cells}


DROPPED6, DROPPED4 = seen(Outcome.DROPPED), seen(Outcome.DROPPED, Family.IPV4)
WORKS6, WORKS4 = seen(Outcome.ALLOWED), seen(Outcome.ALLOWED, Family.IPV4)
ITSELF = dataclasses.replace(WORKS6, flow=flow(source=ECHO, destination=ECHO))


@pytest.mark.parametrize(
    ("cells", "lacking"),
    [
        ([(DROPPED6, SHUT), (DROPPED4, SHUT)], {"IPv4", "IPv6"}),
        ([(DROPPED6, SHUT), (WORKS4, OPEN)], {"IPv6"}),
        ([(WORKS6, OPEN), (WORKS4, OPEN)], set()),
        ([(DROPPED6, EITHER)], {"IPv6"}),
        ([(WORKS6, EITHER)], set()),
        ([(seen(Outcome.REFUSED), REFUSED)], set()),
        ([(DROPPED6, SHUT), (ITSELF, OPEN)], {"IPv6"}),
        ([(ITSELF, OPEN)], set()),
        ([(DROPPED6, SHUT), (seen(Outcome.ALLOWED, port=8081), OPEN)], set()),
    ],
    ids=[
        "all closed", "IPv6 closed", "open", "either, and silence", "either, and it works",
        "a refusal is carried too", "only a pod to itself", "a pod to itself is the question",
        "half open",
    ],
)  # fmt: skip
def test_each_family_must_have_carried_something(
    cells: list[tuple[Observation, Expectation]], lacking: set[str]
) -> None:
    """What a policy closes, what may be either and what never left its pod shows nothing."""
    skip = unproven(*measured(*cells))
    assert {f.value for f in Family if skip and f.value in skip.reason} == lacking
    assert (skip.families if skip else frozenset()) == lacking
    if skip and cells[0][1] is SHUT:
        assert skip.unproven
        assert POLICY in skip.reason


def test_a_cell_closed_by_a_policy_is_neither_right_nor_wrong() -> None:
    """It has a state and a mark of its own, and is read back."""
    assert state_of(Outcome.DROPPED, SHUT) is CellState.CLOSED
    assert state_of(Outcome.ALLOWED, SHUT) is CellState.LEAK
    matrix, expected = measured((DROPPED6, SHUT))
    again = records.from_json(Measured, records.to_json(Measured(matrix, expected, "t")))
    assert again.states(Family.IPV6) == {CellState.CLOSED: 1}


def results(*cases: Case, matrices: tuple[Measured, ...] = ()) -> Results:
    """A run of these cases."""
    return Results(RunRecord("abc"), findings=(FINDING,), cases=cases, matrices=matrices)


def case(outcome: CaseOutcome, reason: str = "", *unproven: Family) -> Case:
    """A test."""
    return Case("suites/t.py::t", outcome, title="A pod reaches every pod", reason=reason,
                covers=("M1",), unproven=unproven)  # fmt: skip


def word(run: Results, family: Family) -> Word:
    """The verdict on a family."""
    return next(v.word for v in verdicts(run) if v.family is family)


def test_a_family_of_which_nothing_was_carried_never_works() -> None:
    """Be it that its test is not proven, or that all its cells are closed."""
    matrix, expected = measured((DROPPED6, SHUT), (WORKS4, OPEN))
    both = Measured(matrix, expected, "suites/t.py::t")
    only = case(CaseOutcome.NOT_PROVEN, "not one flow is open", Family.IPV6)
    assert word(results(only, matrices=(both,)), Family.IPV6) is Word.UNPROVEN
    assert word(results(only, matrices=(both,)), Family.IPV4) is Word.WORKS
    passed = case(CaseOutcome.PASSED)
    assert word(results(passed, matrices=(both,)), Family.IPV6) is Word.UNPROVEN
    assert (
        "closed by policies of the cluster" in verdicts(results(passed, matrices=(both,)))[1].reason
    )


def test_a_run_without_proof_says_so_first() -> None:
    """Policy, tests, headline and coverage, in the summary and in the overview."""
    run = results(case(CaseOutcome.NOT_PROVEN, "closed by GlobalNetworkPolicy closed"))
    first, second, *_ = plain(summary_lines(run)).splitlines()
    assert first == closed.TITLE
    assert POLICY in second
    page = overview(run)
    assert page.index(POLICY) < page.index('id="tests-that-did-not-pass"')
    assert "1 not proven of 1 tests" in headline(run)
    assert run.ledger().count(Coverage.UNPROVEN) == 1


def test_a_finding_is_reported_once() -> None:
    """Not among the other findings again."""
    text = plain(summary_lines(results(case(CaseOutcome.PASSED))))
    assert text.count("selects the probe pods") == 1


def test_pytest_counts_it_apart() -> None:
    """A skip with that mark, and no other, is not proven."""
    unshown = Skipped(Skip("closed", "open it", unproven=True))
    absent = Skipped(Skip("not on this cluster"))
    for error, wanted in ((unshown, "not proven"), (absent, None)):

        def ends(raised: BaseException = error) -> None:
            raise raised

        call = pytest.CallInfo.from_call(ends, "call")
        report = pytest.TestReport("t", ("t", 1, "t"), {}, "skipped", str(error), "call")
        carried.mark(report, call)
        again = pytest.TestReport._from_json(report._to_json())  # as from a worker
        status = carried.status(again)
        assert (status and status[0]) == wanted
    assert CLIENT != ECHO
