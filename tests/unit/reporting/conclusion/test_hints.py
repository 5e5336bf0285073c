"""Hints where no cause is known: what would fit, and what tells it apart."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.errors import Subject
from sixproof.model import Family, Flow, MatrixKind, Outcome
from sixproof.reporting.conclusion import hints
from sixproof.reporting.conclusion.conclusion import Conclusion
from sixproof.reporting.diagnosis.category import Category
from sixproof.reporting.matrix.grid import CellState
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.reporting.conclusion.cluster import conclude, run
from tests.unit.reporting.samples import RUN

LONGEST = 300
"""Characters of a hint with long addresses: it is a command, which no reader cuts."""
LOST = [o for o in Outcome if o not in (Outcome.ALLOWED, Outcome.UNKNOWN)]


def wrong(outcome: Outcome, family: Family = Family.IPV6) -> Conclusion:
    """The conclusion where flows to worker from others come to this."""

    def rule(flow: Flow) -> Outcome:
        hit = flow.destination.node == "worker" != flow.source.node and flow.family is family
        return outcome if hit else Outcome.ALLOWED

    (one,) = conclude(run(rule)).every
    assert not one.known
    return one


def assert_useful(fits: hints.Hints) -> None:
    """At least two causes, then how they are told apart."""
    *causes, last = fits
    assert len(causes) in (2, 3)
    assert last.startswith("to find out: ")
    assert not any(cause.startswith("to find out") for cause in causes)
    assert all(len(line) <= LONGEST for line in fits)


@pytest.mark.parametrize(
    "outcome", [o for o in LOST if o not in (Outcome.WRONG, Outcome.DNS_FAILED)], ids=str
)
def test_flows_that_fail_have_causes_that_fit(outcome: Outcome) -> None:
    """Several, with the command that tells them apart, for the family and the nodes."""
    for family in Family:
        one = wrong(outcome, family)
        assert_useful(one.fits)
        other = Family.IPV4 if family is Family.IPV6 else Family.IPV6
        command = one.fits[-1]
        assert f"ip -{other.version} " not in command
        assert "ip6tables" not in command or family is Family.IPV6


@pytest.mark.parametrize("kind", [k for k in MatrixKind if k is not MatrixKind.FLOWS], ids=str)
def test_every_kind_of_result_has_causes_that_fit(kind: MatrixKind) -> None:
    """Where an answer, a size, an address or a state is wrong, or nothing came."""
    (place,) = wrong(Outcome.DROPPED).faults
    silent = kind in (MatrixKind.DNS_QUESTIONS, MatrixKind.HEALTH)
    (told,) = wrong(Outcome.DROPPED if silent else Outcome.WRONG).faults
    pattern = dataclasses.replace(told.pattern, kind=kind)
    assert_useful(hints.fits(dataclasses.replace(place, pattern=pattern)))


def test_late_lookups_have_causes_of_their_own() -> None:
    """Not those of wrong ones."""
    (told,) = wrong(Outcome.WRONG).faults
    late = dataclasses.replace(told.pattern, kind=MatrixKind.LOOKUPS)
    fits = hints.fits(dataclasses.replace(told, pattern=late))
    assert_useful(fits)
    assert any("kubernetes/kubernetes 56903" in line for line in fits)
    (lost,) = wrong(Outcome.DROPPED).faults
    other = dataclasses.replace(lost.pattern, kind=MatrixKind.LOOKUPS)
    assert "resolv.conf" in hints.fits(dataclasses.replace(lost, pattern=other))[-1]


@pytest.mark.parametrize("state", [CellState.LEAK, CellState.OTHER], ids=str)
def test_what_was_to_be_denied_has_causes_that_fit(state: CellState) -> None:
    """It was carried, or denied in another way."""
    (place,) = wrong(Outcome.REFUSED).faults
    pattern = dataclasses.replace(place.pattern, state=state)
    assert_useful(hints.fits(dataclasses.replace(place, pattern=pattern)))


def test_answers_that_are_lost_are_looked_for_on_their_way_back() -> None:
    """The route to the client's address, where the server is."""
    one = wrong(Outcome.REPLY_LOST)
    source = one.faults[0].pattern.cells[0].observation.flow.source
    assert f"ip -6 route get {source.address(Family.IPV6)} on worker" in one.fits[-1]


def test_a_node_at_both_ends_is_named_once() -> None:
    """What fails within it."""

    def rule(flow: Flow) -> Outcome:
        inside = flow.source.node == flow.destination.node == "worker"
        return Outcome.DROPPED if inside else Outcome.ALLOWED

    (one,) = conclude(run(rule)).every
    assert one.fits[-1].endswith(" on worker while it is tried (where is the packet last seen?)")


def told(outcome: CaseOutcome = CaseOutcome.FAILED, **changes: object) -> tuple[str, ...]:
    """What fits a test without a matrix."""
    case = Case("suites/x/t.py::t", outcome, message="it is not as it must be")
    cases = (dataclasses.replace(case, **changes),)  # type: ignore[arg-type]
    (one,) = conclude(Results(RUN, cases=cases)).every
    return one.fits


@pytest.mark.parametrize(
    "category", [Category.LEAK, Category.OVER_BLOCK, Category.DNS, Category.MTU], ids=str
)
def test_a_test_without_a_matrix_has_causes_that_fit_its_class(category: Category) -> None:
    """By the class that its verdict names."""
    assert_useful(told(categories=(category.value,)))


def test_a_test_of_another_class_leads_to_what_it_is_about() -> None:
    """A node, or an object with its namespace; without one nothing is said, nor of what broke."""
    node = (Subject.of_node("worker"),)
    assert told(subjects=node) == (
        "to find out: the log of calico-node on worker, and kubectl describe node worker",
    )
    pod = (Subject.of_pod("shop", "web-1", "worker"),)
    assert told(subjects=pod) == ("to find out: kubectl describe pod -n shop web-1",)
    called = (Subject("pod", "a on worker", "worker"),)
    assert told(subjects=called) == told(subjects=node)
    assert told() == ()
    assert told(CaseOutcome.BROKEN, subjects=node) == ()
