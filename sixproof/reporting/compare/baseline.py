"""Reading the results of an earlier run: what is wrong with them is said before anything else is
done. The file may come from anywhere."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
from pathlib import Path
from typing import Any

from sixproof import records
from sixproof.errors import RecordError, UsageError
from sixproof.kube.api.json_fields import one_line
from sixproof.model import ClusterFacts
from sixproof.reporting.compare.run_digest import RunDigest
from sixproof.reporting.compare.same_cluster import why_another
from sixproof.reporting.conclusion.conclude import conclude
from sixproof.reporting.results.report_files import RESULTS
from sixproof.reporting.results.results_json import SCHEMA, SCHEMAS, Results

LARGEST = 1 << 30
"""Bytes of a file that is read; the results of a run of all suites have some 130 MB."""
HEAD = 4 << 20
"""Bytes of a file that hold what stands before its tests, as it is written."""


@dataclasses.dataclass(frozen=True, slots=True)
class BaselineHead:
    """The beginning of a results file: which run it is of, and its cluster where that is known."""

    path: Path
    facts: ClusterFacts | None

    def check(self, facts: ClusterFacts) -> None:
        """That it is of this cluster.

        Raises:
            UsageError: it is of another one.
        """
        if self.facts and (why := why_another(self.facts, facts)):
            raise UsageError(
                f"{shown(self.path)} is the result of another cluster: {why}; a baseline is a run "
                "on the same cluster"
            )


def shown(path: Path) -> str:
    """A path in a message."""
    return one_line(str(path), 200)


def reason(error: OSError | ValueError) -> str:
    """Why a file cannot be read or written, in a message that names the file."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def results_file(path: Path) -> Path:
    """The results of a run: the file itself, or that of a report's directory.

    Raises:
        UsageError: there is none, or it is too large.
    """
    try:
        found = path / RESULTS if path.is_dir() else path
        if found != path and not found.exists():
            raise UsageError(
                f"{shown(path.resolve())} holds no {RESULTS}: wanted the directory of a report, "
                "reports/latest, say"
            )
        status = found.stat()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{shown(path)} cannot be read: {reason(error)}; wanted the results.json of a run, or "
            "the directory of its report"
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{shown(found)} is no file, wanted the results.json of a run")
    if status.st_size > LARGEST:
        raise UsageError(f"{shown(found)} is larger than {LARGEST >> 20} MiB")
    if not os.access(found, os.R_OK):
        raise UsageError(f"{shown(found)} cannot be read: permission denied")
    return found


def head(path: Path) -> BaselineHead:
    """What the beginning of a file says, in well under a second however large it is. A file that
    was laid out anew, by another program, is judged when it is read as a whole.

    Raises:
        UsageError: there is no such file, or it is of another schema, or no results at all.
    """
    found = results_file(path)
    members = _members(found)
    if "schema" in members and members["schema"] not in SCHEMAS:
        said, known = one_line(repr(members["schema"]), 80), " and ".join(SCHEMAS)
        raise UsageError(
            f"{shown(found)}: schema is {said}, this version reads {known}; run the other version "
            "of sixproof to compare its results"
        )
    try:
        facts = records.from_json(ClusterFacts, members["facts"]) if members.get("facts") else None
    except RecordError as error:
        said = f"facts.{one_line(error, 200)}"
        raise UsageError(
            f"{shown(found)}: not of the schema {members.get('schema', SCHEMA)}: {said}"
        ) from error
    return BaselineHead(found, facts)


def _members(path: Path) -> dict[str, Any]:
    """The members before the tests, of a file that has one on each line, as runs write it.

    Raises:
        UsageError: it cannot be read, or does not begin as JSON does.
    """
    try:
        with path.open("rb") as stream:
            begun = stream.read(HEAD)
    except OSError as error:
        raise UsageError(f"{shown(path)} cannot be read: {error.strerror}") from error
    if not begun.lstrip().startswith(b"{"):
        raise UsageError(f"{shown(path)}: holds no JSON object: is it the results.json of a run?")
    found: dict[str, Any] = {}
    for line in begun.splitlines()[1:]:
        text = line.strip().removeprefix(b",").removesuffix(b",")
        if not text.startswith(b'"'):
            continue
        try:
            found |= json.loads(b"{%b}" % text)
        except (ValueError, RecursionError):
            break
        if "facts" in found:
            break
    return found


def read(path: Path) -> RunDigest:
    """What is compared of the results of a file.

    Raises:
        UsageError: there is no such file, its schema is another one, or what it holds is not of
            the form of results.
    """
    found = results_file(path)
    try:
        results = Results.read(found)
        return RunDigest.of(results, conclude(results))
    except UsageError as error:
        raise UsageError(one_line(error, 600)) from error
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        said = one_line(f"{type(error).__name__}: {error}", 200)
        raise UsageError(f"{shown(found)}: is damaged: {said}") from error


def read_baseline(path: Path) -> RunDigest:
    """What is compared of the run that another one is judged by.

    Raises:
        UsageError: as `read`, or no test of it passed or failed.
    """
    digest = read(path)
    if not digest.verdict_reached:
        raise UsageError(
            f"{shown(path)}: no test of this run passed or failed: there is nothing to compare with"
        )
    return digest
