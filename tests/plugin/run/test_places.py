"""A run works wherever it is started, beside other plugins; its reports lie where one looks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin.conftest import ROOT
from tests.plugin.played import PlayedCluster


def pytest_in(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest from a directory."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


SUITE = "suites/preflight/test_api.py"


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param((f"{ROOT}/suites/preflight", "--rootdir", "."), id="another rootdir"),
        pytest.param((f"{ROOT}/suites/preflight", "-c", "other.ini"), id="another configuration"),
        pytest.param(("--pyargs", "suites.preflight", "-p", "fixtures.plugin"), id="a package"),
    ],
)
def test_our_suites_are_live_wherever_pytest_takes_its_root(
    project: pytest.Pytester, cluster: PlayedCluster, arguments: tuple[str, ...]
) -> None:
    """The preflight of this checkout runs against the cluster, whatever the rootdir."""
    elsewhere = project.path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "other.ini").write_text("[pytest]\n", encoding="utf-8")
    done = pytest_in(elsewhere, *arguments)
    assert "KeyError" not in done.stdout
    assert " passed" in done.stdout, done.stdout + done.stderr
    assert "3 host-network agents are ready" in done.stdout
    assert (elsewhere / "reports/latest/results.json").exists()
    assert cluster.namespaces == {}


def test_a_run_that_cannot_begin_leaves_the_last_report(
    project: pytest.Pytester, cluster: PlayedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a wrong name, nor a question to pytest, nor a cluster that is not there, costs a
    report, wherever it lies."""
    named = ("--six-report-dir", "named")
    assert project.runpytest_subprocess("suites").ret == 0
    assert project.runpytest_subprocess("suites", *named).ret == 0
    held = {p: p.read_bytes() for p in project.path.glob("reports/latest/*.*")}
    held |= {p: p.read_bytes() for p in project.path.glob("named/*.*")}
    assert {p.name for p in held} >= {"results.json", "overview.html", "junit.xml"}
    monkeypatch.setenv("KUBECONFIG", "nothere")
    for arguments in (
        ("suites/typo",),
        ("suites", "-k", "typo", *named),
        ("suites", "--fixtures", *named),
        ("suites", *named),
    ):
        asked = "--fixtures" in arguments
        assert bool(project.runpytest_subprocess(*arguments).ret) is not asked
    assert {p: p.read_bytes() for p in held} == held
    assert len(list(project.path.glob("reports/runs/*"))) == 1


@pytest.mark.parametrize("place", ["taken", "/proc/nothere"])
def test_where_no_report_can_be_written_nothing_begins(
    project: pytest.Pytester, cluster: PlayedCluster, place: str
) -> None:
    """One line, exit 4, before anything is connected to."""
    (project.path / "taken").write_text("mine", encoding="utf-8")
    result = project.runpytest_subprocess("suites", "--six-report-dir", place)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert cluster.seen == []
    said = [line for line in result.errlines if "cannot be written" in line]
    assert len(said) == 1
    assert "Traceback" not in result.stderr.str()


def test_an_empty_report_directory_is_the_default(
    project: pytest.Pytester, cluster: PlayedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty variable names no directory, least of all the one where the user stands."""
    monkeypatch.setenv("SIX_REPORT_DIR", "")
    project.runpytest_subprocess("suites")
    assert (project.path / "reports/latest/results.json").exists()
    assert not (project.path / "results.json").exists()


def test_a_warning_of_another_plugin_ends_no_run(tmp_path: Path) -> None:
    """Warnings are errors in the harness's own tests only, not where suites run."""
    (tmp_path / "foreign.py").write_text(
        "import warnings\n\n"
        "def pytest_collection_modifyitems():\n    warnings.warn('old', DeprecationWarning)\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "suites/preflight", "--collect-only", "-q", "-pforeign"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DeprecationWarning: old" in done.stdout


def test_everything_can_be_collected_at_once(tmp_path: Path) -> None:
    """`pytest .` meets no error."""
    done = pytest_in(ROOT, ".", "--collect-only", "-q", "-k", "nothing_of_this_name")
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout[-2000:]
