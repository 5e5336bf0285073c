"""What a rule of the packet filter matches, by its expressions."""

from __future__ import annotations

import struct

import pytest

from sixproof.agent.protocol import MatchSeen
from sixproof.agent.witness.filter_match import Match
from sixproof.reporting.causes.filtering.rule_match import FilteredPacket, comparisons, takes

EQUAL, NOT, ABOVE = 0, 1, 4


def number(value: int) -> bytes:
    """A 32-bit number as nfnetlink has it."""
    return struct.pack("!I", value)


def value(content: int) -> bytes:
    """Two bytes as an attribute."""
    return struct.pack("=HH", 6, 1) + struct.pack("!H", content) + b"\0\0"


def byte(content: int) -> bytes:
    """One byte as an attribute."""
    return struct.pack("=HH", 5, 1) + bytes((content, 0, 0, 0))


def matched(operation: int, content: int, mask: int | None = None) -> list[MatchSeen]:
    """A comparison of IPv4's flags and fragment offset."""
    match = Match("ip", {})
    match.take("payload", {2: number(1), 3: number(6), 4: number(2)})
    if mask is not None:
        match.take("bitwise", {4: value(mask)})
    match.take("cmp", {2: number(operation), 3: value(content)})
    return match.seen


@pytest.mark.parametrize(
    ("operation", "content", "mask"),
    [
        (NOT, 0, 0x3FFF),  # what testbed's F1 writes
        (NOT, 0, 0x1FFF),  # and iptables -f
        (NOT, 0, 0x2000),
        (ABOVE, 0, 0x1FFF),
        (EQUAL, 0x2000, 0x2000),
        (EQUAL, 0x2000, 0x3FFF),
        (EQUAL, 0x2000, None),
    ],
)
def test_fragments_of_ipv4_are_named(operation: int, content: int, mask: int | None) -> None:
    """By their offset or the flag that more follow (RFC 791)."""
    seen = matched(operation, content, mask)
    assert seen == [MatchSeen("fragment", "", [])]
    whole = FilteredPacket("udp", None, None)
    assert not takes(comparisons(seen), whole)
    fragment = FilteredPacket("udp", None, None, headers=frozenset(("fragment",)))
    assert takes(comparisons(seen), fragment)


@pytest.mark.parametrize(
    ("operation", "content", "mask"),
    [
        (NOT, 0, 0x4000),  # Don't Fragment
        (NOT, 0, 0x7FFF),
        (NOT, 0, None),
        (EQUAL, 0, 0x3FFF),
        (EQUAL, 0x4000, None),
        (NOT, 0x2000, 0x2000),
    ],
)
def test_what_whole_packets_match_too_is_no_fragment(
    operation: int, content: int, mask: int | None
) -> None:
    """Don't Fragment, or whatever else the bits may be."""
    assert matched(operation, content, mask) == [MatchSeen("header bytes", "", [])]


@pytest.mark.parametrize(
    ("operation", "content", "operator"),
    [(EQUAL, 1, ""), (EQUAL, 0, "not"), (NOT, 0, ""), (NOT, 1, "not")],
)
def test_a_header_that_must_be_missing(operation: int, content: int, operator: str) -> None:
    """nft writes ``exthdr frag missing`` as a comparison of its presence with 0."""
    match = Match("ip6", {})
    match.take("exthdr", {2: b"\x2c", 5: number(1), 6: number(0)})
    match.take("cmp", {2: number(operation), 3: byte(content)})
    assert match.seen == [MatchSeen("fragment", operator, [])]
    whole = FilteredPacket("udp", None, None)
    assert takes(comparisons(match.seen), whole) is bool(operator)


def test_a_field_of_a_header_needs_the_header() -> None:
    """``frag frag-off 0``: only what has the header has the field."""
    match = Match("ip6", {})
    match.take("exthdr", {2: b"\x2c", 6: number(0)})
    match.take("cmp", {2: number(EQUAL), 3: byte(0)})
    assert match.seen == [MatchSeen("fragment", "", [])]


def test_type_and_code_that_must_not_be_both_exclude_no_type() -> None:
    """nft compares both at once: another code of that type is taken."""
    match = Match("ip6", {})
    match.protocol = "icmpv6"
    match.take("payload", {2: number(2), 3: number(0), 4: number(2)})
    match.take("cmp", {2: number(NOT), 3: value(0x0100)})
    assert [(one.field, one.operator, one.values) for one in match.seen] == [
        ("type and code", "not", [])
    ]
    error = FilteredPacket("icmpv6", None, None, type=((1, 1),), code=((4, 4),))
    assert takes(comparisons(match.seen), error)
