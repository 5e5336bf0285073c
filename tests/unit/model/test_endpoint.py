"""Endpoints: an address a family, and JSON there and back."""

from __future__ import annotations

import dataclasses
import json

import pytest

from sixproof.model import Endpoint, Family
from tests.unit.model.places import ECHO, place


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


def test_json_there_and_back() -> None:
    """What a report holds is the endpoint again."""
    endpoint = dataclasses.replace(
        ECHO, labels=(("app", "echo"), ("tier", "web")), service_account="default"
    )

    assert Endpoint.from_json(json.loads(json.dumps(endpoint.to_json()))) == endpoint


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("addresses", "192.0.2.1", TypeError),
        ("addresses", ["192.0.2.300"], ValueError),
        ("labels", [], TypeError),
        ("kind", "planet", ValueError),
    ],
)
def test_foreign_json_is_refused(key: str, value: object, error: type[Exception]) -> None:
    """Nothing of another shape becomes an endpoint."""
    with pytest.raises(error):
        Endpoint.from_json({**ECHO.to_json(), key: value})


def test_incomplete_json_is_refused() -> None:
    """A missing key is named."""
    value = ECHO.to_json()
    del value["pod"]

    with pytest.raises(KeyError, match="pod"):
        Endpoint.from_json(value)
