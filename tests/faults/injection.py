"""How tests say ``python -m testbed faults``, from outside of a run and from within one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def say(*words: str, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run ``python -m testbed faults`` with these words, for at most `timeout` seconds."""
    return subprocess.run(
        [sys.executable, "-m", "testbed", "faults", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def inject_or_exit(words: Iterable[str]) -> None:
    """Inject a fault within a run; one that cannot be proven ends the run."""
    done = say("inject", *words, timeout=60)
    if done.returncode:
        pytest.exit(f"the fault could not be injected: {done.stdout}{done.stderr}", returncode=3)


def finished(
    command: Sequence[str], *, timeout: float, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A run of the suites to its end. One that takes longer than `timeout` seconds is terminated,
    and so is one whose test is interrupted: it removes what it made, and is waited for."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True
    ) as run:
        try:
            output, errors = run.communicate(timeout=timeout)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            run.terminate()
            run.communicate()
            raise
    return subprocess.CompletedProcess(command, run.returncode, output, errors)
