"""Part files: what each worker saw, as JSON lines that survive the worker.

One object per line, ``{"kind": "matrix", "value": {...}}``, flushed at once. A worker that is
killed while it writes leaves half a line; that is reported as damage and the rest is read.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sixproof import records
from sixproof.errors import RecordError
from sixproof.model import ClusterFacts, Finding
from sixproof.probes.nodes.examination import FailureReading
from sixproof.reporting.results.application_record import ApplicationRow
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.test_record import Case, Convergence, Foreign, foreign_findings

Part = (
    Case
    | Convergence
    | Measured
    | Finding
    | Foreign
    | ClusterFacts
    | FailureReading
    | ApplicationRow
)
_KINDS: dict[str, type[Part]] = {
    "case": Case,
    "convergence": Convergence,
    "matrix": Measured,
    "finding": Finding,
    "foreign": Foreign,
    "facts": ClusterFacts,
    "failure-reading": FailureReading,
    "application": ApplicationRow,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


class PartWriter:
    """Appends to one worker's file; the directory is made when the first part is written."""

    def __init__(self, directory: Path, worker: str = "main") -> None:
        self._path = directory / f"{worker}.jsonl"

    def write(self, part: Part) -> None:
        """Append one part.

        Raises:
            OSError: the file cannot be written.
        """
        line = json.dumps({"kind": _NAMES[type(part)], "value": records.to_json(part)})
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")


@dataclasses.dataclass(frozen=True, slots=True)
class PartFiles:
    """What all workers left, in the order of their names; `damaged` says what could not be read."""

    cases: tuple[Case, ...] = ()
    convergences: tuple[Convergence, ...] = ()
    matrices: tuple[Measured, ...] = ()
    findings: tuple[Finding, ...] = ()
    facts: ClusterFacts | None = None
    damaged: tuple[str, ...] = ()
    failures: tuple[FailureReading, ...] = ()
    applications: tuple[ApplicationRow, ...] = ()

    @classmethod
    def read(cls, directory: Path) -> PartFiles:
        """The parts of a directory, empty where there is none.

        Equal findings are kept once. A test may have been run again, by a plugin that retries or by
        a worker that took over: of cases with one node id the last that ended badly counts, else
        the last.
        """
        found: list[Part] = []
        damaged: list[str] = []
        for path in sorted(directory.glob("*.jsonl")):
            for number, part in _lines(path):
                if isinstance(part, str):
                    damaged.append(f"{path.name} line {number}: {part}")
                else:
                    found.append(part)
        facts = [p for p in found if isinstance(p, ClusterFacts)]
        return cls(
            cases=_standing(p for p in found if isinstance(p, Case)),
            convergences=tuple(p for p in found if isinstance(p, Convergence)),
            matrices=tuple(p for p in found if isinstance(p, Measured)),
            findings=(
                *dict.fromkeys(p for p in found if isinstance(p, Finding)),
                *foreign_findings(p for p in found if isinstance(p, Foreign)),
            ),
            facts=facts[-1] if facts else None,
            damaged=tuple(damaged),
            failures=tuple(p for p in found if isinstance(p, FailureReading)),
            applications=tuple(dict.fromkeys(p for p in found if isinstance(p, ApplicationRow))),
        )


def _standing(cases: Iterable[Case]) -> tuple[Case, ...]:
    """One case a test; another try does not undo a verdict."""
    standing: dict[str, Case] = {}
    for case in cases:
        known = standing.get(case.nodeid, case)
        standing[case.nodeid] = case if case.outcome.bad or not known.outcome.bad else known
    return tuple(standing.values())


def _lines(path: Path) -> Iterator[tuple[int, Part | str]]:
    """Every line's part, or what is wrong with the line."""
    with path.open(encoding="utf-8", errors="replace", newline="\n") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                yield number, _part(json.loads(line))
            except json.JSONDecodeError:
                whole = line.endswith("\n")
                yield number, "no JSON" if whole else "cut off while it was written"
            except (KeyError, TypeError, RecordError) as error:
                yield number, f"not a part: {error}"


def _part(value: dict[str, Any]) -> Part:
    return records.from_json(_KINDS[value["kind"]], value["value"])
