"""Clusters that cannot run the probe pods: one clear cause, and nothing else runs."""

from __future__ import annotations

from pathlib import Path

import pytest

import testbed
from sixproof.reporting.results.test_record import CaseOutcome
from tests.faults.conftest import SuiteRun, run_suites

pytestmark = pytest.mark.bed


def test_an_image_that_cannot_be_pulled_is_one_clear_cause(
    tmp_path: Path, bed: testbed.Bed
) -> None:
    """A wrong --six-image: the image, the registry's refusal and the option are named."""
    suite_run = run_suites(
        tmp_path, "suites", "--six-image", "localhost:1/nobody/none:1", "--six-ready-timeout", "40"
    )
    cause = only_cause(suite_run)
    assert "localhost:1/nobody/none:1" in cause
    assert "--six-image" in cause


def test_a_taint_that_is_not_tolerated_is_one_clear_cause(tmp_path: Path, bed: testbed.Bed) -> None:
    """Probe pods that nobody schedules: the taint and the option are named."""
    node = next(n.name for n in bed.nodes if n.role == "control-plane")
    words = ["--six-nodes", node, "--six-tolerations", "none", "--six-ready-timeout", "10"]
    suite_run = run_suites(tmp_path, "suites", *words)
    cause = only_cause(suite_run)
    assert "taint" in cause
    assert "--six-tolerations" in cause


def only_cause(suite_run: SuiteRun) -> str:
    """The text of the one blocker; everything but the preflight was not run."""
    (blocker,) = (f for f in suite_run.results.findings if f.severity.value == "blocker")
    ran = [c for c in suite_run.results.cases if c.outcome is not CaseOutcome.NOT_RUN]
    assert all("suites/preflight" in case.nodeid for case in ran)
    (failed,) = suite_run.cases(CaseOutcome.FAILED)
    assert "probe" in failed.nodeid
    assert suite_run.cases(CaseOutcome.BROKEN) == ()
    assert len(suite_run.cases(CaseOutcome.NOT_RUN)) > 20
    assert suite_run.status == 1
    return str(blocker)
