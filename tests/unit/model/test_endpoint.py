"""Endpoints: an address a family."""

from __future__ import annotations

import pytest

from sixproof.model import Endpoint, EndpointKind, Family
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


@pytest.mark.parametrize(
    ("endpoint", "called", "subject"),
    [
        (Endpoint("a@w1", EndpointKind.POD, node="w1"), "pod a on w1", "pod a on w1"),
        (Endpoint("shop/web", EndpointKind.POD, node="w1"), "pod shop/web on w1", ""),
        (Endpoint("raw@w1 at ::1", EndpointKind.POD, node="w1"), "pod raw on w1 at ::1", ""),
        (Endpoint("disabled-w1", EndpointKind.POD, node="w1"), "pod disabled-w1", ""),
        (Endpoint("bank/web", EndpointKind.POD), "pod bank/web", ""),
        (Endpoint("host@w1", EndpointKind.HOST, node="w1"), "the host network of w1", "node w1"),
        (Endpoint("web at w1", EndpointKind.SERVICE, node="w1"), "web at w1", "service web at w1"),
        (Endpoint("rack", EndpointKind.OUTSIDE), "rack", "outside rack"),
    ],
)
def test_what_readers_call_an_endpoint(endpoint: Endpoint, called: str, subject: str) -> None:
    """Its kind, its name and its node, each once; a subject is the same."""
    assert endpoint.called == called
    assert endpoint.subject().place == (subject or called)
