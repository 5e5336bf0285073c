"""How many connections meet every backend, and who was missed."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.model import Family, Observation, Outcome
from sixproof.probes.connect.spread import CHANCE, Spread, connections, worst_of
from tests.unit.model.places import flow

FLOW = flow()


def by(pod: str, outcome: Outcome = Outcome.ALLOWED) -> Observation:
    """A connection that a pod answered."""
    return Observation(FLOW, outcome, answered_by=pod)


@pytest.mark.parametrize(("backends", "needed"), [(0, 1), (1, 1), (2, 31), (3, 54), (10, 219)])
def test_connections(backends: int, needed: int) -> None:
    assert connections(backends) == needed


@pytest.mark.parametrize("n", range(2, 30))
def test_fewer_would_not_do(n: int) -> None:
    def missing(k: int) -> float:
        return n * (1 - 1 / n) ** k

    assert missing(connections(n)) <= CHANCE < missing(connections(n) - 1)


def test_misses() -> None:
    spread = Spread.of([by("one"), by("one"), by("two"), by("", Outcome.DROPPED)])
    assert spread.misses(lambda _: ["one", "two"]) == {}
    said = spread.misses(lambda _: ["one", "three"])[FLOW]
    assert said == (
        "of 4 connections 1 got no answer, 2 went to one, 1 went to two: "
        "three never answered, two answered 1 times"
    )


def test_who_was_lost_is_counted_by_family() -> None:
    other = dataclasses.replace(by("two"), flow=flow(Family.IPV4))
    spread = Spread.of([by("one"), dataclasses.replace(by("one"), flow=flow(port=81)), other])
    assert spread.lost(lambda _: ["one", "two"]) == (
        "one never answered 1 of 1 IPv4 flows",
        "two never answered 2 of 2 IPv6 flows",
    )
    assert spread.lost(lambda f: ["one"] if f.family is Family.IPV6 else ["two"]) == ()


def test_a_stranger_who_answered_counts() -> None:
    spread = Spread.of([by("old", Outcome.MISROUTED)])
    assert "old answered 1 times" in spread.misses(lambda _: ["new"])[FLOW]


def test_nobody_may_answer_what_must_be_denied() -> None:
    denied = Spread.of([by("", Outcome.REFUSED)])
    assert denied.misses(lambda _: []) == {}
    assert "one answered 1 times" in Spread.of([by("one")]).misses(lambda _: [])[FLOW]


def test_families_are_distinguished() -> None:
    other = dataclasses.replace(by("one"), flow=flow(Family.IPV4))
    spread = Spread.of([by("one"), other])
    assert set(spread.misses(lambda _: ["two"])) == {FLOW, flow(Family.IPV4)}


def test_the_worst_comes_last() -> None:
    good, bad, unknown = by("one"), by("", Outcome.DROPPED), by("", Outcome.UNKNOWN)
    assert worst_of([bad, good]) == (good, bad)
    assert worst_of([unknown, bad, good])[-1] is unknown
