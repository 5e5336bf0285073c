"""However a run ends, and whoever fails at its end, nothing of it stays on the (played) cluster."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from tests.listening import listening
from tests.plugin.played import NAMESPACES, PlayedCluster
from tests.unit.kube.server import Seen

PATIENCE = 120.0


class Running:
    """A run of the project in a process of its own."""

    def __init__(self, project: pytest.Pytester, cluster: PlayedCluster, *arguments: str) -> None:
        self._cluster = cluster
        self.process = subprocess.Popen(
            listening("-u", "-m", "pytest", *(arguments or ("suites",))),
            cwd=project.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until_seen(self, wanted: Callable[[Seen], bool]) -> None:
        """Wait for a request to the API server."""
        self._until(lambda: any(wanted(s) for s in list(self._cluster.seen)))

    def until_said(self, text: str) -> None:
        """Read what it prints, up to a line with this text."""
        assert self.process.stdout is not None
        assert any(text in line for line in self.process.stdout), f"{text!r} was never printed"

    def until_answered(self, text: str) -> None:
        """Wait for a line on standard error."""
        assert self.process.stderr is not None
        assert any(text in line for line in self.process.stderr), f"{text!r} was never printed"

    def end(self) -> tuple[int, str]:
        """Its exit status and the rest of what it prints."""
        said, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said + errors

    def kill(self) -> None:
        """End it however it stands."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def _until(self, seen: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not seen():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)


def makes_pods(seen: Seen) -> bool:
    """A request that makes a pod."""
    return seen.method == "PATCH" and "/pods/" in seen.path


def deletes_namespace(seen: Seen) -> bool:
    """A request that deletes a namespace."""
    return seen.method == "DELETE" and seen.path.startswith(NAMESPACES) and "/pods" not in seen.path


@pytest.fixture
def running(project: pytest.Pytester, cluster: PlayedCluster) -> Iterator[Callable[..., Running]]:
    """Starts runs, and ends those that do not end by themselves."""
    begun: list[Running] = []

    def start(*arguments: str) -> Running:
        begun.append(Running(project, cluster, *arguments))
        return begun[-1]

    yield start
    for run in begun:
        run.kill()


@pytest.mark.parametrize(
    ("name", "workers"), [("SIGINT", ()), ("SIGTERM", ()), ("SIGHUP", ()), ("SIGINT", ("-n", "2"))]
)
def test_a_signal_while_pods_start_leaves_nothing(
    cluster: PlayedCluster,
    running: Callable[..., Running],
    name: str,
    workers: tuple[str, ...],
) -> None:
    """Pods that are still starting are removed as well as those that run, with pytest's status."""
    cluster.ready.clear()
    run = running("suites", *workers)
    run.until_seen(makes_pods)
    run.process.send_signal(signal.Signals[name])
    status, said = run.end()
    assert cluster.namespaces == {}
    assert status == pytest.ExitCode.INTERRUPTED
    assert name in said
    assert "Traceback" not in said


def test_a_closed_pipe_leaves_nothing(
    cluster: PlayedCluster, running: Callable[..., Running]
) -> None:
    """Who reads only the beginning (`| head`) ends the run, and it cleans up."""
    cluster.ready.clear()  # nothing more is said until the pipe is closed
    run = running()
    run.until_said("probe pods created")
    assert run.process.stdout is not None
    run.process.stdout.close()
    cluster.ready.set()
    assert run.process.stderr is not None
    errors = run.process.stderr.read()
    assert run.process.wait(timeout=PATIENCE) == pytest.ExitCode.INTERRUPTED, errors
    assert cluster.namespaces == {}
    assert "Traceback" not in errors


@pytest.mark.parametrize("first", ["SIGINT", "SIGTERM"])
def test_a_second_signal_does_not_stop_the_cleaning_up(
    cluster: PlayedCluster, running: Callable[..., Running], first: str
) -> None:
    """SIGINT and then SIGTERM, or SIGTERM twice, as CI systems send them: what was begun is
    finished, in one line."""
    cluster.ready.clear()
    cluster.may_delete.clear()
    run = running()
    run.until_seen(makes_pods)
    run.process.send_signal(signal.Signals[first])
    run.until_seen(deletes_namespace)
    run.process.send_signal(signal.SIGTERM)
    run.until_answered("SIGTERM while the run ends: cleaning up goes on")
    cluster.may_delete.set()
    status, said = run.end()
    assert cluster.namespaces == {}
    assert status == pytest.ExitCode.INTERRUPTED
    assert "Traceback" not in said


def test_a_user_who_insists_is_shown_what_is_left(
    cluster: PlayedCluster, running: Callable[..., Running]
) -> None:
    """A third signal while an API server does not answer ends the run at once, and one line says
    how to remove what is left."""
    cluster.ready.clear()
    cluster.may_delete.clear()
    run = running()
    run.until_seen(makes_pods)
    run.process.send_signal(signal.SIGINT)
    run.until_seen(deletes_namespace)
    for word in ("cleaning up goes on", "not waiting for deletions"):
        run.process.send_signal(signal.SIGTERM)
        run.until_answered(word)
    run.process.send_signal(signal.SIGTERM)
    run.until_said("this removes: pytest --six-cleanup")
    cluster.may_delete.set()
    status, said = run.end()
    assert status == pytest.ExitCode.INTERRUPTED
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "hook", ["pytest_sessionfinish", "pytest_unconfigure", "pytest_sixproof_ready"]
)
def test_another_plugin_that_fails_leaves_nothing(
    project: pytest.Pytester, cluster: PlayedCluster, hook: str
) -> None:
    """Cleaning up depends on nobody else's hook; nor do the reports."""
    (project.path / "failing.py").write_text(
        f"def {hook}():\n    raise OSError('no space left')\n", encoding="utf-8"
    )
    result = project.runpytest_subprocess("suites", "-p", "failing", "-p", "no:cacheprovider")
    assert cluster.seen
    assert cluster.namespaces == {}
    assert "no space left" in result.stdout.str() + result.stderr.str()
    written = (project.path / "reports/latest/results.json").exists()
    assert written or hook == "pytest_sixproof_ready"


@pytest.mark.parametrize(
    ("words", "status"),
    [((), 0), (("-W", "error::pytest.PytestCacheWarning"), 1)],
    ids=["warns", "raises"],
)
def test_a_cache_that_cannot_be_written_leaves_nothing(
    project: pytest.Pytester, cluster: PlayedCluster, words: tuple[str, ...], status: int
) -> None:
    """pytest's own plugin that writes it warns at the end of the session, or raises there."""
    result = project.runpytest_subprocess("suites", "-o", "cache_dir=/proc/nope", *words)
    said = result.stdout.str() + result.stderr.str()
    assert "PytestCacheWarning: could not create cache path /proc/nope" in said
    assert cluster.seen
    assert cluster.namespaces == {}
    assert (project.path / "reports/latest/results.json").exists()
    assert result.ret == status
