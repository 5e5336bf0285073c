"""What a history shows: when a verdict changed, which tests are flaky, and what became slow."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
from collections.abc import Iterable, Iterator, Sequence

from sixproof.model import Family
from sixproof.reporting.diagnosis.verdicts import Word
from sixproof.reporting.results.test_record import CaseOutcome
from sixproof.reporting.trend.past_run import PastRun

STEP = 1.2
"""How many times as long as usual something takes that is reported."""
LEAST = 2.0
"""Seconds by which it must be longer, too: short times vary."""
USUAL, FEWEST = 10, 3
"""Runs before it whose median is the usual time, and how many there must be."""
SWITCHES = 3
"""Changes between passed and not passed that make a test flaky: a fault, and its end, are two."""


@dataclasses.dataclass(frozen=True, slots=True)
class VerdictStep:
    """A family whose verdict changed with a run, and the first cause of that run, "" for none."""

    family: Family
    before: Word
    after: Word
    run: PastRun
    cause: str


@dataclasses.dataclass(frozen=True, slots=True)
class Flaky:
    """A test that passed and did not, in turn: how often it `switched`, and in how many of the
    `runs` that asked it it did not pass."""

    test: str
    switched: int
    bad: int
    runs: int


@dataclasses.dataclass(frozen=True, slots=True)
class Slower:
    """What took longer in the last run than usual, in seconds."""

    what: str
    usual: float
    now: float


@dataclasses.dataclass(frozen=True)
class Trend:
    """What the runs of a cluster show, the oldest first."""

    runs: tuple[PastRun, ...]
    steps: tuple[VerdictStep, ...]
    flaky: tuple[Flaky, ...]
    slower: tuple[Slower, ...]

    @classmethod
    def of(cls, runs: Sequence[PastRun]) -> Trend:
        """The trend of these runs."""
        return cls(tuple(runs), tuple(_steps(runs)), tuple(_flaky(runs)), tuple(_slower(runs)))


def _steps(runs: Sequence[PastRun]) -> Iterator[VerdictStep]:
    for before, after in itertools.pairwise(runs):
        known = {one.family: one.word for one in before.families}
        for one in after.families:
            if one.family in known and known[one.family] is not one.word:
                bad = one.word in (Word.BROKEN, Word.FAULTY)
                cause = after.causes[0] if bad and after.causes else ""
                yield VerdictStep(one.family, known[one.family], one.word, after, cause)


def _flaky(runs: Sequence[PastRun]) -> Iterator[Flaky]:
    """Of runs that asked the same as the last one."""
    alike = [run for run in runs if run.alike(runs[-1])]
    found = [
        Flaky(test, _switches(row), sum(map(_bad, row)), len(row))
        for test in sorted({test for run in alike for test, how in run.others if _bad(how)})
        if (row := list(_row(test, alike)))
    ]
    yield from sorted(
        (one for one in found if one.switched >= SWITCHES), key=lambda one: -one.switched
    )


def _row(test: str, runs: Iterable[PastRun]) -> Iterator[CaseOutcome]:
    """How a test ended in each run that gave it a verdict."""
    for run in runs:
        outcome = dict(run.others).get(test, CaseOutcome.PASSED)
        if outcome is CaseOutcome.PASSED or _bad(outcome):
            yield outcome


def _bad(outcome: CaseOutcome) -> bool:
    return outcome.bad or outcome is CaseOutcome.NOT_PROVEN


def _switches(row: Sequence[CaseOutcome]) -> int:
    return sum(_bad(one) is not _bad(other) for one, other in itertools.pairwise(row))


def _slower(runs: Sequence[PastRun]) -> Iterator[Slower]:
    """Of the last run, against those before it that asked the same."""
    if not runs:
        return
    last = runs[-1]
    before = [run for run in runs[:-1] if run.alike(last)][-USUAL:]
    yield from _longer("the whole run", [run.seconds for run in before], last.seconds)
    for one in last.families:
        if one.settled is not None:
            same = (f for run in before for f in run.families if f.family is one.family)
            usual = [family.settled[1] for family in same if family.settled is not None]
            what = f"the longest change over {one.family} to take effect"
            yield from _longer(what, usual, one.settled[1])


def _longer(what: str, before: Sequence[float], now: float) -> Iterator[Slower]:
    if len(before) < FEWEST:
        return
    usual = statistics.median(before)
    if now > STEP * usual and now - usual >= LEAST:
        yield Slower(what, usual, now)
