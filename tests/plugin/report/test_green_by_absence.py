"""A run is not green, and no test of it is passed, by what was not there to be measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sixproof.model import Family, Severity
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import CaseOutcome
from tests.plugin.played import REVIEWS, PlayedCluster
from tests.plugin.simulated.cluster import SimulatedCluster
from tests.plugin.test_simulated import run
from tests.unit.kube.server import Reply, Seen, refused

WORKERS = pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])


@WORKERS
def test_a_blocked_run_of_any_suite_has_failed(
    project: pytest.Pytester, cluster: PlayedCluster, workers: tuple[str, ...]
) -> None:
    """Status 1, not pytest's 5: tests were selected, and the cluster kept them from running."""
    cluster.on("POST", REVIEWS, Reply({"status": {"allowed": False}}))
    result = project.runpytest_subprocess("suites/pods", *workers)
    result.assert_outcomes(deselected=2)
    result.stdout.fnmatch_lines(["sixproof: blocker: *not allowed*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@WORKERS
def test_a_run_that_did_not_cover_a_node_has_failed(
    project: pytest.Pytester, cluster: PlayedCluster, workers: tuple[str, ...]
) -> None:
    """The rest is measured, and all of it passes; the run is red for the node, and names it."""
    cluster.broken_nodes.add("six-worker2")
    result = project.runpytest_subprocess("suites/pods", "--six-ready-timeout=1", *workers)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "sixproof: error: node six-worker2: not covered: *",
            "sixproof: run *: 6 probe pods and 2 host-network agents are ready",
        ]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_containers_that_something_added_are_named_at_once_and_in_the_report(
    project: pytest.Pytester, cluster: PlayedCluster
) -> None:
    """One line for all pods; a node that is left out is a finding of the report, too."""
    cluster.injected = ("istio-proxy",)
    result = project.runpytest_subprocess("suites/pods", "--six-nodes=2")
    result.stdout.fnmatch_lines(
        ["sixproof: warning: *: container istio-proxy was added to it, and to * more probe pods*"]
    )
    results = Results.read(project.path / "reports/latest/results.json")
    found = {finding.code: finding for finding in results.findings}
    assert found["injected-container"].severity is Severity.WARNING
    assert "six-worker2" in found["node-left-out"].subject
    assert found["node-left-out"].severity is Severity.NOTE


KILLING = """
import os

def test_passes():
    pass

def test_killed(ip_family):
    os._exit(1)
"""


def test_a_test_with_which_its_worker_ended_is_broken(
    project: pytest.Pytester, cluster: PlayedCluster
) -> None:
    """In the results as in what pytest says: nothing else could note it, and without it the report
    would speak of tests that passed."""
    (project.path / "suites/pods/test_live.py").write_text(KILLING, encoding="utf-8")
    result = project.runpytest_subprocess("suites/pods", "-n", "1")
    result.assert_outcomes(passed=1, failed=2)
    cases = Results.read(project.path / "reports/latest/results.json").cases
    assert {(case.nodeid.rpartition("::")[2], case.outcome) for case in cases} == {
        ("test_passes", CaseOutcome.PASSED),
        ("test_killed[IPv4]", CaseOutcome.BROKEN),
        ("test_killed[IPv6]", CaseOutcome.BROKEN),
    }
    killed = next(case for case in cases if case.family is Family.IPV6)
    assert "crashed while running 'suites/pods/test_live.py::test_killed[IPv6]'" in killed.message


class Silent(SimulatedCluster):
    """Refuses every read: all of them, or all but the version, which Kubernetes shows anybody."""

    def __init__(self, *, serves_version: bool) -> None:
        super().__init__()
        self._readable = {"/version"} if serves_version else set()

    def answer(self, seen: Seen) -> Reply:
        """What it answers instead of an object."""
        if seen.method == "GET" and seen.path not in self._readable:
            return refused(403, "Forbidden", f"{seen.path} is not for you")
        return super().answer(seen)


def honest(seen: Seen) -> Reply:
    """What the API server says to somebody who may make objects and see none."""
    verb = seen.body["spec"]["resourceAttributes"]["verb"]
    return Reply({"status": {"allowed": verb not in ("get", "list", "watch")}})


def unasked(_: Seen) -> Reply:
    """Not even that may be asked."""
    return refused(403, "Forbidden", "reviews are not for you")


def mistaken(_: Seen) -> Reply:
    """What the API server says where a proxy before it refuses what RBAC allows."""
    return Reply({"status": {"allowed": True}})


VERSION = "test_the_version_has_stable_dual_stack"
PERMITTED = "test_the_harness_may_do_what_it_needs"


@pytest.mark.parametrize(
    ("serves_version", "review", "looked"),
    [
        (False, honest, set()),
        (False, unasked, set()),
        (True, unasked, {VERSION}),
        (True, mistaken, {VERSION, PERMITTED}),
    ],
)
def test_where_nothing_can_be_read_no_test_of_the_preflight_passes(
    tmp_path: Path, serves_version: bool, review: Callable[[Seen], Reply], looked: set[str]
) -> None:
    """Except those that get what they ask for: a test that looked at no node, no pod and no
    range has shown nothing of them."""
    cluster = Silent(serves_version=serves_version)
    cluster.compute("POST", REVIEWS, review)
    ran = run(cluster, tmp_path, "suites/preflight")
    assert ran.of("passed") == looked, ran.text
    assert ran.status == 1
