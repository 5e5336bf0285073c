"""Counters of drops and errors that rose where a cause lies are evidence."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from sixproof.model import Family, Flow, Outcome
from sixproof.reporting.conclusion.conclude import conclude
from sixproof.reporting.conclusion.conclusion import Conclusion
from tests.unit.reporting.conclusion.cluster import (
    across,
    concluded,
    examined,
    node,
    run,
    with_wrong_cells,
)

SIX = Family.IPV6
Counters = Mapping[str, int]


def forwarding_off(
    now: Counters, elsewhere: Counters | None = None, before: Counters | None = None
) -> Conclusion:
    """What is concluded of a node that forwards no IPv6, with these counters there, elsewhere, and
    there when the run began."""
    sick = node("worker", counters=dict(now))
    off = {**sick.sysctls, "net/ipv6/conf/all/forwarding": "0"}
    changed = {
        "worker": dataclasses.replace(sick, sysctls=off),
        "worker2": node("worker2", counters=dict(elsewhere or {})),
    }
    earlier = {"worker": node("worker", counters=dict(before or {}))}
    (one,) = concluded(across(SIX, "worker"), examined(changed, before=earlier)).every
    assert "forwarding is 0" in one.headline
    return one


def counter_lines(one: Conclusion) -> list[str]:
    """What the evidence says of counters."""
    return [line for line in one.evidence if line.startswith("counters")]


def test_the_three_that_rose_most_are_named() -> None:
    """By how much each rose; what counts no drop or error is left out."""
    rose = {
        "Ip6InAddrErrors": 312,
        "Ip6OutNoRoutes": 7,
        "Ip6InDiscards": 5,
        "Conntrack_drop": 9,
        "Ip6InReceives": 90_000,
        "Udp6NoPorts": 80,
    }
    one = forwarding_off(rose, before={"Ip6InAddrErrors": 12})
    assert counter_lines(one) == [
        "counters that rose there during the run: Ip6InAddrErrors by 300, Conntrack_drop by 9 and "
        "Ip6OutNoRoutes by 7"
    ]


@pytest.mark.parametrize(
    ("now", "elsewhere", "before"),
    [
        ({"Ip6InAddrErrors": 312}, {}, {"Ip6InAddrErrors": 312}),
        ({"Ip6InAddrErrors": 100}, {"Ip6InAddrErrors": 50}, {}),
        ({"IpInAddrErrors": 312, "IcmpInErrors": 4}, {}, {}),
        ({"Ip6InReceives": 312}, {}, {}),
    ],
    ids=["nothing rose", "it rose elsewhere too", "of the other family", "no error"],
)
def test_counters_that_say_nothing_are_not_reported(
    now: Counters, elsewhere: Counters, before: Counters
) -> None:
    """Of the node alone, and of the family that it is about."""
    assert counter_lines(forwarding_off(now, elsewhere, before)) == []


def test_counters_without_an_earlier_reading_are_not_reported() -> None:
    """What they counted before the run is not known."""
    sick = node("worker", counters={"Ip6InAddrErrors": 312})
    off = {**sick.sysctls, "net/ipv6/conf/all/forwarding": "0"}
    read = examined({"worker": dataclasses.replace(sick, sysctls=off)})
    read = dataclasses.replace(read, before=[])
    (one,) = concluded(across(SIX, "worker"), read).every
    assert counter_lines(one) == []


def test_what_is_not_the_network_has_no_counters() -> None:
    """Agents that were late: what the kernel dropped meanwhile is not about them."""
    read = examined({"worker": node("worker", counters={"Ip6InAddrErrors": 312})})

    def rule(flow: Flow) -> Outcome:
        at_it = "worker" in (flow.source.node, flow.destination.node)
        return Outcome.UNKNOWN if at_it else Outcome.ALLOWED

    (one,) = conclude(with_wrong_cells(run(rule, read), stalled=2.0)).every
    assert one.known
    assert counter_lines(one) == []
