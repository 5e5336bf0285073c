"""A family that the cluster does not have is said once."""

from __future__ import annotations

import pytest

from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import CaseOutcome
from tests.plugin.played import PlayedCluster


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_tests_of_a_missing_family_are_one_line(
    project: pytest.Pytester, cluster: PlayedCluster, workers: tuple[str, ...]
) -> None:
    """They are deselected with the reason in one line; the results keep them, with the reason."""
    (project.path / "suites/pods/test_more.py").write_text(
        "def test_one(ip_family):\n    pass\n\ndef test_two(ip_family):\n    pass\n",
        encoding="utf-8",
    )
    cluster.prefixes = ["fd00:10:244::"]
    result = project.runpytest_subprocess("suites", *workers)
    result.assert_outcomes(passed=4, deselected=3)
    why = "pods of this cluster have no IPv4 address"
    said = [line for line in result.outlines if line.startswith("sixproof:") and why in line]
    assert said == [f"sixproof: IPv4: {why}; 3 tests of it not run"]
    cases = Results.read(project.path / "reports/latest/results.json").cases
    kept = [c for c in cases if c.outcome is CaseOutcome.SKIPPED]
    assert [c.reason for c in kept] == [why] * 3
    assert all("IPv4" in c.nodeid for c in kept)
