"""What the tests of faults showed, in lines of JSON: each run of the suites, and how each test
ended. A file grows over several sessions; of a test only what is of the same commit counts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock

from sixproof import records

NEWLINE = "\n"


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """One run of the suites on a bed.

    `faults` are those in force, as words of ``faults inject``: none on a healthy bed. `red` are the
    tests that failed or broke, `unproven` those that proved nothing. `detected` are the seconds
    that tests took until the first of them had failed (None: none did), `seconds` those of the run
    from its start to its end. `first_line` is what the run concludes, "" for nothing.
    """

    faults: tuple[str, ...]
    suites: tuple[str, ...]
    passed: int
    red: tuple[str, ...]
    unproven: tuple[str, ...]
    first_line: str
    seconds: float
    detected: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Proof:
    """What one test of faults showed. `commit` is that of the code, `bed` the variant, `day` that
    on which it ran (YYYY-MM-DD). `passed` says that everything it asserts held, `failure` what did
    not. `words` are what the first line of the conclusion must have, `missing` those that it had
    not; both are empty where the test asks for none."""

    test: str
    commit: str
    bed: str
    day: str
    passed: bool
    failure: str = ""
    trials: tuple[Trial, ...] = ()
    words: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def broken(self) -> tuple[Trial, ...]:
        """The runs with a fault in force."""
        return tuple(trial for trial in self.trials if trial.faults)

    @property
    def healthy(self) -> tuple[Trial, ...]:
        """The runs without one: nothing may be red in them."""
        return tuple(trial for trial in self.trials if not trial.faults)


def add(path: Path, proof: Proof) -> None:
    """Add a line to the file; several processes may.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(records.to_json(proof), ensure_ascii=False)
    with FileLock(path.with_suffix(".lock")), path.open("a+b") as stream:
        stream.seek(max(0, stream.tell() - 1))
        unfinished = stream.read(1) not in (b"", b"\n")  # what a killed process left
        stream.write(f"{NEWLINE * unfinished}{line}\n".encode())


def read(path: Path) -> tuple[Proof, ...]:
    """All of a file, in order; nothing where there is none. A line that a killed process left
    unfinished is passed over.

    Raises:
        RecordError: a line is JSON, but not what `add` writes.
    """
    return tuple(_read(path.read_text(encoding="utf-8").splitlines())) if path.exists() else ()


def latest(proofs: Iterable[Proof], commit: str) -> dict[str, Proof]:
    """By test, the last of this commit."""
    return {proof.test: proof for proof in proofs if proof.commit == commit}


def _read(lines: Iterable[str]) -> Iterator[Proof]:
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        yield records.from_json(Proof, value)
