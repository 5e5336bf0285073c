"""What the cheap rounds of a change prove: an answer does, a silence does not."""

from __future__ import annotations

import time

import pytest

from sixproof.checks.policy.timeline import Timeline
from sixproof.model import Expectation, Family, Observation, Outcome
from tests.unit.model.places import flow

SIX = flow(Family.IPV6)
OPEN = Expectation.allowed("open")
SHUT = Expectation(frozenset({Outcome.DROPPED}), "shut")


@pytest.mark.parametrize(
    ("wanted", "outcome", "proven"),
    [
        (OPEN, Outcome.DROPPED, False),
        (OPEN, Outcome.REPLY_LOST, False),
        (OPEN, Outcome.UNKNOWN, False),
        (OPEN, Outcome.REFUSED, True),
        (SHUT, Outcome.ALLOWED, True),
        (SHUT, Outcome.REPLY_LOST, True),
        (SHUT, Outcome.UNKNOWN, False),
    ],
)
def test_a_silence_of_a_short_round_proves_nothing(
    wanted: Expectation, outcome: Outcome, proven: bool
) -> None:
    """Of its own family alone, and only as long as it lasts."""
    line = Timeline({SIX: wanted}, time.monotonic())
    line.note([Observation(SIX, outcome)])
    assert line.proven(Family.IPV6) is proven
    assert not line.proven(Family.IPV4)
    line.note([Observation(SIX, next(iter(wanted.outcomes)))])
    assert not line.proven(Family.IPV6)
    assert "IPv6 1 wrong" in str(line)


def test_who_fell_back_once_did_not_stay() -> None:
    """A leak after the family had agreed counts, also where the last round is right again."""
    line = Timeline({SIX: SHUT}, time.monotonic())
    for outcome in (Outcome.DROPPED, Outcome.ALLOWED, Outcome.DROPPED):
        line.note([Observation(SIX, outcome)])
    assert line.proven(Family.IPV6)
