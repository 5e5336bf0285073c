"""Where the files of a run are: one directory per run, and ``latest``, a link to the last with
results.

A directory that the user names holds one report, and a new one takes the place of the last. What
sixproof did not write there is never replaced or removed: its own directories have a marker, which
also keeps two runs from writing to one of them at the same time.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import secrets
import shutil
from pathlib import Path

from filelock import FileLock, Timeout

from sixproof.errors import UsageError
from sixproof.reporting.results import report_files

RUNS, LATEST, MARKER = "runs", "latest", ".sixproof"
JUNIT_SUITE = "sixproof"
"""Name of the suite in junit.xml."""
KEPT = 5
"""Directories of runs that are kept; that of all suites is some 150 MB."""

_NAME = re.compile(r"\d{8}T\d{6}Z-\w+")
_FILES = (
    report_files.RESULTS,
    report_files.CELLS_JQ,
    report_files.OVERVIEW,
    report_files.CELLS,
    report_files.SUMMARY,
    report_files.JUNIT,
    report_files.ALLURE_PAGE,
    report_files.DIAGNOSTICS,
    report_files.COMPARE_PAGE,
    report_files.COMPARE_TEXT,
    report_files.COMPARE_JSON,
)
_DIRECTORIES = (report_files.ALLURE_RESULTS, report_files.PARTS)
_HEAD = 400  # bytes of results.json that contain its schema


class ReportDirectory:
    """The directory of one run's files; `latest` is the link that leads to it once it has results,
    None where the user chose the directory."""

    def __init__(self, directory: Path, latest: Path | None = None) -> None:
        self.directory = directory
        self._latest = latest
        self._lock = FileLock(directory / MARKER)
        self._was_ours = False
        self._begun = False
        self._made: list[Path] = []

    @classmethod
    def of_a_run(cls, base: Path) -> ReportDirectory:
        """A directory of its own below `base`, for a run that begins now."""
        return cls(base / RUNS / _name(datetime.datetime.now(datetime.UTC)), base / LATEST)

    def take(self) -> None:
        """Make the directory, and keep other runs off it.

        Raises:
            UsageError: nothing can be written there, another run writes there, or what is there
                is not ours; one line.
        """
        path = self.directory
        try:
            within = (path / report_files.ALLURE_RESULTS, path, *path.parents)
            self._made = [p for p in within if not p.exists()]
            self._was_ours = (path / MARKER).exists()
            if foreign := self._foreign():
                raise UsageError(
                    f"--six-report-dir {path}: {', '.join(foreign)} there was not written by "
                    "sixproof and would be replaced; name another directory"
                )
            path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(
                f"--six-report-dir {path}: another run writes there; name another directory"
            ) from None
        except OSError as error:
            self._remove_what_is_empty()
            raise UsageError(
                f"reports cannot be written to {path} ({error.strerror or error}); "
                "--six-report-dir names another directory"
            ) from error

    def clear(self) -> None:
        """Remove the report of the run before, and nothing else: the run that took it has begun."""
        self._begun = True
        for name in _DIRECTORIES:
            shutil.rmtree(self.directory / name, ignore_errors=True)
        for name in _FILES:
            with contextlib.suppress(OSError):
                (self.directory / name).unlink()

    def publish(self) -> None:
        """Let ``latest`` lead here, and remove the oldest runs.

        Raises:
            OSError: the link cannot be made, or something is in its place that is not ours.
        """
        if self._latest is None:
            return
        linked = self._latest.is_symlink()
        if not linked and _has_results(self._latest):  # of an earlier version
            made = datetime.datetime.fromtimestamp(self._latest.stat().st_mtime, datetime.UTC)
            self._latest.rename(self.directory.parent / _name(made))
        ours = linked and self._latest.readlink().parent == Path(RUNS)
        if not ours and (linked or self._latest.exists()):
            raise FileExistsError(
                None, "it was not made by sixproof and stays as it is", str(self._latest)
            )
        link = self._latest.with_name(f".{LATEST}-{self.directory.name}")
        link.symlink_to(Path(RUNS, self.directory.name))
        link.replace(self._latest)
        self._forget_old()

    def give_back(self) -> None:
        """Let other runs write here; where this one never began, it leaves nothing behind."""
        self._lock.release()
        if self._begun:
            return
        if not self._was_ours:
            with contextlib.suppress(OSError):
                (self.directory / MARKER).unlink()
        self._remove_what_is_empty()

    def _foreign(self) -> list[str]:
        """Names of files that a report would replace and no run of sixproof wrote. The marker says
        that the directory is ours, and not that nobody else has written there since: a run that
        was killed leaves it without a report."""
        there = [name for name in _names() if (self.directory / name).exists()]
        if _has_results(self.directory):
            return []
        if not self._was_ours:
            return there
        return [n for n in there if n == report_files.RESULTS or self._is_foreign_junit(n)]

    def _is_foreign_junit(self, name: str) -> bool:
        if name != report_files.JUNIT:
            return False
        with (self.directory / name).open("rb") as stream:
            return f'<testsuite name="{JUNIT_SUITE}"'.encode() not in stream.read(_HEAD)

    def _remove_what_is_empty(self) -> None:
        with contextlib.suppress(OSError):
            for path in self._made:
                if path.exists():
                    path.rmdir()

    def _forget_old(self) -> None:
        others = (p for p in self.directory.parent.iterdir() if p != self.directory)
        for old in sorted(p for p in others if _NAME.fullmatch(p.name))[: 1 - KEPT]:
            with contextlib.suppress(Timeout, OSError), FileLock(old / MARKER, timeout=0):
                shutil.rmtree(old)


def _has_results(directory: Path) -> bool:
    """Whether a directory holds the results of a run.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with (directory / report_files.RESULTS).open("rb") as stream:
            return b"sixproof/results/v" in stream.read(_HEAD)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _name(moment: datetime.datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _names() -> tuple[str, ...]:
    return (*_FILES, *_DIRECTORIES)
