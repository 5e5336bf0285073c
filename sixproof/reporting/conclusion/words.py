"""The words of a conclusion, the same in terminal, overview and Allure."""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterable, Iterator, Sequence

from sixproof.reporting.conclusion.cause import Command, Confidence
from sixproof.reporting.conclusion.conclusion import Conclusion, Conclusions
from sixproof.reporting.diagnosis.faults import FailingPlace
from sixproof.reporting.diagnosis.pattern import said_count
from sixproof.reporting.matrix.grid import CellState

TITLE = "Conclusion"
FACTS = 2
"""Faults that an explanation names; of more only the number is said."""

HIDDEN = "no flow on this path worked: it may hide a second fault there; run again once it is gone"

TWO_LINES = 150
"""Characters of what a cause explains: two lines beside its label, which break between words."""

ONCE = "what several of them found is counted once"

DOUBTS = {
    Confidence.SHOWN: "",
    Confidence.FITS: "it fits what failed; the facts do not show that this is why",
    Confidence.SIGN: "it fits what failed; something else is likely behind it",
}
"""What is said of a cause that is less than shown."""


def doubt(conclusion: Conclusion) -> str:
    """How sure a cause is, "" where its facts show it, or a test's own words do."""
    return DOUBTS[conclusion.confidence]


Remark = tuple[str, str | Command]
"""A label, and a line or a command."""


def to_do(conclusion: Conclusion) -> tuple[Remark, ...]:
    """What to do, which follows the first line, and the commands that this needs, each alone: a
    reader copies it."""
    said: list[Remark] = [("do it", conclusion.remedy)] if conclusion.remedy else []
    commands = next((cause.do for cause in conclusion.causes), ())
    return (*said, *(("run", command) for command in commands))


def remarks(conclusion: Conclusion) -> tuple[Remark, ...]:
    """What is said of a cause before what it explains, a label and a line each: what shows it, when
    a test saw it first, how to see it again, and which faults that others reported it looks like.
    Of a place whose cause is not known: what works beside it, what would fit, and the commands
    that tell these apart."""
    labelled: tuple[tuple[str, Sequence[str | Command]], ...] = (
        ("shown by" if conclusion.known else "contrast", conclusion.evidence),
        ("since", (conclusion.since,) if conclusion.since else ()),
        ("to see it", next((cause.see for cause in conclusion.causes), ())),
        ("resembles", conclusion.resembles),
        ("fits", conclusion.fits),
        ("find out", conclusion.apart),
    )
    return tuple((label, line) for label, lines in labelled for line in lines)


def explains(conclusion: Conclusion) -> tuple[str, ...]:
    """What a cause explains: how many tests, then what they found wrong by place; of the places
    that are not named, how many results. What a policy must deny and was carried, and what was not
    measured, are no wrong results like others."""
    tests = len(conclusion.tests)
    once = f" ({ONCE})" if tests > 1 and conclusion.faults else ""
    lead = f"{_tests(conclusion.tests)}{once}"
    facts = [fault.pattern.said(TWO_LINES) for fault in conclusion.faults[:FACTS]]
    if rest := conclusion.faults[FACTS:]:
        more = " and ".join(_results(rest))
        facts.append(f"{more} in {said_count(len(rest), 'other place')}")
    return (lead, *facts)


def _results(faults: Iterable[FailingPlace]) -> Iterator[str]:
    """How many results of each class there are, the gravest first."""
    counts = collections.Counter(
        fault.pattern.state
        if fault.pattern.state in (CellState.LEAK, CellState.UNKNOWN)
        else CellState.FAILS
        for fault in faults
        for _ in fault.pattern.cells
    )
    for state, what in (
        (CellState.LEAK, "flow{s} carried that must be denied"),
        (CellState.FAILS, "wrong result{s}"),
        (CellState.UNKNOWN, "result{s} not measured"),
    ):
        if number := counts[state]:
            yield f"{number} {what.format(s='' if number == 1 else 's')}"


def left(conclusions: Conclusions) -> str:
    """What the causes do not explain, "" where they explain all or none is known."""
    if not conclusions.unexplained:
        return ""
    return f"none of these causes explains {_tests(conclusions.unexplained)}"


def _tests(nodeids: Collection[str]) -> str:
    """How many tests, and of one what pytest's -k finds it by."""
    named = f": {next(iter(nodeids)).rpartition('::')[2]}" if len(nodeids) == 1 else ""
    return f"{said_count(len(nodeids), 'test')}{named}"


def first_lines(conclusions: Conclusions, unproven: Sequence[str]) -> tuple[str, ...]:
    """What a report begins with, in its order: of each conclusion the first line and what to do,
    what these leave, and the sentences about what could not be proven."""
    said = ("\n".join(filter(None, (one.headline, one.remedy))) for one in conclusions.every)
    concluded = (*said, *filter(None, (left(conclusions),)))
    return (*concluded, *unproven) if conclusions.lead else (*unproven, *concluded)
