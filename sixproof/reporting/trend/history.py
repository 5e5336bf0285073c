"""A history file: one run per line, as JSON, the oldest first. It may come from anywhere."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

from sixproof import records
from sixproof.errors import RecordError, UsageError
from sixproof.kube.api.json_fields import one_line
from sixproof.reporting.compare.baseline import reason, shown
from sixproof.reporting.trend.past_run import SCHEMA, PastRun

KEPT = 400
"""Runs that a file keeps, the latest ones: more than a year of nights."""
LARGEST = 64 << 20
"""Bytes of a file that is read."""


@dataclasses.dataclass(frozen=True)
class History:
    """The runs of a file, the oldest first; `damaged` are lines that could not be read."""

    runs: tuple[PastRun, ...] = ()
    damaged: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> History:
        """What a file holds; nothing, where there is none.

        Raises:
            UsageError: it cannot be read, or is too large.
        """
        try:
            if path.exists() and path.stat().st_size > LARGEST:
                raise UsageError(f"{shown(path)} is larger than {LARGEST >> 20} MiB")
            lines = path.read_bytes().splitlines() if path.exists() else []
        except (OSError, ValueError) as error:
            raise UsageError(f"{shown(path)} cannot be read: {reason(error)}") from error
        runs: list[PastRun] = []
        damaged: list[str] = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                runs.append(_past_run(line))
            except (RecordError, RecursionError, ValueError) as error:
                damaged.append(f"{shown(path)}, line {number}: {one_line(error, 200)}")
        return cls(tuple(runs), tuple(damaged))

    def with_run(self, run: PastRun) -> History:
        """The history with one more run; one that it has already is replaced.

        Raises:
            UsageError: the run was on another cluster.
        """
        if self.runs and self.runs[-1].elsewhere(run):
            last = self.runs[-1]
            raise UsageError(
                f"run {run.id} is of another cluster ({run.server}) than run {last.id} "
                f"({last.server}): a history is of one cluster"
            )
        others = [one for one in self.runs if one.id != run.id]
        ordered = sorted([*others, run], key=lambda one: one.started)
        return dataclasses.replace(self, runs=tuple(ordered[-KEPT:]))

    def write(self, path: Path) -> None:
        """Write all runs; lines that could not be read are gone then.

        Raises:
            UsageError: the file cannot be written.
        """
        beside = path.with_name(f"{path.name}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(_lines(self.runs), encoding="utf-8")
            beside.replace(path)
        except (OSError, ValueError) as error:
            raise UsageError(f"{shown(path)} cannot be written: {reason(error)}") from error


def _past_run(line: bytes) -> PastRun:
    value = json.loads(line)
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise ValueError(f"is no run of the schema {SCHEMA}")
    return records.from_json(PastRun, value)


def _lines(runs: Iterable[PastRun]) -> str:
    return "".join(f"{json.dumps(records.to_json(run))}\n" for run in runs)
