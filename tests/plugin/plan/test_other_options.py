"""Options of pytest and of its other plugins do what docs/usage.md says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import CaseOutcome
from tests.plugin.played import PlayedCluster


def allure_results(directory: Path) -> list[str]:
    """The tests of which Allure has a result there, by name."""
    found = (json.loads(path.read_text("utf-8")) for path in directory.glob("*-result.json"))
    return sorted(result["fullName"].rpartition("#")[2] for result in found)


def outcomes(report: Path) -> dict[str, CaseOutcome]:
    """How each test ended, by name."""
    cases = Results.read(report / "results.json").cases
    return {case.nodeid.rpartition("::")[2]: case.outcome for case in cases}


SLOW = """
import time
import pytest

def test_first():
    assert not "broken"

@pytest.mark.parametrize("number", range(60))
def test_later(number):
    time.sleep(0.1)
"""


@pytest.mark.parametrize(("workers", "status"), [((), 1), (("-n", "2"), 2)], ids=["alone", "xdist"])
def test_the_first_failure_ends_the_run_in_order(
    project: pytest.Pytester, cluster: PlayedCluster, workers: tuple[str, ...], status: int
) -> None:
    """`-x`: pytest's own status, all reports, and nothing left on the cluster."""
    (project.path / "suites/pods/test_live.py").write_text(SLOW, encoding="utf-8")
    result = project.runpytest_subprocess("suites/pods", "-x", *workers)
    assert result.ret == status
    report = project.path / "reports/latest"
    ended = outcomes(report)
    assert ended["test_first"] is CaseOutcome.FAILED
    assert len(ended) < 61
    assert "test_first" in allure_results(report / "allure-results")
    assert (report / "overview.html").exists()
    assert cluster.namespaces == {}


def test_a_report_holds_the_allure_results_of_its_workers(
    project: pytest.Pytester, cluster: PlayedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all its tests and of no other run, without `--alluredir`; `--clean-alluredir` changes
    nothing of that, and lets a run that cannot begin remove none."""
    named = ("suites", "--six-report-dir", "named", "-n", "2")
    results = project.path / "named/allure-results"
    project.runpytest_subprocess(*named)
    assert allure_results(results) == ["test_before", "test_live", "test_live"]
    project.runpytest_subprocess(*named, "-k", "live", "--clean-alluredir")
    assert allure_results(results) == ["test_live", "test_live"]
    monkeypatch.setenv("KUBECONFIG", "nothere")
    assert project.runpytest_subprocess(*named, "--clean-alluredir").ret
    assert allure_results(results) == ["test_live", "test_live"]


KILLING = """
import os

def test_first():
    pass

def test_killed():
    os._exit(1)

def test_last():
    pass
"""


def test_a_worker_that_takes_over_keeps_the_results_of_others(
    project: pytest.Pytester, cluster: PlayedCluster
) -> None:
    """Where the user asks Allure to clean its directory, that is done once a run."""
    (project.path / "suites/pods/test_live.py").write_text(KILLING, encoding="utf-8")
    where = ("--alluredir", "mine", "--clean-alluredir")
    project.runpytest_subprocess("suites/pods", "-n", "1", *where)
    assert allure_results(project.path / "mine") == ["test_first", "test_last"]


AGAIN = """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if any(report.failed for report in reports):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""
FLAKY = """
import pytest
TRIES = {}

@pytest.fixture
def tries(request):
    TRIES[request.node.name] = TRIES.get(request.node.name, 0) + 1
    return TRIES[request.node.name]

@pytest.fixture
def second_setup(tries):
    if tries == 1:
        raise OSError("the first try had no luck")

def test_passes_in_the_end(tries):
    assert tries > 1

def test_is_skipped_in_the_end(tries):
    assert tries > 1
    pytest.skip("nothing to ask any more")

def test_is_prepared_in_the_end(second_setup):
    pass

def test_passes(tries):
    assert tries == 1
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_retry_does_not_undo_a_verdict(
    project: pytest.Pytester, cluster: PlayedCluster, workers: tuple[str, ...]
) -> None:
    """A plugin that runs failed tests again, as pytest-rerunfailures does, decides what pytest
    says; what failed once stays failed in the reports."""
    (project.path / "again.py").write_text(AGAIN, encoding="utf-8")
    (project.path / "suites/pods/test_live.py").write_text(FLAKY, encoding="utf-8")
    result = project.runpytest_subprocess("suites/pods", "-p", "again", *workers)
    result.assert_outcomes(passed=3, skipped=1)
    assert result.ret == 0
    assert outcomes(project.path / "reports/latest") == {
        "test_passes_in_the_end": CaseOutcome.FAILED,
        "test_is_skipped_in_the_end": CaseOutcome.FAILED,
        "test_is_prepared_in_the_end": CaseOutcome.BROKEN,
        "test_passes": CaseOutcome.PASSED,
    }


@pytest.mark.parametrize(
    ("options", "variable", "nodes"),
    [
        ((), "", 6),
        (("--six-profile=quick",), "", 3),
        (("--six-profile=quick", "--six-nodes=5"), "", 5),
        (("--six-profile=quick",), "4", 4),
        (("--six-profile=full",), "", 6),
    ],
)
def test_the_quick_profile_covers_three_nodes_unless_told_otherwise(
    project: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    variable: str,
    nodes: int,
) -> None:
    monkeypatch.setenv("SIX_NODES", variable)
    (project.path / "tests/test_other.py").write_text(
        "from fixtures.run.state import SETTINGS\n\n"
        "def test_other(request):\n"
        f"    assert request.config.stash[SETTINGS].nodes == {nodes}\n",
        encoding="utf-8",
    )
    assert project.runpytest_subprocess("tests", *options).ret == 0
