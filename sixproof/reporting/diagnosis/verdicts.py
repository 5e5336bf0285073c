"""The verdict of a run on each family, which is what a reader wants first."""

from __future__ import annotations

import dataclasses
import enum
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping

from sixproof.model import Family, MatrixKind
from sixproof.reporting.matrix.grid import CellState
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome

_GOOD = (CellState.WORKS, CellState.DENIED)


class Word(enum.StrEnum):
    """What a run says of a family. Nothing measured is never good."""

    WORKS = "works"
    FAULTY = "faulty"  # what crossed the network came as expected, and a check found a fault
    BROKEN = "broken"
    UNPROVEN = "not proven"
    UNMEASURED = "not measured"


@dataclasses.dataclass(frozen=True, slots=True)
class FamilyVerdict:
    """One family: its cells over all judged matrices, and the tests that ask about it alone.

    `failed` counts tests whose wrong answers were of it, whatever they ask about, and `doubtful`
    those that did not pass, may concern it and do not name the family that was wrong. `latency`
    is the median time to an answer in seconds, None where nothing answered. `limited` are wrong
    cells of tests that fail by a known limit of this cluster, in no other count. `unproven` counts
    tests that concern it and carried nothing of what they ask. `others` are results of other kinds
    (DNS answers, path checks): how many are as expected, of how many; `others_carried` are those
    of them whose packets came through.
    """

    family: Family
    cells: Counter[CellState]
    cases: Counter[CaseOutcome]
    failed: int = 0
    doubtful: int = 0
    latency: float | None = None
    limited: int = 0
    unproven: int = 0
    others: Mapping[MatrixKind, tuple[int, int]] = dataclasses.field(default_factory=dict)
    others_carried: int = 0

    @property
    def right(self) -> int:
        """Cells that are as expected."""
        return sum(self.cells[state] for state in _GOOD)

    @property
    def wrong(self) -> int:
        """Measured cells that are not as expected."""
        unjudged = self.cells[CellState.UNKNOWN] + self.cells[CellState.CLOSED]
        return self.cells.total() - self.right - unjudged

    @property
    def accused(self) -> bool:
        """Whether something measured of it is wrong."""
        return bool(self.wrong or self.failed)

    @property
    def word(self) -> Word:
        """The verdict. What was measured accuses; that a test asks about the family does not."""
        if self.accused:
            short = self.wrong or any(right < total for right, total in self._crossed)
            return Word.BROKEN if short or not (self.right or self.others) else Word.FAULTY
        if self.cells[CellState.UNKNOWN] or self.doubtful:
            return Word.UNPROVEN
        if self.unproven or self._only_denied:
            return Word.UNPROVEN
        return Word.WORKS if self._carried else Word.UNMEASURED

    @property
    def _only_denied(self) -> bool:
        """Whether packets of the family were sent, and none came through."""
        came_through = self.cells[CellState.WORKS] or self.others_carried
        return bool(self.cells.total() or self._crossed) and not came_through

    @property
    def _carried(self) -> bool:
        """Whether something of it crossed the network, and all did as it must: what objects and
        kernels say of addresses and routes is right without one packet."""
        short = any(right < total for right, total in self.others.values())
        return bool(self.right or self._crossed) and not short

    @property
    def _crossed(self) -> list[tuple[int, int]]:
        """The counts of other kinds of results whose packets crossed the network."""
        return [count for kind, count in self.others.items() if kind.sent]

    @property
    def reason(self) -> str:
        """The numbers behind the verdict."""
        total = self.cells.total()
        parts = []
        if total:
            parts.append(f"{self.right} of {total} cells as expected")
        for state in CellState:
            if self.cells[state] and state not in _GOOD:
                parts.append(f"{self.cells[state]} {state.counted}")
        if self._only_denied:
            parts.append("nothing of it was carried")
        parts += [f"{n} of {of} {kind}" for kind, (n, of) in self.others.items()]
        if self.limited:
            parts.append(f"{self.limited} more fail as a known limitation")
        if self.failed:
            parts.append(f"{_tests(self.failed)} found it wrong")
        if asked := self.cases.total():
            passed = self.cases[CaseOutcome.PASSED]
            parts.append(f"{passed} of {asked} tests of this family alone passed")
        if self.unproven:
            verb = "is" if self.unproven == 1 else "are"
            parts.append(f"{_tests(self.unproven)} that may concern it {verb} not proven")
        if self.doubtful:
            parts.append(f"{_tests(self.doubtful)} that may concern it did not pass")
        if self.latency is not None:
            parts.append(f"median answer in {self.latency * 1000:.1f} ms")
        return ", ".join(parts) or "no cell was measured"


