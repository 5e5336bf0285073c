"""The words of a conclusion, the same in terminal, overview and Allure."""

from __future__ import annotations

from sixproof.reporting.conclusion.conclude import Conclusion

TITLE = "Conclusion"
FACTS = 2
"""Faults that an explanation names; of more only the number is said."""

HIDDEN = "no flow that it forbids worked, so another cause at the same place would not show"


def explains(conclusion: Conclusion) -> tuple[str, ...]:
    """What a cause explains: how many tests and cells, then the faults by place."""
    cells = sum(len(fault.pattern.cells) for fault in conclusion.faults)
    tests = len(conclusion.tests)
    lead = _counted(tests, "test") + (f" and {_counted(cells, 'cell')}" if cells else "")
    facts = [fault.pattern.fact for fault in conclusion.faults]
    more = len(facts) - FACTS
    rest = [f"and {_counted(more, 'more place')}"] if more > 0 else []
    return (lead, *facts[:FACTS], *rest)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
