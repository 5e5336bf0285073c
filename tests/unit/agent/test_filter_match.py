"""What a rule of the packet filter matches, in words, by its expressions."""

from __future__ import annotations

import struct

import pytest

from sixproof.agent.witness.filter_match import Match
from sixproof.reporting.causes.filtering.rule_match import FilteredPacket, takes

EQUAL, NOT, ABOVE = 0, 1, 4


def number(value: int) -> bytes:
    """A 32-bit number as nfnetlink has it."""
    return struct.pack("!I", value)


def value(content: int) -> bytes:
    """Two bytes as an attribute."""
    return struct.pack("=HH", 6, 1) + struct.pack("!H", content) + b"\0\0"


def matched(operation: int, content: int, mask: int | None = None) -> str:
    """A comparison of IPv4's flags and fragment offset, in words."""
    match = Match("ip", {})
    match.take("payload", {2: number(1), 3: number(6), 4: number(2)})
    if mask is not None:
        match.take("bitwise", {4: value(mask)})
    match.take("cmp", {2: number(operation), 3: value(content)})
    return ", ".join(match.said)


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
    said = matched(operation, content, mask)
    assert said == "fragment"
    whole = FilteredPacket("udp", None, None)
    assert not takes(said, whole)
    assert takes(said, FilteredPacket("udp", None, None, headers=frozenset(("fragment",))))


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
    assert matched(operation, content, mask) == "header bytes"
