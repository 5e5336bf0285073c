"""Runs of pytest inside a folder of their own, with the plugin loaded and no cluster."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.plugin.played import PlayedCluster
from tests.unit.kube.server import kubeconfig, serve

ROOT = Path(__file__).parents[2]


def ended(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """A command in a folder, run to its end, for a terminal of 200 columns."""
    return subprocess.run(
        command,
        cwd=cwd,
        env={**environment, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A checkout with one live test, one preflight test and one other test."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("KUBECONFIG", "")
    monkeypatch.setenv("HOME", str(pytester.path))
    # Each run is a process of its own, and this plugin takes it half a second to load.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")
    pytester.makeconftest('pytest_plugins = ("fixtures.plugin",)')
    pytester.makefile(
        ".toml",
        pyproject="""
        [tool.pytest]
        addopts = ["--import-mode=importlib"]
        strict_config = true
        """,
    )
    for folder in ("suites/pods", "suites/preflight", "tests"):
        pytester.mkdir(folder) if "/" not in folder else (pytester.path / folder).mkdir(
            parents=True
        )
    live = "def test_live(ip_family):\n    assert ip_family\n"
    (pytester.path / "suites/pods/test_live.py").write_text(live, encoding="utf-8")
    before = "def test_before(run_state):\n    assert not run_state.blockers\n"
    (pytester.path / "suites/preflight/test_before.py").write_text(before, encoding="utf-8")
    other = "def test_other():\n    assert True\n"
    (pytester.path / "tests/test_other.py").write_text(other, encoding="utf-8")
    return pytester


@pytest.fixture
def cluster(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedCluster]:
    """A played cluster to which the kubeconfig of the project's runs leads."""
    played = PlayedCluster()
    with serve(played) as url:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(Path(project.path, "config"), url)))
        yield played