def verdicts(results: Results, families: Iterable[Family] = ()) -> tuple[FamilyVerdict, ...]:
    """One verdict per family, of these or, if none is named, of those of the run: IPv6 among them
    even where nothing has it."""
    blame = _Blame(results)
    return tuple(_verdict(results, f, blame) for f in tuple(families) or results.families())


class _Blame:
    """Which families a test that did not pass is evidence against."""

    def __init__(self, results: Results) -> None:
        self._seen: dict[str, set[Family]] = {}
        for measured in results.matrices:
            if measured.matrix.kind is not MatrixKind.FLOWS:
                continue
            for wrong in measured.disagreements():
                self._seen.setdefault(measured.test, set()).add(wrong.observation.flow.family)

    def named(self, case: Case) -> frozenset[Family]:
        """Those that its wrong answers were of, or that it could not measure: as it says itself,
        else as its matrices do; empty where neither says so."""
        return frozenset(case.accuses or self._seen.get(case.nodeid, ()))

    def failed(self, case: Case, family: Family) -> bool:
        """Whether its wrong answers were of this family."""
        return case.outcome is CaseOutcome.FAILED and family in self.named(case)

    def doubtful(self, case: Case, family: Family) -> bool:
        """Whether it leaves this family in doubt without accusing it. What an application of the
        cluster's owner lacks says nothing about the network."""
        if not case.outcome.bad or self.failed(case, family):
            return False
        if not case.about_the_network:
            return False
        return family in (self.named(case) or {case.family or family})

    def of_another(self, case: Case, family: Family) -> bool:
        """Whether it did not pass for another family's sake alone."""
        return case.outcome.bad and bool(self.named(case)) and family not in self.named(case)


def _verdict(results: Results, family: Family, blame: _Blame) -> FamilyVerdict:
    compared = [m for m in results.unexcused() if m.expected is not None]
    judged = [m for m in compared if m.matrix.kind is MatrixKind.FLOWS]
    limited = sum(
        wrong.observation.flow.family is family
        for measured in results.excused()
        if measured.matrix.kind is MatrixKind.FLOWS
        for wrong in measured.disagreements()
    )
    latencies = [
        seen.latency
        for measured in judged
        for (measured_family, _), seen in measured.matrix.cells.items()
        if measured_family is family and seen.latency is not None
    ]
    asked = (c for c in results.cases if c.family is family and not blame.of_another(c, family))
    return FamilyVerdict(
        family,
        others=_others(compared, family),
        others_carried=sum(
            measured.states(family)[CellState.WORKS]
            for measured in compared
            if measured.matrix.kind.sent and measured.matrix.kind is not MatrixKind.FLOWS
        ),
        cells=sum((m.states(family) for m in judged), Counter[CellState]()),
        cases=Counter(case.outcome for case in asked),
        failed=sum(blame.failed(case, family) for case in results.cases),
        doubtful=sum(blame.doubtful(case, family) for case in results.cases),
        latency=statistics.median(latencies) if latencies else None,
        limited=limited,
        unproven=sum(family in case.unproven_families() for case in results.cases),
    )


def _others(compared: Iterable[Measured], family: Family) -> Mapping[MatrixKind, tuple[int, int]]:
    """Of each other kind how many cells are as expected, and how many there are."""
    found: dict[MatrixKind, tuple[int, int]] = {}
    for measured in compared:
        kind = measured.matrix.kind
        states = measured.states(family)
        if kind is not MatrixKind.FLOWS and states:
            right, total = found.get(kind, (0, 0))
            good = sum(states[state] for state in _GOOD)
            found[kind] = right + good, total + states.total()
    return {kind: found[kind] for kind in MatrixKind if kind in found}


def _tests(number: int) -> str:
    return "1 test" if number == 1 else f"{number} tests"


def headline(results: Results) -> str:
    """The run in a line: ``IPv6 broken, IPv4 works - 3 of 24 tests failed``."""
    words = ", ".join(f"{v.family} {v.word}" for v in reversed(verdicts(results)))
    counts = results.counts()
    ran = sum(n for outcome, n in counts.items() if outcome is not CaseOutcome.NOT_RUN)
    bad = [
        f"{counts[outcome]} {outcome}"
        for outcome in (CaseOutcome.FAILED, CaseOutcome.BROKEN, CaseOutcome.NOT_PROVEN)
        if counts[outcome]
    ]
    if bad:
        return f"{words} - {', '.join(bad)} of {ran} tests"
    skipped = counts[CaseOutcome.SKIPPED]
    tail = f", {skipped} skipped" if skipped else ""
    return f"{words} - {counts[CaseOutcome.PASSED]} of {ran} tests passed{tail}"
