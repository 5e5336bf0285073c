"""Endpoints: an address a family."""

from __future__ import annotations

import pytest

from sixproof.model import Family
from tests.unit.model.places import place


@pytest.mark.parametrize(
    ("families", "has"),
    [
        ("46", set(Family)),
        ("64", set(Family)),
        ("4", {Family.IPV4}),
        ("6", {Family.IPV6}),
        ("", set()),
    ],
)
def test_address_of_a_family_whatever_the_order(families: str, has: set[Family]) -> None:
    """The order of `podIPs` does not matter; a missing family is None."""
    endpoint = place("a", 7, families=families)

    assert endpoint.families() == has
    assert {f for f in Family if endpoint.address(f) is not None} == has
