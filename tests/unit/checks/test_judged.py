"""Judged questions: what is noted of a matrix, what is held against it, and the message."""

from __future__ import annotations

import dataclasses
from typing import cast

import pytest

from sixproof.checks.judged import SHOWN, expecting_all, require, require_right
from sixproof.checks.recorder import Recorder
from sixproof.errors import VerdictError
from sixproof.model import Family, Flow, Judged, Matrix, MatrixKind, Outcome
from sixproof.reporting.diagnosis.category import Category
from tests.unit.model.places import flow, seen

SIX, FOUR = Family.IPV6, Family.IPV4


class Kept:
    """The recorder."""

    def __init__(self) -> None:
        self.judged: list[Judged] = []

    def matrix(self, *judged: object) -> None:
        """One more."""
        self.judged.append(cast(Judged, judged))


@pytest.fixture
def kept() -> Kept:
    """Nothing noted yet."""
    return Kept()


def test_of_one_family_the_other_is_only_compared_with(kept: Kept) -> None:
    """Its cells are not noted, are held against nothing, and stand in the evidence."""
    cells = [seen(Outcome.WRONG, SIX), seen(Outcome.WRONG, FOUR)]
    asked = expecting_all(Matrix.of("ask", cells), "because")
    with pytest.raises(VerdictError) as red:
        require(cast(Recorder, kept), asked, "Then it holds", SIX)
    assert red.value.families == {SIX}
    assert "same flow over IPv4: WRONG" in str(red.value)
    ((matrix, expected),) = kept.judged
    assert matrix.families() == (SIX,)
    assert expected.keys() == matrix.cells.keys()

    works = expecting_all(Matrix.of("ask", [seen(Outcome.ALLOWED, SIX), cells[1]]), "because")
    require(cast(Recorder, kept), works, "Then it holds", SIX)


def test_without_a_family_all_cells_are_judged(kept: Kept) -> None:
    """Both are noted, and both are wrong."""
    cells = [seen(Outcome.WRONG, SIX), seen(Outcome.WRONG, FOUR)]
    with pytest.raises(VerdictError) as red:
        require(cast(Recorder, kept), expecting_all(Matrix.of("ask", cells), ""), "Then it holds")
    assert red.value.families == {SIX, FOUR}
    assert kept.judged[0][0].families() == (FOUR, SIX)


@pytest.mark.parametrize(
    ("family", "category"), [(None, Category.BOTH), (SIX, Category.IPV6_ONLY)], ids=str
)
def test_a_message_names_so_many_flows_and_the_class(
    kept: Kept, family: Family | None, category: Category
) -> None:
    """All that was seen is noted, WRONG where it is."""
    observed = [
        dataclasses.replace(seen(Outcome.ALLOWED, f), flow=_numbered(flow(f), n))
        for f in Family
        for n in range(SHOWN)
    ]
    wrong = {o.flow: "seen amiss" for o in observed if family in (None, o.flow.family)}
    with pytest.raises(VerdictError) as red:
        require_right(cast(Recorder, kept), MatrixKind.SOURCES, "ask", observed, wrong)
    assert str(red.value).startswith(f"ask: {len(wrong)} flows are wrong\n")
    assert str(red.value).count("seen amiss") == SHOWN
    assert ("... and 12 more flows" in str(red.value)) is (family is None)
    assert red.value.categories == {category}
    ((matrix, _),) = kept.judged
    assert len(matrix.cells) == 2 * SHOWN
    assert sum(o.outcome is Outcome.WRONG for o in matrix.observations()) == len(wrong)


def test_where_nothing_is_wrong_it_is_noted_and_silent(kept: Kept) -> None:
    """As ALLOWED."""
    require_right(cast(Recorder, kept), MatrixKind.SOURCES, "ask", [seen(Outcome.ALLOWED)], {})
    assert [o.outcome for o in kept.judged[0][0].observations()] == [Outcome.ALLOWED]


def _numbered(one: Flow, number: int) -> Flow:
    return dataclasses.replace(one, question=f"connection {number}")
