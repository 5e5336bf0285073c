"""``make proof``: runs the tests of faults and keeps what they show, then prints it as a page, and
keeps that beside it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.faults.injection import ROOT
from tests.faults.proof.page import page
from tests.faults.proof.plugin import commit
from tests.faults.proof.trials import read

TRIED = (0, 1, 5)
"""pytest's status where tests ran, or none was left to run."""


def main(arguments: Sequence[str], path: Path, run: Sequence[str]) -> int:
    """Run pytest (the command `run`) with these arguments and print the page of `path`.

    The status is pytest's own where it could not try anything, 1 where something that was tried of
    this commit is not as expected, or nothing was.
    """
    name = commit()
    status = run_to_its_end([*run, "--proof", str(path), "--proof-of", name, *arguments])
    if status not in TRIED:
        return status
    proofs = read(path, name)
    if not proofs:
        sys.stderr.write(f"{path}: nothing was shown of commit {name}\n")
        return 1
    text = f"{page(proofs, name)}\n"
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0 if all(proof.passed for proof in proofs) else 1


def run_to_its_end(command: Sequence[str]) -> int:
    """The status of a command; it and all that it started are interrupted where this process is,
    and end the runs of the suites that are under way: these clean up and are waited for."""
    started: list[subprocess.Popen[bytes]] = []
    asked = False

    def interrupt(*_: object) -> None:
        nonlocal asked
        asked = True
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)

    before = {number: signal.signal(number, interrupt) for number in ENDED_BY}
    try:
        with subprocess.Popen(command, cwd=ROOT, start_new_session=True) as process:
            started.append(process)
            if asked:  # while it was started
                interrupt()
            return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


ENDED_BY = (signal.SIGINT, signal.SIGTERM)
PYTEST = (sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup")
OPTIONS = ("--max-worker-restart", "0", "-o", "testpaths=tests/faults")
PLUGIN = ("-p", "tests.faults.proof.plugin")

if __name__ == "__main__":
    file = ROOT / "reports" / "proof.jsonl"
    sys.exit(main(sys.argv[1:], file, (*PYTEST, *OPTIONS, *PLUGIN)))
