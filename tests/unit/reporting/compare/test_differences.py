"""What differs between two runs: conclusions by code and object, tests, ports, findings."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sixproof.errors import Subject
from sixproof.model import Family, Finding, Severity
from sixproof.reporting.compare.differences import ComparedItem, ComparedKind
from sixproof.reporting.results.application_record import ApplicationRow, Readiness
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import CaseOutcome
from tests.unit.reporting.compare.two_runs import (
    BROKEN,
    FAILED,
    MESH,
    OTHER,
    PASSED,
    case,
    compared,
    found,
    mesh,
    named,
    on,
    over,
    run,
    said,
)
from tests.unit.reporting.conclusion import cluster
from tests.unit.reporting.conclusion.cluster import FACTS, across, examined, node
from tests.unit.reporting.samples import Rule, pods, works

CAUSE, TEST = ComparedKind.CAUSE, ComparedKind.TEST
FORWARDING = "net/ipv6/conf/all/forwarding"
SYSCTL = "sysctl: node worker"


def without_forwarding(number: int, *names: str, lost: Rule | None = None) -> Results:
    """A run in which these nodes do not forward IPv6, and flows are lost of it."""
    changed = {name: node(name, sysctls={**node(name).sysctls, FORWARDING: "0"}) for name in names}
    rule = lost or (across(Family.IPV6, *names) if names else works)
    made = cluster.run(rule, examined(changed) if names else None)
    return dataclasses.replace(made, run=named(number), facts=FACTS)


def the_cause(before: Results, after: Results) -> ComparedItem:
    """The only conclusion of both runs."""
    (one,) = found(compared(before, after), CAUSE)
    return one


def test_a_cause_is_new() -> None:
    """Nothing failed before."""
    one = the_cause(without_forwarding(1), without_forwarding(2, "worker"))
    assert (one.difference, one.key) == ("new", SYSCTL)
    assert one.said.startswith("node worker: ")
    assert one.why == "144 results of it right before"


def test_a_cause_is_still_there() -> None:
    """By its code and object."""
    one = the_cause(without_forwarding(1, "worker"), without_forwarding(2, "worker"))
    assert (one.difference, one.key, one.why) == ("still there", SYSCTL, "")


def test_a_cause_is_gone_where_all_of_it_was_measured_again() -> None:
    """And is right."""
    one = the_cause(without_forwarding(1, "worker"), without_forwarding(2))
    assert (one.difference, one.key) == ("gone", SYSCTL)
    assert one.why == "all 144 results that showed it are right"


def test_a_cause_of_another_node_is_another() -> None:
    """One gone, one new; the cells between both nodes were wrong before."""
    comparison = compared(without_forwarding(1, "worker"), without_forwarding(2, "worker2"))
    assert said(comparison, CAUSE)["sysctl: node worker2"] == "new"
    assert said(comparison, CAUSE)[SYSCTL] == "changed"  # some of its cells are still wrong


def smaller(results: Results, *names: str) -> Results:
    """The same run over these nodes alone."""
    kept = pods(nodes=names)
    measured = mesh(endpoints=kept, title="Pod to pod", test="suites/pods/t.py::t")
    return dataclasses.replace(results, matrices=(measured,))


def test_a_cause_that_was_not_measured_again_is_not_gone() -> None:
    """The node took no part in the later run."""
    after = smaller(without_forwarding(2), "control-plane", "worker2")
    one = the_cause(without_forwarding(1, "worker"), after)
    assert one.difference == "not comparable"
    assert one.why == "144 of 144 results that showed it were not measured again"


def test_a_cause_that_was_measured_again_in_part_is_not_gone() -> None:
    """The rest of it may still be there."""
    after = smaller(without_forwarding(2), "worker", "worker2")
    one = the_cause(without_forwarding(1, "worker"), after)
    assert one.why == "72 of 144 results that showed it were not measured again"


def test_a_test_that_ran_but_measured_nothing_does_not_end_a_cause() -> None:
    """It was skipped."""
    skipped = dataclasses.replace(
        without_forwarding(2),
        matrices=(),
        cases=(case(CaseOutcome.SKIPPED, "suites/pods/t.py::t"),),
    )
    one = the_cause(without_forwarding(1, "worker"), skipped)
    assert one.difference == "not comparable"


def test_the_same_failures_under_another_cause_are_no_new_ones() -> None:
    """No rule knows why any more."""
    lost = across(Family.IPV6, "worker")
    unknown = dataclasses.replace(cluster.run(lost), run=named(2), facts=FACTS)
    comparison = compared(without_forwarding(1, "worker"), unknown)
    ways = {one.difference: one.why for one in found(comparison, CAUSE)}
    assert set(ways) == {"changed"}
    assert not comparison.worse
    whys = [one.why for one in found(comparison, CAUSE)]
    assert whys == [
        "the same failed in the earlier run, and is explained otherwise",
        "144 of 144 results that showed it are still wrong, and are explained otherwise",
    ]


def test_a_cause_that_reaches_more_has_changed() -> None:
    """Another family of the same place."""
    both: Rule = lambda flow: across(flow.family, "worker")(flow)  # noqa: E731
    before, after = (run(1, mesh(on("worker"))), run(2, mesh(both)))
    ways = {
        one.key: (one.difference.value, one.why) for one in found(compared(before, after), CAUSE)
    }
    assert len(ways) == 1, ways
    ((how, why),) = ways.values()
    assert how == "changed"
    assert "now over IPv4, too" in why
    assert "144 failures of it new" in why


def test_a_place_without_a_cause_is_compared_by_its_place() -> None:
    """The number of its ports and cells makes no difference."""
    one = the_cause(run(1, mesh(on("worker"))), run(2, mesh(on("worker"), title="full mesh")))
    assert one.difference == "still there"
    assert one.key.startswith("no known cause, flows must be allowed: ")


def test_what_could_not_be_measured_is_no_new_cause() -> None:
    """In either run."""
    broken = run(2, cases=[case(BROKEN, message="agent lost")])
    assert the_cause(run(1, cases=[case(PASSED)]), broken).difference == "not comparable"
    one = the_cause(broken, run(3, cases=[case(PASSED)]))
    assert (one.difference, one.why) == (
        "not comparable",
        "could not be measured in the earlier run",
    )


def ended(number: int, outcome: CaseOutcome, **more: Any) -> Results:
    """A run of one test without cells."""
    return run(number, cases=[case(outcome, **more)])


NODE = Subject.of_node("worker")


def test_a_test_s_own_words_are_gone_when_it_passes() -> None:
    """Compared by the object that they are about, whatever they say."""
    before = ended(1, FAILED, subjects=(NODE,), message="MTU 1400")
    again = ended(2, FAILED, subjects=(NODE,), message="MTU 1300")
    assert the_cause(before, again).difference == "still there"
    one = the_cause(before, ended(2, PASSED))
    assert (one.difference, one.why) == ("gone", "all 1 results that showed it are right")
    new = the_cause(ended(1, PASSED), again)
    assert (new.difference, new.why) == ("new", "1 test of it passed before")


def test_a_verdict_about_a_node_that_took_no_part_is_not_gone() -> None:
    """Its test passed on the others."""
    before = ended(1, FAILED, subjects=(NODE,))
    small = mesh(endpoints=pods(nodes=("control-plane",)), test=OTHER)
    after = run(2, small, cases=[case(PASSED), case(PASSED, OTHER)])
    one = the_cause(before, after)
    assert (one.difference, one.why) == (
        "not comparable",
        "the node that it was about took no part",
    )
    (test,) = found(compared(before, after), TEST)
    assert (test.difference, test.why) == (
        "not comparable",
        "passed, and the node that it was about took no part",
    )


@pytest.mark.parametrize(
    ("was", "now", "how", "why"),
    [
        (PASSED, PASSED, "", ""),
        (PASSED, FAILED, "new", "was passed"),
        (BROKEN, FAILED, "new", "was broken"),
        (FAILED, FAILED, "still there", ""),
        (FAILED, PASSED, "gone", "was failed"),
        (CaseOutcome.XFAILED, PASSED, "gone", "was xfailed"),
        (BROKEN, PASSED, "not comparable", "measured now alone: was broken"),
        (CaseOutcome.NOT_PROVEN, PASSED, "not comparable", "measured now alone: was not proven"),
        (CaseOutcome.SKIPPED, PASSED, "", ""),
        (FAILED, CaseOutcome.SKIPPED, "not comparable", "not measured again: was failed"),
        (PASSED, CaseOutcome.SKIPPED, "not comparable", "not measured again: was passed"),
        (PASSED, None, "not comparable", "not measured again: was passed"),
        (BROKEN, CaseOutcome.SKIPPED, "not comparable", "not measured again: was broken"),
        (CaseOutcome.SKIPPED, CaseOutcome.NOT_RUN, "", ""),
        (None, PASSED, "", ""),
        (FAILED, CaseOutcome.XFAILED, "changed", "was failed, and is known not to work here"),
        (FAILED, BROKEN, "not comparable", "came to no verdict now, was failed"),
        (None, FAILED, "new", "was not run"),
    ],
)
def test_tests_are_compared_by_node_id(
    was: CaseOutcome | None, now: CaseOutcome | None, how: str, why: str
) -> None:
    """What one of the runs did not measure is not comparable."""
    before, after = (run(n, cases=[case(one)] if one else []) for n, one in ((1, was), (2, now)))
    items = found(compared(before, after), TEST)
    assert [(one.difference.value, one.why) for one in items] == ([(how, why)] if how else [])
    assert all(one.key == MESH for one in items)
    assert all(one.counts is (now in (FAILED, BROKEN) and how != "still there") for one in items)


def test_a_test_that_passed_on_fewer_nodes_is_not_gone() -> None:
    """What was wrong was not measured again."""
    small = mesh(endpoints=pods(nodes=("control-plane", "worker2")))
    (one,) = found(compared(run(1, mesh(on("worker"))), run(2, small)), TEST)
    assert one.difference == "not comparable"
    assert one.why == "passed, and 144 of 144 results that were wrong were not measured again"
    (one,) = found(compared(run(1, mesh(on("worker"))), run(2, mesh())), TEST)
    assert one.difference == "gone"


def test_a_test_that_fails_of_more_has_changed() -> None:
    """With examples of what is new."""
    comparison = compared(run(1, mesh(on("worker"))), run(2, mesh(on("worker", "worker2"))))
    (one,) = found(comparison, TEST)
    assert (one.difference, one.counts) == ("changed", True)
    assert one.why == (
        "failed before, and now of more: 72 results, as IPv6 a@control-plane -> a@worker2 "
        "tcp/8080; IPv6 a@control-plane -> a@worker2 tcp/8081"
    )


def test_a_verdict_that_turns_to_something_else_has_changed() -> None:
    """Without cells it says no more."""
    before = ended(1, FAILED, accuses=(Family.IPV4,))
    (one,) = found(compared(before, ended(2, FAILED, accuses=(Family.IPV6,))), TEST)
    assert (one.difference, one.why) == ("changed", "failed before of something else")


def test_new_cells_of_a_new_failure_are_counted() -> None:
    """The test passed before."""
    (one,) = found(compared(run(1, mesh()), run(2, mesh(over(Family.IPV6)))), TEST)
    assert one.why.startswith("was passed: 324 results, as IPv6 ")


def ports(number: int, readiness: Readiness | None, *problems: str) -> Results:
    """A run with one port of an application."""
    row = (
        () if readiness is None else (ApplicationRow("shop", "web", "80", readiness, (), problems),)
    )
    return run(number, cases=[case(FAILED, categories=("Application",))], applications=row)


READY, NOT_READY = Readiness.READY, Readiness.NOT_READY
NO_ANSWER, NOT_ASKED = Readiness.NO_ANSWER, Readiness.NOT_ASKED


@pytest.mark.parametrize(
    ("was", "now", "how"),
    [
        (READY, READY, ""),
        (READY, NOT_READY, "new"),
        (None, NOT_READY, "new"),
        (NOT_READY, NOT_READY, "still there"),
        (NOT_READY, NO_ANSWER, "changed"),
        (NOT_READY, READY, "gone"),
        (NOT_READY, NOT_ASKED, "not comparable"),
        (NOT_READY, None, "not comparable"),
        (READY, NOT_ASKED, "not comparable"),
        (NOT_ASKED, READY, ""),
    ],
)
def test_ports_of_applications(was: Readiness | None, now: Readiness | None, how: str) -> None:
    """By namespace, service and port."""
    items = found(compared(ports(1, was), ports(2, now)), ComparedKind.PORT)
    assert [one.difference.value for one in items] == ([how] if how else [])
    for one in items:
        assert one.key == "shop web 80"
        assert one.said == f"shop/web 80: {now or NOT_ASKED}"
        assert one.why == ("" if was is now else f"was {was or NOT_ASKED}")


def test_a_port_with_another_problem_has_changed() -> None:
    """And says which."""
    before = ports(1, NOT_READY, "refuses IPv6")
    items = found(compared(before, ports(2, NOT_READY, "no AAAA")), ComparedKind.PORT)
    assert [(one.difference.value, one.why, one.counts) for one in items] == [
        ("changed", "no AAAA", True)
    ]


def finding(severity: Severity = Severity.ERROR, subject: str = "node worker") -> Finding:
    """A finding."""
    return Finding("forwarding", severity, subject, "is 0")


@pytest.mark.parametrize(
    ("was", "now", "how"),
    [
        ((finding(),), (finding(),), ["still there"]),
        ((), (finding(),), ["new"]),
        ((finding(Severity.NOTE),), (finding(),), ["changed"]),
        ((finding(),), (), ["not comparable"]),
        ((finding(),), (finding(subject="node worker2"),), ["new", "not comparable"]),
        ((finding(Severity.NOTE), finding()), (finding(),), ["still there"]),
        (
            (finding(subject="IPPool six-a1b1c1-pool"),),
            (finding(subject="IPPool six-a2b2c2-pool"),),
            ["still there"],
        ),
    ],
)
def test_findings(was: tuple[Finding, ...], now: tuple[Finding, ...], how: list[str]) -> None:
    """By code and subject; one that is not reported again was perhaps not looked for."""
    comparison = compared(run(1, mesh(), findings=was), run(2, mesh(), findings=now))
    items = found(comparison, ComparedKind.FINDING)
    assert [one.difference.value for one in items] == how
    assert not any(one.counts for one in items)


def test_conclusions_come_before_tests() -> None:
    """What a reader wants first."""
    comparison = compared(run(1, mesh()), run(2, mesh(on("worker")), findings=(finding(),)))
    assert [one.kind.value for one in comparison.items] == ["conclusion", "test", "finding"]
