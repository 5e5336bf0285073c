"""Two runs as a whole: clusters, notes, verdicts, times, and what else differs."""

from __future__ import annotations

import dataclasses

from sixproof.model import Family
from sixproof.reporting.compare.comparison import RunComparison, SurroundingChange
from sixproof.reporting.compare.differences import Difference
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import CaseOutcome, Convergence, RunRecord
from tests.unit import recorded
from tests.unit.reporting.compare.two_runs import case, compared, digest, mesh, on, run, without
from tests.unit.reporting.samples import facts, pods


def elsewhere(results: Results) -> Results:
    """The run on another cluster."""
    nodes = tuple(dataclasses.replace(n, name=f"x-{n.name}") for n in facts().nodes)
    return without(results, facts=dataclasses.replace(facts(), nodes=nodes))


def test_runs_on_two_clusters_are_not_compared() -> None:
    """Nothing is called new, gone or still there."""
    comparison = compared(run(1, mesh(on("worker"))), elsewhere(run(2, mesh(on("worker")))))
    assert comparison.obstacle.endswith("are not one cluster")
    assert [*comparison.items, *comparison.classes, *comparison.verdicts] == []
    assert not comparison.worse
    assert not comparison.failures.excuses


def test_equal_runs_differ_in_nothing() -> None:
    """Run ids and times make no difference."""
    comparison = compared(run(1, mesh()), run(2, mesh()))
    assert [*comparison.items, *comparison.notes, *comparison.surroundings] == []
    assert not comparison.worse
    assert comparison.failures.excuses
    assert not any(row.moved for row in comparison.classes)


def test_the_same_failures_are_not_worse() -> None:
    """They are still there, all of them."""
    comparison = compared(run(1, mesh(on("worker"))), run(2, mesh(on("worker"))))
    assert {one.difference for one in comparison.items} == {Difference.STILL}
    assert comparison.of_difference(Difference.STILL) == comparison.items
    assert comparison.of_difference(Difference.NEW) == ()
    assert not comparison.worse


def test_verdicts_of_both_runs_are_side_by_side() -> None:
    """A family at a time."""
    found = compared(run(1, mesh()), run(2, mesh(on("worker")))).verdicts
    assert [(v.family, v.before, v.after) for v in found] == [
        (Family.IPV4, "works", "works"),
        (Family.IPV6, "works", "broken"),
    ]
    only6 = compared(run(1, mesh(families=[Family.IPV6])), run(2, mesh())).verdicts
    assert [(v.before, v.after) for v in only6] == [("not measured", "works"), ("works", "works")]


def notes(before: Results, after: Results) -> list[str]:
    """What a reader must know beforehand."""
    return list(compared(before, after).notes)


def test_what_a_reader_must_know() -> None:
    """Of the order of the runs, and of what they lack."""
    one, two = run(1, mesh()), run(2, mesh())
    assert notes(one, one) == ["both are run a1b1c1"]
    assert notes(two, one) == [
        "run a2b2c2 is the later one (2026-11-02T02:00:00Z): what is called new was gone since"
    ]
    assert notes(one, without(two, run=RunRecord("x"))) == []
    assert notes(without(one, facts=None), two) == [
        "run a1b1c1 says nothing of its cluster: it may have been another one"
    ]
    assert notes(one, without(two, damaged=("gw1.jsonl line 3: cut off",))) == [
        "not all of run a2b2c2 could be read: what is missing was not measured"
    ]
    assert notes(one, without(two, cases=(case(CaseOutcome.SKIPPED),))) == [
        "no test of run a2b2c2 passed or failed"
    ]


def test_what_else_differs() -> None:
    """Versions, options and nodes; what differs between any two runs is left out."""
    common = (
        ("Kubernetes", "v1.36.0"),
        ("CNI", "Calico"),
        ("Run", "1"),
        ("Seconds to deploy", "2"),
    )
    now = (("Kubernetes", "v1.37.0"), ("CNI", "Calico"), ("Run", "2"), ("Options", "--six-nodes 2"))
    comparison = compared(run(1, mesh(), environment=common), run(2, mesh(), environment=now))
    assert comparison.surroundings == (
        SurroundingChange("Kubernetes", "v1.36.0", "v1.37.0"),
        SurroundingChange("Options", "", "--six-nodes 2"),
    )


def test_nodes_that_took_part_are_compared() -> None:
    """A cluster may have more."""
    small = mesh(endpoints=pods(nodes=("worker",)))
    (one,) = compared(run(1, mesh()), run(2, small)).surroundings
    assert one == SurroundingChange(
        "Nodes that took part", "control-plane, worker, worker2", "worker"
    )


def timed(number: int, *seconds: float, what: str = "deny all") -> Results:
    """A run with times until a change took effect over IPv6."""
    times = (
        Convergence(f"{what} {n} in six-a{number}b{number}c{number}", s, Family.IPV6, 3, "t.py::t")
        for n, s in enumerate(seconds)
    )
    return run(number, mesh(), convergences=tuple(times))


def test_times_of_changes_that_both_runs_made() -> None:
    """Medians; and the change that is much slower."""
    (one,) = compared(timed(1, 0.5, 1.0, 2.0), timed(2, 0.6, 5.0, 2.0, 9.0)).times
    assert (one.family, one.before, one.after, one.number) == ("IPv6", 1.0, 2.0, 3)
    assert one.worst == ("deny all 1 in six-*", 1.0, 5.0)
    (same,) = compared(timed(1, 1.0), timed(2, 1.9)).times
    assert same.worst is None
    assert compared(timed(1, 1.0), timed(2, 1.0, what="allow")).times == ()


def test_of_one_change_that_was_made_twice_the_longer_time_counts() -> None:
    """Twice the same name."""
    twice = (Convergence("x", 2.0), Convergence("x", 1.0))
    one, two = run(1, mesh(), convergences=twice), run(2, mesh(), convergences=twice[1:])
    (found,) = compared(one, two).times
    assert (found.family, found.before, found.after) == ("", 2.0, 1.0)


def test_whatever_a_run_wrote_can_be_compared() -> None:
    """One of everything, and one of nothing."""
    for before in (recorded.RESULTS, recorded.HOLLOW):
        for after in (recorded.RESULTS, recorded.HOLLOW):
            comparison = RunComparison.of(digest(before), digest(after))
            assert comparison.obstacle == ""
            assert not comparison.of_difference(Difference.GONE)
            assert comparison.worse is (after is recorded.RESULTS)  # it has a blocker
