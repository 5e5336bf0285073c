"""A conclusion: one cause with what it explains, or one place whose cause is not known."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterable, Iterator

from sixproof.reporting.conclusion import known_faults
from sixproof.reporting.conclusion.cause import Cause, Command, Confidence
from sixproof.reporting.diagnosis.category import LEAD, Category
from sixproof.reporting.diagnosis.faults import FailingPlace
from sixproof.reporting.matrix.grid import CellState
from sixproof.reporting.results.test_record import Case, CaseOutcome

NARROW = ("route-mtu", "device-mtu")
"""Signs beside a rule that drops Packet Too Big: without them nothing would be too big."""
TWO_LINES = 178
"""Characters of a place's first line: two lines of a terminal, which break between words."""
HOW_SURE = {
    Confidence.SHOWN: "",
    Confidence.FITS: "likely cause: ",
    Confidence.SIGN: "possible cause: ",
}
"""What a first line begins with where the facts do not show that it is the cause."""


@dataclasses.dataclass(frozen=True)
class Conclusion:
    """One cause with what it explains, or one place whose cause is not known.

    `causes` has the cause first and then its signs, causes that lie behind the same failures; none
    where the facts do not suffice: then `fits` are causes that would fit, and `apart` the commands
    that tell them apart.
    `faults` are what it explains, `moved` are counters that rose where it lies. `alone` says
    whether something worked there: else another cause there would not have been seen. Without cause
    and faults it is what tests said themselves, those of `cases`, whose evidence is no matrix.
    `since` says when a test saw it first, and when one found the same place right before.
    """

    causes: tuple[Cause, ...]
    faults: tuple[FailingPlace, ...]
    fits: tuple[str, ...] = ()
    apart: tuple[Command, ...] = ()
    alone: bool = True
    cases: tuple[Case, ...] = ()
    moved: str = ""
    since: str = ""

    @property
    def known(self) -> bool:
        """Whether the cause is named."""
        return bool(self.causes)

    @property
    def measured(self) -> bool:
        """Whether it is about the network, and not about what could not be measured."""
        failed = any(case.outcome is CaseOutcome.FAILED for case in self.cases)
        return failed or any(fault.measured for fault in self.faults)

    @property
    def leaks(self) -> bool:
        """Whether something was carried that a policy must deny."""
        return any(fault.pattern.state is CellState.LEAK for fault in self.faults)

    @property
    def headline(self) -> str:
        """The first line: the cause in a sentence, else the place. What is not as safe as its owner
        thinks is said first, then how sure it is where it is not shown."""
        lead = f"{Category.LEAK}: " if self.leaks else ""
        if not self.causes:
            return lead + self._place(TWO_LINES - len(lead))
        how_sure = HOW_SURE[self.confidence]
        how_sure = how_sure[:1].upper() + how_sure[1:] if not lead else how_sure
        return self.causes[0].said(f"{lead}{how_sure}")

    def _place(self, at_most: int) -> str:
        """The place of what has no known cause, or what the tests said."""
        if self.faults:
            return self.faults[0].pattern.said(at_most)
        return textwrap.shorten(own_words(self.cases[0]), at_most, placeholder=" ...")

    @property
    def remedy(self) -> str:
        """What to do, "" where it is not known: it follows the first line."""
        remedy = self.causes[0].remedy if self.causes else ""
        return f"{remedy}." if remedy else ""

    @property
    def first_screen(self) -> str:
        """The first line and what to do."""
        return f"{self.headline} {self.remedy}".strip()

    @property
    def confidence(self) -> Confidence:
        """How sure it is: what only tests said themselves is as they say."""
        return self.causes[0].confidence if self.known and self.faults else Confidence.SHOWN

    @property
    def evidence(self) -> tuple[str, ...]:
        """What shows it: the facts of the cause, and the signs beside it."""
        if not self.causes:
            return self.faults[0].contrasts if self.faults else ()
        cause = self.causes[0]
        details = () if cause.what in self.headline else cause.details
        moved = (self.moved,) if self.moved else ()
        return tuple(dict.fromkeys((*details, *cause.evidence, *moved, *self._signs())))

    def _signs(self) -> Iterator[str]:
        """The causes beside the first, of each kind one in full."""
        kinds: dict[str, list[Cause]] = {}
        for cause in self.causes[1:]:
            if self.causes[0].says(cause):
                continue
            kinds.setdefault(cause.code, []).append(cause)
        for first, *others in kinds.values():
            yield f"beside it, {first.sentence}"
            if self.causes[0].code == "packet-filter" and first.code in NARROW:
                yield f"for that: {first.remedy}"
            if others:
                places = ", ".join(dict.fromkeys(cause.place for cause in others))
                yield f"beside it, {len(others)} more of this kind: {places}"

    @property
    def resembles(self) -> tuple[str, ...]:
        """Faults that others have reported and that the cause looks like."""
        return tuple(str(fault) for cause in self.causes[:1] for fault in known_faults.known(cause))

    @property
    def tests(self) -> frozenset[str]:
        """The tests that show it, by node id."""
        shown = {m.test for fault in self.faults for m in fault.shown_by}
        return frozenset(shown | {case.nodeid for case in self.cases})


@dataclasses.dataclass(frozen=True)
class Conclusions:
    """All of a run, the one that explains most first, what was not measured last.

    `found` are the faults by place, as the diagnosis has them, `problems` what could not be read.
    """

    every: tuple[Conclusion, ...]
    found: tuple[FailingPlace, ...]
    problems: tuple[str, ...] = ()

    @property
    def lead(self) -> bool:
        """Whether a report begins with them: something was measured that is wrong. What is not
        proven comes first where nothing is."""
        return any(conclusion.measured for conclusion in self.every)

    @property
    def unexplained(self) -> frozenset[str]:
        """The tests that none of the causes explains; none where no cause is known at all."""
        explained = {test for one in self.every if one.known for test in one.tests}
        left = {test for one in self.every for test in one.tests} - explained
        return frozenset(left) if explained else frozenset()

    def __bool__(self) -> bool:
        return bool(self.every)


def own_words(case: Case) -> str:
    """What a failed test said itself: its first line, without the class at its end."""
    lines = [line.strip() for line in case.message.splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(LEAD)]
    return f"{said[0]} {said[1]}" if len(said) > 1 and said[0].endswith(":") else (said or [""])[0]


def ranked(causes: Iterable[Cause]) -> list[Cause]:
    """The causes, the surest first; no more than a reader follows."""
    return sorted(causes, key=lambda cause: -cause.confidence)[:4]
