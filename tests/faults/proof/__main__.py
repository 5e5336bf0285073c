"""``make proof``: runs the tests of faults and keeps what they show, then prints it as a page, and
keeps that beside it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sixproof import records
from tests.faults.injection import ROOT
from tests.faults.proof.page import page
from tests.faults.proof.plugin import UNKNOWN, commit
from tests.faults.proof.trials import kept, read

TRIED = (0, 1, 5)
"""pytest's status where tests ran, or none was left to run."""


def main(arguments: Sequence[str], path: Path, run: Sequence[str]) -> int:
    """Run pytest (the command `run`) with these arguments and print the page of `path`.

    What the documents have of this commit is not run again, but in a sample. With `KEEP` alone
    nothing is run: what was shown is taken over into the documents.

    The status is pytest's own where it could not try anything, 1 where something that was tried of
    this commit is not as expected, or nothing was.
    """
    name = commit()
    if arguments == [KEEP]:
        return keep(path, name)
    if not any(argument.startswith("--proof-sample") for argument in arguments):
        kept(path, STORE, name)
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


def keep(path: Path, name: str) -> int:
    """Take what was shown of this commit over into the documents: the page, and the lines with
    which another machine goes on. Returns 1 where there is nothing."""
    proofs = read(path, name)
    if not proofs or name.endswith(UNKNOWN):
        sys.stderr.write(f"{path}: nothing was shown of commit {name}\n")
        return 1
    lines = sorted(json.dumps(records.to_json(proof)) for proof in proofs)
    STORE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    STORE.with_suffix(".md").write_text(f"{HEAD}\n{page(proofs, name)}\n", encoding="utf-8")
    return 0


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
KEEP = "--keep"
STORE = ROOT / "docs" / "proof.jsonl"
HEAD = """\
# The proof

What was shown of the commit that is named below: each test of faults breaks a real bed on purpose
and says what must be red, where, and why. `make proof` makes this anew and goes on where it was
([decision 76](decisions/0076-a-proof-that-goes-on.md)); `make proof ARGS=--keep` writes this page
and, for machines that go on with it, `proof.jsonl` beside it. Columns: how many tests were red with
the fault, after how many seconds of tests the first one was, and the first line of the conclusion
with what to do.
"""
PYTEST = (sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup")
OPTIONS = ("--max-worker-restart", "0", "-o", "testpaths=tests/faults")
PLUGIN = ("-p", "tests.faults.proof.plugin")

if __name__ == "__main__":
    file = ROOT / "reports" / "proof.jsonl"
    sys.exit(main(sys.argv[1:], file, (*PYTEST, *OPTIONS, *PLUGIN)))
