"""Reading a run of suites/mtu: which tests ended how, over which family."""

from __future__ import annotations

from sixproof.model import Family
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.faults.conftest import SuiteRun


def ran(suite_run: SuiteRun, outcome: CaseOutcome, family: Family | None) -> set[str]:
    """The tests that ended so and ask about this family, by name, the family's own part cut."""
    return {_name(c) for c in suite_run.cases(outcome) if c.family is family}


def _name(case: Case) -> str:
    name, _, given = case.nodeid.rpartition("::")[2].partition("[")
    parts = [part for part in given.rstrip("]").split("-") if part not in set(Family)]
    return f"{name}[{'-'.join(parts)}]" if any(parts) else name


def message(suite_run: SuiteRun, test: str, family: Family | None) -> str:
    """What a red test said."""
    cases = suite_run.cases(CaseOutcome.FAILED)
    return next(c.message for c in cases if _name(c) == test and c.family is family)


def assert_red(suite_run: SuiteRun, wanted: set[str], family: Family | None) -> None:
    """Exactly these tests are red over this family."""
    red = ran(suite_run, CaseOutcome.FAILED, family)
    assert red - wanted == set(), f"red without a cause: {sorted(red - wanted)}"
    assert wanted - red == set(), f"not found: {sorted(wanted - red)}"
