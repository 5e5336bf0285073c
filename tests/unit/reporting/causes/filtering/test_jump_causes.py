"""Jumps to kube-proxy's and Calico's rules that are missing, in iptables and in nftables mode."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from sixproof.agent.protocol import ChainSeen, FilterRuleSeen, FilterSeen
from sixproof.reporting.causes.filtering import jumps
from sixproof.reporting.conclusion.cause import Cause
from sixproof.reporting.conclusion.situation import Situation
from tests.unit.reporting.conclusion.cluster import examined, packet_filter, run
from tests.unit.reporting.samples import NODES, works

NFTABLES = (
    ("kube-proxy", "nat-prerouting", "services"),
    ("kube-proxy", "nat-output", "services"),
    ("calico", "filter-FORWARD", "filter-cali-FORWARD"),
    ("calico", "filter-INPUT", "filter-cali-INPUT"),
)
"""What kube-proxy and Felix write in nftables mode, in tables of either family."""


def nftables(*without: str, gone: str = "") -> FilterSeen:
    """A packet filter in nftables mode: ``ip6 nat-output`` lacks its jump, or is not there."""
    places = [(family, *row) for family in ("ip", "ip6") for row in NFTABLES]
    chains = [
        ChainSeen(family, table, chain, "hook", 0, "accept")
        for family, table, chain, _ in places
        if not gone or not f"{family} {table}".startswith(gone)
    ]
    there = {(c.family, c.name) for c in chains}
    rules = [
        FilterRuleSeen(family, table, chain, 1, "", target, 9, [])
        for family, table, chain, target in places
        if (family, chain) in there and f"{family} {chain}" not in without
    ]
    return FilterSeen(chains, rules)


def found(filters: Mapping[str, FilterSeen]) -> list[Cause]:
    """What is found by such packet filters, of their nodes alone."""
    read = examined(filters={node: (seen, seen) for node, seen in filters.items()})
    read = dataclasses.replace(read, filters=[f for f in read.filters if f.node in filters])
    return list(jumps.find(Situation(run(works, read))))


def test_nothing_is_missing_in_either_mode() -> None:
    """Nor where nodes differ in it, nor where there is no rule of theirs at all."""
    assert not found(dict.fromkeys(NODES, nftables()))
    assert not found({"worker": nftables(), "worker2": packet_filter()})
    assert not found(dict.fromkeys(NODES, FilterSeen([], [])))


@pytest.mark.parametrize(
    ("without", "said"),
    [
        (
            ("ip6 nat-prerouting", "ip6 nat-output"),
            "IPv6 packets skip kube-proxy's rules: chains nat-prerouting and nat-output of table "
            "ip6 kube-proxy have no jump to services, so services do not work there over IPv6",
        ),
        (
            ("ip filter-FORWARD",),
            "IPv4 packets skip Calico's rules: chain filter-FORWARD of table ip calico has no jump "
            "to filter-cali-FORWARD, so policies are not enforced there over IPv4",
        ),
        (
            ("ip6 filter-INPUT",),
            "IPv6 packets skip Calico's rules: chain filter-INPUT of table ip6 calico has no jump "
            "to filter-cali-INPUT, so policies are not enforced there over IPv6",
        ),
    ],
)
def test_a_jump_of_nftables_mode_that_one_family_lacks(without: tuple[str, ...], said: str) -> None:
    """As in iptables mode, by other names."""
    (cause,) = found({"worker": nftables(*without), "worker2": nftables()})
    assert (cause.place, cause.what) == ("node worker", said)


def test_a_table_of_a_family_that_is_gone() -> None:
    """Its chains are not there; Calico's two are two causes of one kind."""
    causes = found({"worker": nftables(gone="ip6 calico"), "worker2": nftables()})
    assert [c.what for c in causes] == [
        f"IPv6 packets skip Calico's rules: chain filter-{hook} of table ip6 calico is not there, "
        f"so policies are not enforced there over IPv6"
        for hook in ("FORWARD", "INPUT")
    ]


def test_what_was_not_read_to_the_end_is_not_missing() -> None:
    """The jump may be among the rest."""
    some = dataclasses.replace(nftables("ip6 filter-INPUT"), cut=True)
    assert not found({"worker": some, "worker2": nftables()})


def test_a_node_without_any_rule_lacks_what_the_others_have() -> None:
    """In the mode of the others."""
    bare = FilterSeen([], [])
    causes = found({"worker": bare, "worker2": nftables(), "control-plane": nftables()})
    assert {c.place for c in causes} == {"node worker"}
    assert all("is not there" in c.what or "are not there" in c.what for c in causes)
    assert len(causes) == 6
