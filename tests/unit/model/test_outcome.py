"""Outcomes and how two families compare."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixproof.model import Outcome, Parity

A, D, U = Outcome.ALLOWED, Outcome.DROPPED, Outcome.UNKNOWN


def test_only_allowed_works() -> None:
    """No other outcome may pass for success."""
    assert [o for o in Outcome if o.works] == [Outcome.ALLOWED]


def test_only_unknown_is_no_measurement() -> None:
    """UNKNOWN says nothing about the network; everything else does."""
    assert [o for o in Outcome if not o.measured] == [Outcome.UNKNOWN]


def test_marks_are_single_and_distinct() -> None:
    """Cells of a narrow matrix can be distinguished."""
    marks = [o.mark for o in Outcome]

    assert all(len(m) == 1 for m in marks)
    assert len(set(marks)) == len(marks)


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "parity"),
    [
        (A, A, Parity.BOTH_WORK),
        (A, D, Parity.IPV6_BROKEN),
        (D, A, Parity.IPV4_BROKEN),
        (D, D, Parity.BOTH_BROKEN),
        (D, Outcome.REFUSED, Parity.BOTH_BROKEN),
        (None, A, Parity.NOT_COMPARED),
        (A, None, Parity.NOT_COMPARED),
        (None, None, Parity.NOT_COMPARED),
        (U, A, Parity.NOT_COMPARED),
        (A, U, Parity.NOT_COMPARED),
    ],
)
def test_parity(ipv4: Outcome | None, ipv6: Outcome | None, parity: Parity) -> None:
    """What is absent or unknown in one family is not compared."""
    assert Parity.of(ipv4, ipv6) is parity


@given(st.sampled_from(Outcome), st.sampled_from(Outcome))
def test_parity_is_both_work_only_if_both_are_allowed(ipv4: Outcome, ipv6: Outcome) -> None:
    """No pair of failures adds up to success."""
    assert (Parity.of(ipv4, ipv6) is Parity.BOTH_WORK) == (ipv4 is A and ipv6 is A)
