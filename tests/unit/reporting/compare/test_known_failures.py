"""Which failures are new: a verdict is sacred, and what was not measured excuses nothing."""

from __future__ import annotations

from typing import Any

import pytest

from sixproof.errors import Subject
from sixproof.model import Family, Finding, Outcome, Severity
from sixproof.reporting.compare import known_failures
from sixproof.reporting.compare.known_failures import KnownFailures, Standing
from sixproof.reporting.compare.run_digest import RunDigest
from sixproof.reporting.results.application_record import ApplicationRow, Readiness
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import APPLICATION, Case, CaseOutcome
from tests.unit.reporting.compare.two_runs import (
    BROKEN,
    FAILED,
    MESH,
    OTHER,
    PASSED,
    case,
    everything,
    mesh,
    on,
    over,
    run,
)
from tests.unit.reporting.samples import Rule, between, pods

NOT_PROVEN, SKIPPED = CaseOutcome.NOT_PROVEN, CaseOutcome.SKIPPED


def judged(before: Results, after: Results) -> KnownFailures:
    """The failures of the later run."""
    return known_failures.judged(RunDigest.of(before), RunDigest.of(after))


def standing(before: Results, after: Results) -> Standing:
    """That of its only test that did not pass."""
    (one,) = judged(before, after).every
    return one.standing


def with_case(number: int, *cases: Case) -> Results:
    """A run of tests without matrices."""
    return run(number, cases=cases)


@pytest.mark.parametrize(
    ("was", "now", "how"),
    [
        (PASSED, FAILED, Standing.NEW),
        (CaseOutcome.XFAILED, FAILED, Standing.NEW),
        (FAILED, FAILED, Standing.KNOWN),
        (BROKEN, FAILED, Standing.UNKNOWN_BEFORE),
        (SKIPPED, FAILED, Standing.UNKNOWN_BEFORE),
        (NOT_PROVEN, FAILED, Standing.UNKNOWN_BEFORE),
        (CaseOutcome.NOT_RUN, FAILED, Standing.UNKNOWN_BEFORE),
        (None, FAILED, Standing.UNKNOWN_BEFORE),
        (PASSED, BROKEN, Standing.NOT_MEASURED),
        (FAILED, BROKEN, Standing.NOT_MEASURED),
        (BROKEN, BROKEN, Standing.NOT_MEASURED),
        (None, BROKEN, Standing.NOT_MEASURED),
        (PASSED, NOT_PROVEN, Standing.NEW),
        (NOT_PROVEN, NOT_PROVEN, Standing.KNOWN),
        (FAILED, NOT_PROVEN, Standing.UNKNOWN_BEFORE),
    ],
)
def test_how_a_test_ended_twice(was: CaseOutcome | None, now: CaseOutcome, how: Standing) -> None:
    """A test that breaks is never excused, not by one that broke, either."""
    before = with_case(1, *([case(was)] if was else []))
    after = with_case(2, case(now))
    assert standing(before, after) is how
    failures = judged(before, after)
    assert failures.excuses is (how is Standing.KNOWN)
    assert failures.worse is not failures.excuses
    assert bool(failures.new) is (how not in (Standing.KNOWN, Standing.NOT_MEASURED))
    assert bool(failures.unmeasured) is (how is Standing.NOT_MEASURED)
    assert bool(failures.known) is (how is Standing.KNOWN)


@pytest.mark.parametrize("now", [PASSED, SKIPPED, CaseOutcome.XFAILED, CaseOutcome.NOT_RUN])
def test_what_is_not_bad_is_no_failure(now: CaseOutcome) -> None:
    """Whatever it was before."""
    for was in CaseOutcome:
        assert judged(with_case(1, case(was)), with_case(2, case(now))).every == ()


def only_between(one: str, other: str) -> Rule:
    """IPv6 is lost between two nodes."""
    return lambda flow: (
        Outcome.DROPPED
        if flow.family is Family.IPV6 and between(flow, one, other) and one != other
        else Outcome.ALLOWED
    )


def refused(rule: Rule) -> Rule:
    """The same flows, refused instead of lost."""
    return lambda flow: Outcome.ALLOWED if rule(flow).works else Outcome.REFUSED


ONE_PAIR = only_between("control-plane", "worker")


