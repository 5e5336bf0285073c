"""Nothing is connected to before it is known which tests run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.kube.server import FakeApi, kubeconfig, serve

DISTRIBUTED = pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])


@pytest.fixture
def api(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """A played API server to which the kubeconfig of the project's runs leads."""
    played = FakeApi()
    with serve(played) as url:
        path = kubeconfig(Path(project.path, "config"), url)
        monkeypatch.setenv("KUBECONFIG", str(path))
        yield played


@DISTRIBUTED
def test_a_run_with_live_tests_connects(
    project: pytest.Pytester, api: FakeApi, workers: tuple[str, ...]
) -> None:
    """The control: live tests that are selected do reach the API server."""
    project.runpytest_subprocess("suites", *workers)
    assert api.seen


NOTHING_TO_RUN = {
    "no test of that name": (("suites", "-k", "typo"), 5),
    "no test of that name, under xdist": (("suites", "-k", "typo", "-n", "2"), 5),
    "no test of that mark": (("suites", "-m", "serial"), 5),
    "no such folder": (("suites/nothere",), 4),
    "no such test, under xdist": (("suites/pods/test_live.py::nothere", "-n", "2"), 4),
    "all deselected": (("suites", "--deselect", "suites"), 5),
    "only a test of another folder, under xdist": (("suites", "tests", "-k", "other", "-n2"), 0),
    "an unknown setting": (("suites", "-o", "six_typo=1"), 4),
    "an unknown setting, under xdist": (("suites", "-o", "six_typo=1", "-n", "2"), 4),
    "fixtures": (("suites", "--fixtures"), 0),
    "fixtures of tests": (("suites", "--fixtures-per-test"), 0),
    "the plan of fixtures": (("suites", "--setup-plan"), 0),
    "markers": (("suites", "--markers"), 0),
    "cache": (("suites", "--cache-show"), 0),
    "collection": (("suites", "--collect-only"), 0),
}


@pytest.mark.parametrize(("arguments", "status"), NOTHING_TO_RUN.values(), ids=NOTHING_TO_RUN)
def test_nothing_to_run_asks_for_no_cluster(
    project: pytest.Pytester, api: FakeApi, arguments: tuple[str, ...], status: int
) -> None:
    """Where no live test is going to run, not one request is made."""
    result = project.runpytest_subprocess(*arguments)
    assert api.seen == []
    assert result.ret == status


@DISTRIBUTED
def test_a_file_that_cannot_be_read_asks_for_no_cluster(
    project: pytest.Pytester, api: FakeApi, workers: tuple[str, ...]
) -> None:
    """A collection error is reported as by pytest itself, once, before anything is connected to."""
    (project.path / "suites/pods/test_broken.py").write_text("import nothere\n", encoding="utf-8")
    result = project.runpytest_subprocess("suites", *workers)
    assert api.seen == []
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*Interrupted: 1 error during collection*", "*1 error in *"])


def test_without_a_test_no_worker_is_started(project: pytest.Pytester, api: FakeApi) -> None:
    """What is selected is known before xdist starts its workers."""
    result = project.runpytest_subprocess("suites", "-k", "typo", "-n", "2")
    assert "workers [" not in result.stdout.str()
    result.stdout.fnmatch_lines(["*3 deselected*"])


def test_only_what_failed_last_is_selected(project: pytest.Pytester, api: FakeApi) -> None:
    """`--last-failed` counts too: with only another folder's failure to run again, no cluster."""
    (project.path / "tests/test_other.py").write_text("def test_other():\n    assert 0\n")
    project.runpytest_subprocess("tests").assert_outcomes(failed=1)
    result = project.runpytest_subprocess("suites", "tests", "--last-failed", "-n2")
    assert api.seen == []
    result.assert_outcomes(failed=1)
