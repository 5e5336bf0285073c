"""The verdict of a run on each family, which is what a reader wants first."""

from __future__ import annotations

import dataclasses
import enum
import statistics
from collections import Counter

from sixproof.model import Family
from sixproof.reporting.category import Category, categories_of
from sixproof.reporting.grid import Standing
from sixproof.reporting.record import CaseOutcome
from sixproof.reporting.results import Results

_GOOD = (Standing.WORKS, Standing.DENIED)


class Word(enum.StrEnum):
    """What a run says of a family. Nothing measured is never good."""

    WORKS = "works"
    BROKEN = "broken"
    UNPROVEN = "not proven"
    UNMEASURED = "not measured"


@dataclasses.dataclass(frozen=True, slots=True)
class FamilyVerdict:
    """One family: its cells over all judged matrices, and the tests that ask about it alone.

    `latency` is the median time to an answer in seconds, None where nothing answered. `shared`
    counts tests that did not pass, ask about no one family and left no matrix that would tell.
    `limited` are wrong cells of tests that fail as is known of this cluster, in no other count.
    """

    family: Family
    cells: Counter[Standing]
    cases: Counter[CaseOutcome]
    latency: float | None = None
    shared: int = 0
    limited: int = 0

    @property
    def right(self) -> int:
        """Cells that are as expected."""
        return sum(self.cells[standing] for standing in _GOOD)

    @property
    def wrong(self) -> int:
        """Measured cells that are not as expected."""
        return self.cells.total() - self.right - self.cells[Standing.UNKNOWN]

    @property
    def word(self) -> Word:
        """The verdict."""
        if self.wrong or self.cases[CaseOutcome.FAILED]:
            return Word.BROKEN
        if self.cells[Standing.UNKNOWN] or self.cases[CaseOutcome.BROKEN] or self.shared:
            return Word.UNPROVEN
        return Word.WORKS if self.right or self.cases[CaseOutcome.PASSED] else Word.UNMEASURED

    @property
    def reason(self) -> str:
        """The numbers behind the verdict."""
        total = self.cells.total()
        parts = []
        if total:
            parts.append(f"{self.right} of {total} cells as expected")
        for standing in Standing:
            if self.cells[standing] and standing not in _GOOD:
                parts.append(f"{self.cells[standing]} {standing.counted}")
        if self.limited:
            parts.append(f"{self.limited} more fail as is known of this cluster")
        if asked := self.cases.total():
            parts.append(f"{self.cases[CaseOutcome.PASSED]} of {asked} tests of it passed")
        if self.shared:
            parts.append(f"{self.shared} tests that may concern it did not pass")
        if self.latency is not None:
            parts.append(f"median answer in {self.latency * 1000:.1f} ms")
        return ", ".join(parts) or "no cell of it was measured"


def verdicts(results: Results) -> tuple[FamilyVerdict, ...]:
    """A verdict a family, IPv6 among them even where nothing has it."""
    return tuple(_verdict(results, family) for family in results.families())


def _verdict(results: Results, family: Family) -> FamilyVerdict:
    judged = [m for m in results.telling() if m.expected is not None]
    limited = sum(
        wrong.observation.flow.family is family
        for measured in results.excused()
        for wrong in measured.disagreements()
    )
    cells = sum((m.standings(family) for m in judged), Counter[Standing]())
    cases = Counter(case.outcome for case in results.cases if case.family is family)
    latencies = [
        seen.latency
        for measured in judged
        for (measured_family, _), seen in measured.matrix.cells.items()
        if measured_family is family and seen.latency is not None
    ]
    median = statistics.median(latencies) if latencies else None
    return FamilyVerdict(family, cells, cases, median, _shared(results, family), limited)


def _shared(results: Results, family: Family) -> int:
    """Bad tests of no one family whose matrices do not tell, unless they name the other family."""
    told = {measured.test for measured in results.matrices if measured.disagreements()}
    other = Category.IPV4_ONLY if family is Family.IPV6 else Category.IPV6_ONLY
    return sum(
        case.outcome.bad
        and case.family is None
        and case.nodeid not in told
        and other not in categories_of(case.message)
        for case in results.cases
    )


def headline(results: Results) -> str:
    """The run in a line: ``IPv6 broken, IPv4 works - 3 of 24 tests failed``."""
    words = ", ".join(f"{v.family} {v.word}" for v in reversed(verdicts(results)))
    counts = results.counts()
    ran = sum(n for outcome, n in counts.items() if outcome is not CaseOutcome.NOT_RUN)
    bad = [
        f"{counts[outcome]} {outcome}"
        for outcome in (CaseOutcome.FAILED, CaseOutcome.BROKEN)
        if counts[outcome]
    ]
    if bad:
        return f"{words} - {', '.join(bad)} of {ran} tests"
    skipped = counts[CaseOutcome.SKIPPED]
    tail = f", {skipped} skipped" if skipped else ""
    return f"{words} - {counts[CaseOutcome.PASSED]} of {ran} tests passed{tail}"