@pytest.mark.parametrize(
    ("was", "now", "how", "number"),
    [
        pytest.param(on("worker"), on("worker"), Standing.KNOWN, 0, id="the same"),
        pytest.param(on("worker"), ONE_PAIR, Standing.KNOWN, 0, id="less"),
        pytest.param(ONE_PAIR, on("worker"), Standing.MORE, 72, id="more"),
        pytest.param(on("worker"), on("worker", "worker2"), Standing.MORE, 72, id="another node"),
        pytest.param(on("worker"), refused(on("worker")), Standing.KNOWN, 0, id="another way"),
        pytest.param(on("worker"), over(Family.IPV4), Standing.MORE, 324, id="another family"),
        pytest.param(
            everything(Outcome.UNKNOWN), on("worker"), Standing.MORE, 144, id="not measured before"
        ),
        pytest.param(
            on("worker"), everything(Outcome.UNKNOWN), Standing.NOT_MEASURED, 0, id="not now"
        ),
        pytest.param(
            everything(Outcome.UNKNOWN),
            everything(Outcome.UNKNOWN),
            Standing.NOT_MEASURED,
            0,
            id="never",
        ),
    ],
)
def test_a_test_that_failed_twice_is_compared_by_its_cells(
    was: Rule, now: Rule, how: Standing, number: int
) -> None:
    """It excuses what it showed, cell by cell, and no more."""
    (one,) = judged(run(1, mesh(was)), run(2, mesh(now))).every
    assert (one.standing, len(one.cells)) == (how, number)
    assert one.known is (how is Standing.KNOWN)


def partly_unknown(rule: Rule) -> Rule:
    """IPv4 cannot be measured."""
    return lambda flow: Outcome.UNKNOWN if flow.family is Family.IPV4 else rule(flow)


def test_what_can_no_longer_be_measured_may_hide_a_fault() -> None:
    """The wrong cells are known, and others were measured that are not now."""
    after = run(2, mesh(partly_unknown(on("worker"))))
    assert standing(run(1, mesh(on("worker"))), after) is Standing.NOT_MEASURED


def test_what_could_never_be_measured_hides_no_more_than_before() -> None:
    """The same cells are wrong, and the same were not measured."""
    same = mesh(partly_unknown(on("worker")))
    assert standing(run(1, same), run(2, same)) is Standing.KNOWN


def test_a_larger_run_shows_more() -> None:
    """Wrong cells on a node that took no part before are not known."""
    small = mesh(on("worker"), endpoints=pods(nodes=("control-plane", "worker")))
    assert standing(run(1, small), run(2, mesh(on("worker")))) is Standing.MORE
    assert standing(run(1, mesh(on("worker"))), run(2, small)) is Standing.KNOWN


def test_cells_of_another_test_excuse_nothing() -> None:
    """The same flows, asked by another test."""
    before = run(1, mesh(on("worker"), test=OTHER))
    assert standing(before, run(2, mesh(on("worker")))) is Standing.UNKNOWN_BEFORE


NODE = Subject.of_node("worker")


@pytest.mark.parametrize(
    ("was", "now", "how"),
    [
        ({}, {}, Standing.KNOWN),
        ({"subjects": (NODE,)}, {"subjects": (NODE,)}, Standing.KNOWN),
        ({"subjects": (NODE, Subject.of_node("worker2"))}, {"subjects": (NODE,)}, Standing.KNOWN),
        ({"subjects": (NODE,)}, {"subjects": (Subject.of_node("worker2"),)}, Standing.MORE),
        ({"subjects": (NODE,)}, {"subjects": (Subject.of_node("worker", "eth0"),)}, Standing.MORE),
        (
            {"subjects": (Subject.of_pod("six-a1b1c1-a", "a-x2x4z", "worker"),)},
            {"subjects": (Subject.of_pod("six-a2b2c2-a", "a-4k7pq", "worker"),)},
            Standing.KNOWN,
        ),
        ({"accuses": (Family.IPV6,)}, {"accuses": (Family.IPV6,)}, Standing.KNOWN),
        ({"accuses": (Family.IPV6,)}, {"accuses": tuple(Family)}, Standing.MORE),
        ({"accuses": tuple(Family)}, {"accuses": (Family.IPV6,)}, Standing.KNOWN),
        ({"categories": ("DNS",)}, {"categories": ("Policy leak",)}, Standing.MORE),
        ({"categories": ("DNS",)}, {"categories": ("DNS",)}, Standing.KNOWN),
        ({"message": "1 of 2"}, {"message": "2 of 2"}, Standing.KNOWN),
    ],
)
def test_a_verdict_without_cells_is_compared_by_what_it_is_about(
    was: dict[str, Any], now: dict[str, Any], how: Standing
) -> None:
    """Objects, families and classes of failure; its wording makes no difference."""
    assert standing(with_case(1, case(FAILED, **was)), with_case(2, case(FAILED, **now))) is how


def test_objects_count_beside_cells() -> None:
    """A verdict with the same wrong cells that is about one more object is not known."""
    before = run(1, mesh(on("worker")), cases=[case(FAILED)])
    after = run(2, mesh(on("worker")), cases=[case(FAILED, subjects=(NODE,))])
    assert standing(before, after) is Standing.MORE
    assert standing(after, before) is Standing.KNOWN


