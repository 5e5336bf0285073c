"""Matches of packet filter rules: which packets they may take."""

from __future__ import annotations

import ipaddress

import pytest

from sixproof.reporting.causes.filtering.rule_match import (
    FilteredPacket,
    comparisons,
    same_device,
    span_of,
    takes,
)
from tests.unit.reporting.filter_matches import matching

REQUEST = FilteredPacket(
    "tcp",
    (span_of(ipaddress.ip_address("fd00:10:244:1::b")),),
    (span_of(ipaddress.ip_address("fd00:10:244:2::c")),),
    sport=((45000, 45000),),
    dport=((8080, 8080),),
    lengths=((40, 512),),
    arrives=frozenset(("cali*",)),
    leaves=frozenset(("eth0", "vxlan-v6.calico")),
)
MESSAGE = FilteredPacket(
    "icmpv6",
    None,
    None,
    type=((2, 2),),
    headers=frozenset(("fragment",)),
)


@pytest.mark.parametrize(
    ("match", "taken"),
    [
        ("", True),
        ("IPv6, tcp, dport 8080", True),
        ("IPv6, tcp, dport 22", False),
        ("tcp, dport 22 and 8000-8090", True),
        ("tcp, dport not 22", True),
        ("tcp, dport not 8080", False),
        ("tcp, dport above 1024", True),
        ("tcp, dport at least 8081", False),
        ("tcp, dport below 8080", False),
        ("tcp, dport at most 8080", True),
        ("tcp, dport in a set", True),
        ("tcp, dport 1 and 2 and 3 and 4 and 9 more", True),
        ("tcp, dport 5764607523034234888", True),  # what a set of pairs is reported as
        ("tcp, sport 1024-65535", True),
        ("tcp, sport 179", False),
        ("tcp, sport", True),
        ("udp", False),
        ("not udp", True),
        ("tcp and udp", True),
        ("not tcp and udp", False),
        ("protocol 47", False),
        ("protocol in a set", True),
        ("icmpv6, type 2", False),
        ("tcp, type 2", False),
        ("source fd00:10:244::/56", True),
        ("source not fd00:10:244::/56", False),
        ("source fd00:10:244:1::1-fd00:10:244:1::f", True),
        ("source 10.0.0.0/8", False),
        ("source somewhere", True),
        ("destination 2001:db8::5", False),
        ("destination not 2001:db8::5 and 2001:db8::6", True),
        ("iifname cali*", True),
        ("iifname cali1234", True),
        ("iifname eth0", False),
        ("iifname not lo", True),
        ("iifname not cali*", False),
        ("oifname eth*", True),
        ("oifname docker0 and eth0", True),
        ("oifname not eth0", True),
        ("above 1350 bytes", False),
        ("below 100 bytes", True),
        ("1350 bytes", False),
        ("fragment", False),
        ("tcp, flags syn, connection state new, multiport, mark", True),
    ],
)
def test_what_a_packet_says_of_itself_decides(match: str, taken: bool) -> None:
    """What the match does not say, or the packet, is no obstacle."""
    assert takes(comparisons(matching(match)), REQUEST) is taken


@pytest.mark.parametrize(
    ("match", "taken"),
    [
        ("icmpv6, type 2", True),
        ("icmpv6, type 2, code 0", True),
        ("icmpv6, type 128-129", False),
        ("icmpv6, type not 2", False),
        ("icmpv6, dport not 22", False),
        ("source 2001:db8::5, destination not fd00::/8", True),
        ("iifname eth0, oifname not eth1", True),
        ("above 1350 bytes", True),
        ("fragment", True),
        ("hop-by-hop options", False),
    ],
)
def test_what_nobody_knows_of_a_packet_is_no_obstacle(match: str, taken: bool) -> None:
    """A message from some router, by some device; it has no ports."""
    assert takes(comparisons(matching(match)), MESSAGE) is taken


def test_what_a_node_sends_itself_comes_in_by_no_device() -> None:
    """Rules for what comes in by a device, or by another one."""
    own = FilteredPacket("tcp", None, None, arrives=frozenset(), leaves=None)
    assert not takes(comparisons(matching("iifname eth0")), own)
    assert takes(comparisons(matching("iifname not eth0")), own)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("eth0", "eth0", True),
        ("eth0", "eth01", False),
        ("cali*", "cali1", True),
        ("cali1", "cali*", True),
        ("cal*", "cali*", True),
        ("cali*", "veth*", False),
    ],
)
def test_names_of_devices(one: str, other: str, same: bool) -> None:
    """A star stands for any end."""
    assert same_device(one, other) is same
