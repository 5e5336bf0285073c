"""What the tests of faults showed, in lines of JSON: each run of the suites, and how each test
ended. A file grows over several sessions, perhaps over several commits."""

from __future__ import annotations

import ast
import dataclasses
import functools
import hashlib
import json
from pathlib import Path

from filelock import FileLock

from sixproof import records
from tests.faults.injection import ROOT


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """One run of the suites on a bed, which is a variant's name.

    `suites` are pytest's arguments, of a path of the machine the last part. `faults` are those in
    force, as words of ``faults inject``: none on a healthy bed. `red` are the tests that failed or
    broke, `unproven` those that proved nothing. `seconds` is how long the run
    took, `detected` how long its tests took until the first of them had failed: None where none
    did, or where several ran at a time. `first_line` is what the run concludes and
    what to do, "" for nothing. `cluster` has the versions of Kubernetes and of its network. `late`
    says that a run is red for what it could not measure alone.
    """

    bed: str
    faults: tuple[str, ...]
    suites: tuple[str, ...]
    passed: int
    red: tuple[str, ...]
    unproven: tuple[str, ...]
    first_line: str
    seconds: float
    detected: float | None = None
    cluster: str = ""
    late: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Proof:
    """What one test of faults showed, of `collected` that there are.

    `commit` is the last one that changed the code, `source` the digest of the test itself: what
    other tests assert changes nothing of what this one showed. `day` is that on which it ran
    (YYYY-MM-DD). `passed` says that everything it asserts held, `failure` what did not. `faults`
    are all that it injected, `words` those that the first line of a conclusion must have, `missing`
    those that it had not.
    """

    test: str
    commit: str
    day: str
    collected: int
    passed: bool
    failure: str = ""
    faults: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()
    words: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    source: str = ""

    @property
    def broken(self) -> tuple[Trial, ...]:
        """The runs with a fault in force."""
        return tuple(trial for trial in self.trials if trial.faults)

    @property
    def found(self) -> bool:
        """Whether a run with a fault in force was red."""
        return any(trial.red for trial in self.broken)

    @property
    def visible(self) -> bool:
        """Whether it injected a fault that a run must show. A test that passed although nothing was
        red asserts just that: what it injects is harmless alone."""
        return bool(self.faults) and (self.found or not self.passed)

    @property
    def alarms(self) -> tuple[Trial, ...]:
        """The runs that were red without a fault. Where the test passed it made them red itself, by
        policies of its own for example; what could not be measured is counted by itself."""
        red = (trial for trial in self.trials if trial.red and not trial.faults)
        return () if self.passed else tuple(trial for trial in red if not trial.late)

    @property
    def unmeasured(self) -> tuple[Trial, ...]:
        """The runs without a fault that could not measure everything, and found nothing wrong."""
        return tuple(trial for trial in self.trials if trial.late and not trial.faults)


@functools.cache
def source_of(test: str) -> str:
    """The digest of a test's source: its file without the other tests, as the first twelve
    hexadecimal digits of a SHA-256; "" where there is no such file."""
    file, _, name = test.partition("::")
    path = ROOT / file
    if not path.is_file():
        return ""
    text = path.read_text(encoding="utf-8")
    parts = [
        ast.dump(node)
        for node in ast.parse(text).body
        if not isinstance(node, ast.FunctionDef)
        or not node.name.startswith("test_")
        or node.name == name.partition("[")[0]
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def kept(path: Path, store: Path, commit: str) -> None:
    """Add to the file at `path` what the `store` has of this commit and the file has not: what was
    shown on another machine is not shown again.

    Raises:
        OSError: a file cannot be read or written.
        RecordError: a line of this commit is not what `add` writes.
    """
    known = {proof.test for proof in read(path, commit)}
    for proof in read(store, commit):
        if proof.test not in known:
            add(path, proof)


def add(path: Path, proof: Proof) -> None:
    """Add a line to the file; several processes may.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(records.to_json(proof)).encode()
    with FileLock(path.with_suffix(".lock")), path.open("a+b") as stream:
        stream.seek(max(0, stream.tell() - 1))
        unfinished = stream.read(1) not in (b"", b"\n")  # what a killed process left
        stream.write(b"\n" * unfinished + line + b"\n")


def read(path: Path, commit: str) -> tuple[Proof, ...]:
    """What tests showed of this commit as they are now, the last of each test; nothing where there
    is no file. A line that a killed process left unfinished is passed over.

    Raises:
        RecordError: a line of this commit is not what `add` writes.
    """
    found: dict[str, Proof] = {}
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and value.get("commit") == commit:
            proof = records.from_json(Proof, value)
            if proof.source == source_of(proof.test):
                found[proof.test] = proof
    return tuple(found.values())
