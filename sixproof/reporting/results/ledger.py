"""The coverage ledger: which rows of the guide ran, with what result, and which did not and why."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Sequence
from typing import Any

from sixproof import records
from sixproof.reporting.results.requirements import CASES, ROWS, Row, canonical, row_of
from sixproof.reporting.results.skip import Skip
from sixproof.reporting.results.test_record import Case, CaseOutcome


class Coverage(enum.StrEnum):
    """What a run says of a row."""

    PASSED = "passed"
    PARTLY = "partly"  # what ran passed; some did not run, or is known not to work here
    FAILED = "failed"
    BROKEN = "broken"  # a test came to no verdict
    UNPROVEN = "not proven"  # what ran carried nothing
    SKIPPED = "skipped"
    NOT_RUN = "not run"
    UNTESTED = "no test"  # no test of this run names the row


@dataclasses.dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One row and the tests that name it or a case of it."""

    row: Row
    cases: tuple[Case, ...] = ()
    finer: tuple[str, ...] = ()

    @property
    def coverage(self) -> Coverage:
        """What the tests together say; one failure outweighs everything, and what is known not to
        work here leaves the row covered in part."""
        outcomes = {case.outcome for case in self.cases}
        if CaseOutcome.FAILED in outcomes or outcomes == {CaseOutcome.XFAILED}:
            return Coverage.FAILED
        if CaseOutcome.BROKEN in outcomes:
            return Coverage.BROKEN
        if CaseOutcome.NOT_PROVEN in outcomes:
            return Coverage.UNPROVEN
        if CaseOutcome.PASSED in outcomes:
            return Coverage.PASSED if outcomes == {CaseOutcome.PASSED} else Coverage.PARTLY
        if outcomes & {CaseOutcome.SKIPPED, CaseOutcome.XFAILED}:
            return Coverage.SKIPPED
        return Coverage.NOT_RUN if outcomes else Coverage.UNTESTED

    @property
    def skips(self) -> tuple[Skip, ...]:
        """The distinct reasons for which tests of the row were skipped."""
        skipped = (c for c in self.cases if c.outcome is CaseOutcome.SKIPPED)
        return tuple(dict.fromkeys(Skip(c.reason, c.enable) for c in skipped))

    def tally(self) -> str:
        """The tests' outcomes in words: ``12 passed, 1 skipped``."""
        counts = {o: sum(c.outcome is o for c in self.cases) for o in CaseOutcome}
        return ", ".join(f"{number} {outcome}" for outcome, number in counts.items() if number)

    def to_json(self) -> dict[str, Any]:
        """One object of results.json."""
        return records.full(
            {
                "code": self.row.code,
                "title": self.row.title,
                "topic": self.row.topic,
                "coverage": self.coverage.value,
                "tests": [case.nodeid for case in self.cases],
                "cases": self.finer,
                "skipped": [str(skip) for skip in self.skips],
            }
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Ledger:
    """All rows in the guide's order; `unknown` are codes of tests that no row has."""

    entries: tuple[LedgerEntry, ...]
    unknown: tuple[str, ...] = ()

    @classmethod
    def of(cls, cases: Iterable[Case]) -> Ledger:
        """The ledger of a run's cases."""
        every = tuple(cases)
        named = {canonical(code) for case in every for code in case.covers}
        known = ROWS.keys() | CASES.keys()
        return cls(
            entries=tuple(
                LedgerEntry(
                    row=row,
                    cases=tuple(c for c in every if _covers(c, row.code)),
                    finer=tuple(
                        code for code in CASES if code in named and row_of(code) == row.code
                    ),
                )
                for row in ROWS.values()
            ),
            unknown=tuple(sorted(named - known)),
        )

    def finer(self, cases: Sequence[Case]) -> tuple[LedgerEntry, ...]:
        """The finer cases of path MTU and DNS, as entries of their own."""
        return tuple(
            LedgerEntry(row, tuple(c for c in cases if code in map(canonical, c.covers)))
            for code, row in CASES.items()
        )

    def count(self, *wanted: Coverage) -> int:
        """How many rows have one of these coverages."""
        return sum(entry.coverage in wanted for entry in self.entries)

    def to_json(self) -> list[dict[str, Any]]:
        """The member `ledger` of results.json."""
        return [entry.to_json() for entry in self.entries]


def _covers(case: Case, row: str) -> bool:
    return any(row_of(code) == row for code in case.covers)
