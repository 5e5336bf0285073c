"""An API server that does not answer: one conclusion for all tests that broke of it."""

from __future__ import annotations

import dataclasses

from sixproof.reporting.conclusion.conclude import conclude
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.reporting.conclusion.cluster import examined
from tests.unit.reporting.samples import RUN


def broken(name: str, message: str, *, unanswered: bool = True) -> Case:
    """A test that broke with these words."""
    request = message if unanswered else ""
    return Case(f"suites/a/t.py::{name}", CaseOutcome.BROKEN, message=message, unanswered=request)


SILENT = broken("a", "list pods six-x: no answer from https://x: it was silent for 10 s")
LATE = broken("b", "apply services six-x/web: no answer from https://x: it was silent for 10 s")
OTHER = broken("c", "no server in six-x is ready", unanswered=False)


def results(*cases: Case) -> Results:
    """A run that ended so."""
    return Results(RUN, cases=cases, examination=examined())


def test_tests_that_broke_of_the_api_server_are_one_conclusion() -> None:
    """A3: whatever each of them asked, with what they asked as evidence; what broke of something
    else is reported by itself, though it speaks of a server."""
    last = dataclasses.replace(LATE, nodeid="suites/a/t.py::d")
    first, other = conclude(results(SILENT, OTHER, LATE, last)).every
    assert first.first_screen.startswith(
        "the API server: it did not answer what 3 tests asked of it: they could not be carried "
        "out, and this says nothing about the network. "
    )
    assert len(first.headline) <= 200
    assert first.evidence == (SILENT.message, LATE.message)
    assert first.tests == {SILENT.nodeid, LATE.nodeid, last.nodeid}
    assert not first.measured
    assert other.first_screen == OTHER.message


def test_one_test_that_broke_of_it_is_one() -> None:
    """In the singular."""
    (one,) = conclude(results(SILENT)).every
    assert "what 1 test asked of it: it could not be carried out" in one.headline


def test_a_run_whose_requests_were_answered_does_not_blame_the_api_server() -> None:
    """A test that could not be prepared for another reason."""
    (one,) = conclude(results(OTHER)).every
    assert not one.known
