"""The ledger: every row of the guide is accounted for, and nothing is green by absence."""

from __future__ import annotations

import pytest

from sixproof.reporting.results.ledger import Coverage, Ledger
from sixproof.reporting.results.requirements import CASES, ROWS, canonical, row_of
from sixproof.reporting.results.skip import Skip
from sixproof.reporting.results.test_record import Case, CaseOutcome

P, F, B, S, N, X = (
    CaseOutcome.PASSED,
    CaseOutcome.FAILED,
    CaseOutcome.BROKEN,
    CaseOutcome.SKIPPED,
    CaseOutcome.NOT_RUN,
    CaseOutcome.XFAILED,
)


@pytest.mark.parametrize(
    ("outcomes", "coverage"),
    [
        ([], Coverage.UNTESTED),
        ([P, P], Coverage.PASSED),
        ([P, S], Coverage.PARTLY),
        ([P, N], Coverage.PARTLY),
        ([P, F, S], Coverage.FAILED),
        ([P, B], Coverage.BROKEN),
        ([B, F], Coverage.FAILED),
        ([S, S], Coverage.SKIPPED),
        ([S, N], Coverage.SKIPPED),
        ([N], Coverage.NOT_RUN),
        ([P, X], Coverage.PARTLY),
        ([X], Coverage.FAILED),
        ([X, S], Coverage.SKIPPED),
    ],
)
def test_a_row_is_as_good_as_its_worst_test(
    outcomes: list[CaseOutcome], coverage: Coverage
) -> None:
    cases = [Case(f"t.py::t{i}", o, covers=("S1",)) for i, o in enumerate(outcomes)]
    ledger = Ledger.of(cases)
    entry = next(e for e in ledger.entries if e.row.code == "S1")
    assert entry.coverage is coverage
    assert ledger.count(Coverage.UNTESTED) >= len(ROWS) - 1


@pytest.mark.parametrize(
    ("code", "full", "row"),
    [
        ("S1", "S1", "S1"),
        ("M1", "M1", "M1"),
        ("D1", "D1", "D1"),
        ("M3", "F2/M3", "F2"),
        ("D5", "D1/D5", "D1"),
        ("F2/M1", "F2/M1", "F2"),
        ("Z9", "Z9", "Z9"),
    ],
)
def test_short_codes_find_their_row(code: str, full: str, row: str) -> None:
    assert (canonical(code), row_of(code)) == (full, row)


def test_finer_cases_count_for_their_row_and_for_themselves() -> None:
    cases = [Case("a", P, covers=("M3",)), Case("b", S, covers=("F2/M5",), reason="no raw tier")]
    ledger = Ledger.of(cases)
    entry = next(e for e in ledger.entries if e.row.code == "F2")
    assert entry.coverage is Coverage.PARTLY
    assert entry.finer == ("F2/M3", "F2/M5")
    assert entry.tally() == "1 passed, 1 skipped"
    assert entry.skips == (Skip("no raw tier"),)
    finer = {e.row.code: e.coverage for e in ledger.finer(cases)}
    assert finer["F2/M3"] is Coverage.PASSED
    assert finer["F2/M5"] is Coverage.SKIPPED
    assert finer["F2/M1"] is Coverage.UNTESTED


def test_a_code_that_no_row_has_is_reported() -> None:
    assert Ledger.of([Case("a", P, covers=("Z9", "S1"))]).unknown == ("Z9",)


def test_every_row_has_a_title_and_every_case_a_row() -> None:
    assert all(row.title and row.topic for row in ROWS.values())
    assert all(code.partition("/")[0] in ROWS for code in CASES)
    assert len(Ledger.of([]).to_json()) == len(ROWS)
