"""The words of a conclusion, the same in terminal, overview and Allure."""

from __future__ import annotations

from collections.abc import Sequence

from sixproof.reporting.conclusion.cause import Confidence
from sixproof.reporting.conclusion.conclude import Conclusion, Conclusions

TITLE = "Conclusion"
FACTS = 2
"""Faults that an explanation names; of more only the number is said."""

HIDDEN = "no flow on this path worked: it may hide a second fault there; run again once it is gone"

DOUBTS = {
    Confidence.SHOWN: "",
    Confidence.FITS: "it fits what failed; the facts do not show that this is why",
    Confidence.SIGN: "it fits what failed; something else is likely behind it",
}
"""What is said of a cause that is less than shown."""


def doubt(conclusion: Conclusion) -> str:
    """How sure a cause is, "" where its facts show it, or a test's own words do."""
    if not (conclusion.known and conclusion.faults):
        return ""
    return DOUBTS[conclusion.causes[0].confidence]


def explains(conclusion: Conclusion) -> tuple[str, ...]:
    """What a cause explains: how many tests and wrong results, then these by place. A result that
    several tests saw is counted once."""
    cells = sum(len(fault.pattern.cells) for fault in conclusion.faults)
    tests = len(conclusion.tests)
    wrong = "different wrong result" if min(tests, cells) > 1 else "wrong result"
    lead = _counted(tests, "test") + (f", {_counted(cells, wrong)}" if cells else "")
    facts = [fault.pattern.fact for fault in conclusion.faults[:FACTS]]
    rest = conclusion.faults[FACTS:]
    if rest:
        left = sum(len(fault.pattern.cells) for fault in rest)
        facts.append(f"and {_counted(left, 'more')} in {_counted(len(rest), 'place')}")
    return (lead, *facts)


def left(conclusions: Conclusions) -> str:
    """What the causes do not explain, "" where they explain all or none is known."""
    if not conclusions.unexplained:
        return ""
    verb = "is" if conclusions.unexplained == 1 else "are"
    return f"{_counted(conclusions.unexplained, 'test')} {verb} explained by none of these causes"


def first_lines(conclusions: Conclusions, unproven: Sequence[str]) -> tuple[str, ...]:
    """What a report begins with, in its order: the first line of each conclusion and what these
    leave, and the sentences about what could not be proven."""
    concluded = (*(one.headline for one in conclusions.every), *filter(None, (left(conclusions),)))
    return (*concluded, *unproven) if conclusions.lead else (*unproven, *concluded)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 or what == 'more' else 's'}"