def test_the_class_of_failure_of_known_cells_may_differ() -> None:
    """Whether a policy is to blame is a reading of the same cells."""
    before = run(1, mesh(on("worker")), cases=[case(FAILED, categories=("IPv6-only failure",))])
    after = run(2, mesh(on("worker")), cases=[case(FAILED, categories=("Policy over-block",))])
    assert standing(before, after) is Standing.KNOWN


@pytest.mark.parametrize(
    ("was", "now", "how"),
    [
        ((), (), Standing.KNOWN),
        ((Family.IPV4,), (Family.IPV4,), Standing.KNOWN),
        ((), (Family.IPV4,), Standing.KNOWN),
        ((Family.IPV4,), (), Standing.MORE),
        ((Family.IPV4,), (Family.IPV6,), Standing.MORE),
    ],
)
def test_what_is_not_proven_is_compared_by_its_families(
    was: tuple[Family, ...], now: tuple[Family, ...], how: Standing
) -> None:
    """None named means all."""
    before = with_case(1, case(NOT_PROVEN, unproven=was))
    assert standing(before, with_case(2, case(NOT_PROVEN, unproven=now))) is how


def test_where_no_test_passed_nothing_is_excused() -> None:
    """All failed as before: nothing was shown to work."""
    before, after = (run(n, cases=[case(FAILED)]) for n in (1, 2))
    bare = Results(after.run, facts=after.facts, cases=(case(FAILED),))
    failures = known_failures.judged(RunDigest.of(before), RunDigest.of(bare))
    assert not failures.new
    assert not failures.worse
    assert not failures.excuses


@pytest.mark.parametrize(
    ("code", "severity", "blocks"),
    [
        ("probe-pods", Severity.ERROR, True),
        ("probe-pods", Severity.BLOCKER, True),
        ("probe-pods", Severity.WARNING, False),
        ("permissions", Severity.BLOCKER, True),
        ("permissions", Severity.ERROR, False),
    ],
)
def test_a_finding_that_left_something_unmeasured_is_never_known(
    code: str, severity: Severity, blocks: bool
) -> None:
    """A node, or all of it; whatever the baseline says."""
    found = (Finding(code, severity, "node worker", "not covered"),)
    failures = judged(run(1, findings=found), run(2, findings=found))
    assert bool(failures.blocked) is blocks
    assert failures.worse is blocks
    assert failures.excuses is not blocks


def applications(
    number: int, readiness: Readiness | None, *problems: str, bad: bool = True
) -> Results:
    """A run with one port of an application."""
    rows = (
        () if readiness is None else (ApplicationRow("shop", "web", "80", readiness, (), problems),)
    )
    ended = case(
        FAILED if bad else PASSED, "suites/applications/t.py::t", categories=(APPLICATION,)
    )
    return run(number, cases=[ended], applications=rows)


READY, NOT_READY = Readiness.READY, Readiness.NOT_READY
NO_ANSWER, NOT_ASKED = Readiness.NO_ANSWER, Readiness.NOT_ASKED


@pytest.mark.parametrize(
    ("was", "now", "new"),
    [
        (READY, NOT_READY, True),
        (NOT_READY, NOT_READY, False),
        (NO_ANSWER, NOT_READY, True),
        (NOT_ASKED, NOT_READY, True),
        (None, NOT_READY, True),
        (READY, NO_ANSWER, True),
        (NO_ANSWER, NO_ANSWER, False),
        (NOT_READY, READY, False),
        (NOT_READY, NOT_ASKED, False),
        (NOT_READY, None, False),
    ],
)
def test_each_port_of_an_application_counts(
    was: Readiness | None, now: Readiness | None, new: bool
) -> None:
    """All of them are one test, which failed before for others."""
    failures = judged(applications(1, was), applications(2, now))
    assert (failures.ports == (("shop", "web", "80"),)) is new
    assert failures.excuses is not new


def test_a_port_with_another_problem_is_new() -> None:
    """It was not ready for another reason; addresses of pods make no difference."""
    before = applications(1, NOT_READY, "10.96.0.9 refuses")
    assert judged(before, applications(2, NOT_READY, "10.96.0.10 refuses")).ports == ()
    assert judged(before, applications(2, NOT_READY, "no AAAA record")).ports


def test_ports_count_where_their_test_did_not_pass() -> None:
    """A test may excuse a port."""
    failures = judged(applications(1, READY), applications(2, NOT_READY, bad=False))
    assert (failures.ports, failures.every) == ((), ())


def test_a_test_is_known_under_the_node_id_of_another_root() -> None:
    """pytest was started from another directory."""
    before = with_case(1, case(FAILED, f"../clone/{MESH}"))
    assert standing(before, with_case(2, case(FAILED))) is Standing.KNOWN
