"""However a run ends, nothing of it stays on the cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import testbed
from sixproof.kube.api import json_fields, resources, wait
from sixproof.kube.api.client import Cluster
from sixproof.kube.runs import ownership
from tests.faults.conftest import faults
from tests.faults.injection import ROOT
from tests.listening import listening

pytestmark = pytest.mark.bed
GONE = 60.0
"""Seconds in which the cluster removes empty namespaces."""


class Runner:
    """A run of the suites under two workers, in a process group of its own; its output goes to a
    file, or through a pipe into it."""

    def __init__(self, report_dir: Path, *, piped: bool = False) -> None:
        command = listening("-m", "pytest", "suites/pods", "-n", "2", "-v")
        command += ["--six-provider", "kind", "--six-report-dir", str(report_dir)]
        self.log = report_dir.with_suffix(".log")
        self._stream = self.log.open("w", encoding="utf-8")
        self.process = subprocess.Popen(
            [*command, "-p", "no:cacheprovider"],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE if piped else self._stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )

    def until_testing(self) -> None:
        """Wait for the first verdict."""
        self.until_said(" PASSED")

    def until_said(self, text: str) -> None:
        """Wait until it has printed this."""
        deadline = time.monotonic() + 90
        while text not in self.said():
            if self.process.stdout is not None:
                self._stream.write(self.process.stdout.readline())
                self._stream.flush()
                continue
            assert self.process.poll() is None, self.said()[-2000:]
            assert time.monotonic() < deadline, self.said()[-2000:]
            time.sleep(0.2)

    def stop_reading(self) -> None:
        """Close the pipe that it writes to."""
        assert self.process.stdout is not None
        self.process.stdout.close()

    def said(self) -> str:
        """What the run printed so far."""
        return self.log.read_text(encoding="utf-8")

    def workers(self) -> list[int]:
        """The process ids of the xdist workers: children in the run's own group, unlike the agent
        outside the cluster."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        children = [int(pid) for pid in path.read_text(encoding="ascii").split()]
        return [pid for pid in children if os.getpgid(pid) == self.process.pid]

    def wait(self) -> int:
        """The exit status; the run must end by itself."""
        return self.process.wait(timeout=180)

    def close(self) -> None:
        """End what is still running of the group."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=10)
        self._stream.close()


@pytest.fixture
def runner(bed: testbed.Bed, tmp_path: Path) -> Iterator[Runner]:
    """A run that has begun to give verdicts."""
    run = Runner(tmp_path / "report")
    try:
        run.until_testing()
        yield run
    finally:
        run.close()


def held_of(cluster: Cluster, run: Runner) -> list[str]:
    """The namespaces of a run that the cluster holds now; of every run, where it never said its
    id."""
    _, _, rest = run.said().partition("sixproof: run ")
    found = cluster.list(resources.NAMESPACE, labels=ownership.selector(rest.partition(":")[0]))
    return [json_fields.name(namespace) for namespace in found]


def left_of(cluster: Cluster, run: Runner) -> list[str]:
    """What a run has left: pods now, and namespaces once the cluster had time to remove those that
    it emptied."""
    spaces = held_of(cluster, run)
    pods = [
        f"{space}/{json_fields.name(pod)}"
        for space in spaces
        for pod in cluster.list(resources.POD, space)
    ]
    gone = wait.until(lambda: held_of(cluster, run), lambda held: not held, timeout=GONE)
    return [*pods, *gone.value]


def test_ctrl_c_leaves_nothing(runner: Runner, cluster: Cluster) -> None:
    """Ctrl-C reaches the whole group; the controller still cleans up."""
    os.killpg(runner.process.pid, signal.SIGINT)
    assert runner.wait() == pytest.ExitCode.INTERRUPTED, runner.said()[-2000:]
    assert left_of(cluster, runner) == []


def test_sigterm_leaves_nothing(runner: Runner, cluster: Cluster) -> None:
    """SIGTERM, as CI systems send it, ends the run like Ctrl-C."""
    runner.process.send_signal(signal.SIGTERM)
    assert runner.wait() == pytest.ExitCode.INTERRUPTED, runner.said()[-2000:]
    assert left_of(cluster, runner) == []


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_while_probe_pods_start_leaves_nothing(
    bed: testbed.Bed, cluster: Cluster, tmp_path: Path, name: str
) -> None:
    """Before there is one verdict, the run cleans up all the same."""
    run = Runner(tmp_path / "report")
    try:
        run.until_said("probe pods created")
        run.process.send_signal(signal.Signals[name])
        assert run.wait() == pytest.ExitCode.INTERRUPTED, run.said()[-2000:]
        assert left_of(cluster, run) == []
    finally:
        run.close()


def test_a_closed_pipe_leaves_nothing(bed: testbed.Bed, cluster: Cluster, tmp_path: Path) -> None:
    """Whoever read the output is gone while probe pods start."""
    run = Runner(tmp_path / "report", piped=True)
    try:
        run.until_said("probe pods created")
        run.stop_reading()
        assert run.wait() != pytest.ExitCode.OK
        assert left_of(cluster, run) == []
    finally:
        run.close()


@pytest.mark.parametrize("first", ["SIGINT", "SIGTERM"])
def test_a_second_signal_does_not_stop_the_cleaning_up(
    runner: Runner, cluster: Cluster, first: str
) -> None:
    """SIGINT and then SIGTERM, or SIGTERM twice, as CI systems send them."""
    runner.process.send_signal(signal.Signals[first])
    time.sleep(0.5)
    runner.process.send_signal(signal.SIGTERM)
    assert runner.wait() == pytest.ExitCode.INTERRUPTED, runner.said()[-2000:]
    assert "SIGTERM while the run ends: cleaning up goes on" in runner.said()
    assert "Traceback" not in runner.said()
    assert left_of(cluster, runner) == []


def test_a_killed_worker_leaves_nothing(runner: Runner, cluster: Cluster) -> None:
    """A worker that is killed is reported, the others go on, and everything is removed."""
    os.kill(runner.workers()[0], signal.SIGKILL)
    assert runner.wait() in (0, 1), runner.said()[-2000:]
    assert "node down" in runner.said() or "crashed" in runner.said()
    assert left_of(cluster, runner) == []


def test_a3_an_api_server_that_stands_still_is_no_fault_of_the_network(
    runner: Runner, cluster: Cluster
) -> None:
    """A3: what could not be asked meanwhile is at most not measured; the run goes on and cleans
    up."""
    faults("inject", "A3", "--value", "10")
    assert runner.wait() in (0, 1), runner.said()[-2000:]
    faults("clear")
    assert " FAILED" not in runner.said()
    assert "\n  ! " not in runner.said()
    assert "Traceback" not in runner.said()
    assert left_of(cluster, runner) == []


def test_a_killed_run_leaves_nothing_after_cleanup(runner: Runner, cluster: Cluster) -> None:
    """kill -9 of the whole run leaves its namespaces; --six-cleanup finds them dead and removes
    them."""
    os.killpg(runner.process.pid, signal.SIGKILL)
    runner.process.wait(timeout=10)
    assert held_of(cluster, runner) != []
    command = [sys.executable, "-m", "pytest", "--six-cleanup", "--six-provider", "kind"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert left_of(cluster, runner) == []
