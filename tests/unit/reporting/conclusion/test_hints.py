"""Hints where no cause is known: what would fit, and what tells it apart."""

from __future__ import annotations

import dataclasses
import shlex

import pytest

from sixproof.errors import Subject
from sixproof.model import Family, Flow, Matrix, MatrixKind, Observation, Outcome
from sixproof.probes.nodes.examination import Examination
from sixproof.reporting.conclusion import hints
from sixproof.reporting.conclusion.conclusion import Conclusion
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.category import Category
from sixproof.reporting.diagnosis.faults import FailingPlace
from sixproof.reporting.matrix.grid import CellState
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.reporting.conclusion.cluster import conclude, examined, node, run
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


def assert_useful(hinted: hints.Hints | Conclusion) -> None:
    """At least two causes, and commands that tell them apart, each of which is one that a shell
    takes as it stands."""
    assert len(hinted.fits) in (2, 3)
    assert all(len(line) <= LONGEST for line in hinted.fits)
    assert hinted.apart
    for command in hinted.apart:
        assert shlex.split(command.line, comments=True) == shlex.split(command.text)
        assert len(str(command)) <= LONGEST


def commands(hinted: hints.Hints | Conclusion) -> str:
    """All commands, a line each."""
    return "\n".join(map(str, hinted.apart))


def fitting(place: FailingPlace) -> hints.Hints:
    """What would explain a place of a run that could read nothing."""
    return hints.fits(place, Situation(run(lambda _: Outcome.ALLOWED)))


@pytest.mark.parametrize(
    "outcome", [o for o in LOST if o not in (Outcome.WRONG, Outcome.DNS_FAILED)], ids=str
)
def test_flows_that_fail_have_causes_that_fit(outcome: Outcome) -> None:
    """Several, with the command that tells them apart, for the family and the nodes."""
    for family in Family:
        one = wrong(outcome, family)
        assert_useful(one)
        assert f"ip -{family.other.version} " not in commands(one)
        assert "ip6tables" not in commands(one) or family is Family.IPV6


@pytest.mark.parametrize("kind", [k for k in MatrixKind if k is not MatrixKind.FLOWS], ids=str)
def test_every_kind_of_result_has_causes_that_fit(kind: MatrixKind) -> None:
    """Where an answer, a size, an address or a state is wrong, or nothing came."""
    (place,) = wrong(Outcome.DROPPED).faults
    silent = kind in (MatrixKind.DNS_QUESTIONS, MatrixKind.HEALTH)
    (told,) = wrong(Outcome.DROPPED if silent else Outcome.WRONG).faults
    pattern = dataclasses.replace(told.pattern, kind=kind)
    assert_useful(fitting(dataclasses.replace(place, pattern=pattern)))


def test_what_a_small_packet_disproves_does_not_fit() -> None:
    """Where 256 bytes pass, packets are lost for their size."""
    (place,) = wrong(Outcome.DROPPED).faults
    place = dataclasses.replace(
        place, pattern=dataclasses.replace(place.pattern, kind=MatrixKind.PATHS)
    )
    flow = place.pattern.cells[0].observation.flow
    small = dataclasses.replace(flow, question="256 bytes")

    def fits(outcome: Outcome) -> str:
        path = Matrix.of("paths", [Observation(small, outcome)], MatrixKind.PATHS)
        results = run(lambda _: Outcome.ALLOWED)
        beside = dataclasses.replace(results, matrices=(*results.matrices, Measured(path)))
        return "\n".join(hints.fits(place, Situation(beside)).fits)

    assert "the smallest too" in fits(Outcome.DROPPED)
    assert "the smallest too" not in fits(Outcome.ALLOWED)


def test_late_lookups_have_causes_of_their_own() -> None:
    """Not those of wrong ones."""
    (told,) = wrong(Outcome.WRONG).faults
    late = dataclasses.replace(told.pattern, kind=MatrixKind.LOOKUPS)
    late_ones = fitting(dataclasses.replace(told, pattern=late))
    assert_useful(late_ones)
    assert any("kubernetes/kubernetes 56903" in line for line in late_ones.fits)
    (lost,) = wrong(Outcome.DROPPED).faults
    other = dataclasses.replace(lost.pattern, kind=MatrixKind.LOOKUPS)
    assert "resolv.conf" in commands(fitting(dataclasses.replace(lost, pattern=other)))


@pytest.mark.parametrize("state", [CellState.LEAK, CellState.OTHER], ids=str)
def test_what_was_to_be_denied_has_causes_that_fit(state: CellState) -> None:
    """It was carried, or denied in another way."""
    (place,) = wrong(Outcome.REFUSED).faults
    pattern = dataclasses.replace(place.pattern, state=state)
    assert_useful(fitting(dataclasses.replace(place, pattern=pattern)))


def test_answers_that_are_lost_are_looked_for_on_their_way_back() -> None:
    """The route to the client's address, where the server is."""
    one = wrong(Outcome.REPLY_LOST)
    source = one.faults[0].pattern.cells[0].observation.flow.source
    assert f"on worker: ip -6 route get {source.address(Family.IPV6)}" in commands(one)


def test_a_node_at_both_ends_is_named_once() -> None:
    """What fails within it."""

    def rule(flow: Flow) -> Outcome:
        inside = flow.source.node == flow.destination.node == "worker"
        return Outcome.DROPPED if inside else Outcome.ALLOWED

    (one,) = conclude(run(rule)).every
    assert str(one.apart[-1]).startswith("on worker: tcpdump ")
    assert str(one.apart[-1]).endswith("  # while it is tried: where is the packet seen last?")


def told(
    outcome: CaseOutcome = CaseOutcome.FAILED,
    read: Examination | None = None,
    **changes: object,
) -> Conclusion:
    """What fits a test without a matrix."""
    case = Case("suites/x/t.py::t", outcome, message="it is not as it must be")
    cases = (dataclasses.replace(case, **changes),)  # type: ignore[arg-type]
    (one,) = conclude(Results(RUN, cases=cases, examination=read)).every
    return one


@pytest.mark.parametrize(
    "category", [Category.LEAK, Category.OVER_BLOCK, Category.DNS, Category.MTU], ids=str
)
def test_a_test_without_a_matrix_has_causes_that_fit_its_class(category: Category) -> None:
    """By the class that its verdict names."""
    assert_useful(told(categories=(category.value,)))


def test_a_test_of_another_class_leads_to_what_it_is_about() -> None:
    """A node, or an object with its namespace; without one nothing is said, nor of what broke."""
    node_worker = (Subject.of_node("worker"),)
    assert commands(told(subjects=node_worker)).splitlines() == [
        "kubectl get pods -A -o wide -l k8s-app=calico-node  # then read the log of the one on "
        "worker",
        "kubectl describe node worker",
    ]
    pod = (Subject.of_pod("shop", "web-1", "worker"),)
    assert commands(told(subjects=pod)) == "kubectl describe pod -n shop web-1"
    known = examined({"worker": node("worker")})
    log, _ = told(subjects=node_worker, read=known).apart
    assert log.text == "kubectl -n kube-system logs calico-node-worker"
    called = (Subject("pod", "a on worker", "worker"),)
    assert told(subjects=called).apart == told(subjects=node_worker).apart
    assert told().apart == ()
    assert told(CaseOutcome.BROKEN, subjects=node_worker).apart == ()
