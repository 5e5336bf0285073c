"""Limits of the kernel that no measurement gets around, and what they make of outcomes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sixproof.model import Family, Observation, Outcome, Protocol
from sixproof.probes.connect.probe import ProbeOptions
from tests.netns.laboratory import scenes
from tests.netns.laboratory.lab import Lab, flow

pytestmark = [pytest.mark.netns, pytest.mark.parametrize("ip_family", Family, ids=str)]

DEFAULTS = {"net.ipv4.icmp_ratemask": "6168", "net.ipv6.icmp.ratelimit": "1000"}
LAB = {"net.ipv4.icmp_ratemask": "0", "net.ipv6.icmp.ratelimit": "0"}
COUNT = 20


@pytest.fixture(scope="module")
def crowd(lab: Lab) -> Iterator[tuple[Observation, ...]]:
    """Many flows at once that a router with the kernel's defaults rejects."""
    server = scenes.server_of(scenes.scene("rejected as prohibited"))
    flows = [flow(server, family, Protocol.TCP) for family in Family for _ in range(COUNT)]
    lab.router.sysctl(DEFAULTS)
    try:
        yield lab.measure(flows, ProbeOptions(timeout=1.0))
    finally:
        lab.router.sysctl(LAB)


def outcomes(crowd: tuple[Observation, ...], ip_family: Family) -> list[Outcome]:
    """The outcomes of one family."""
    return [o.outcome for o in crowd if o.flow.family is ip_family]


def test_most_of_many_rejections_look_dropped(
    crowd: tuple[Observation, ...], ip_family: Family
) -> None:
    """Of 20 flows rejected with ICMP, a source hears of six or seven; the others are silence.

    Why: net.ipv4.icmp_ratelimit, net.ipv6.icmp.ratelimit; RFC 4443 section 2.4 (f). An expectation
    for a policy that rejects with ICMP must take DROPPED for REJECTED.
    """
    seen = outcomes(crowd, ip_family)

    assert set(seen) == {Outcome.REJECTED, Outcome.DROPPED}
    assert seen.count(Outcome.REJECTED) < COUNT / 2


def test_silence_beside_rejections_says_so(
    crowd: tuple[Observation, ...], ip_family: Family
) -> None:
    """Who reads of a drop learns that others of the batch were rejected."""
    reasons = [
        o.reason for o in crowd if o.outcome is Outcome.DROPPED and o.flow.family is ip_family
    ]

    assert [r for r in reasons if "met ICMP errors, which kernels send sparingly" not in r] == []
