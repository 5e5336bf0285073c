"""Rules of policy routing as rtnetlink has them."""

from __future__ import annotations

import socket
import struct

import pytest

from sixproof.agent.witness.node import rule_of


def attribute(kind: int, raw: bytes) -> bytes:
    """A netlink attribute."""
    return struct.pack("=HH", 4 + len(raw), kind) + raw + b"\0" * (-len(raw) % 4)


def asked(*given: bytes, tos: int = 0) -> str:
    """What a rule that blackholes asks of packets besides addresses, mark and device."""
    header = struct.pack("=8BI", socket.AF_INET6, 0, 0, tos, 0, 0, 0, 6, 0)
    found = rule_of(header + b"".join(given))
    assert found is not None
    assert found.action == "blackhole"
    return found.more


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (attribute(22, b"\x06"), "ipproto tcp"),
        (attribute(22, b"\x59"), "ipproto 89"),
        (attribute(23, struct.pack("=HH", 1000, 2000)), "sport 1000-2000"),
        (attribute(24, struct.pack("=HH", 22, 22)), "dport 22"),
        (attribute(20, struct.pack("=II", 0, 99)), "uidrange 0-99"),
        (attribute(25, b"\x0a"), "dscp 10"),
        (attribute(26, struct.pack("!I", 7)), "flowlabel 7"),
        (attribute(12, struct.pack("!Q", 5)), "tun_id 5"),
        (attribute(19, b"\x01"), "l3mdev"),
        (attribute(13, struct.pack("=I", 3)), "suppress_ifgroup 3"),
        (attribute(13, struct.pack("=I", 0xFFFFFFFF)), ""),
        (attribute(21, b"\x02"), ""),  # who made it
    ],
)
def test_each_selector_is_read(given: bytes, said: str) -> None:
    """In the words of ip-rule(8); what it does not ask is not said."""
    assert asked(given) == said


def test_selectors_are_said_together() -> None:
    """The type of service is in the header."""
    dport = attribute(24, struct.pack("=HH", 443, 443))
    assert asked(attribute(22, b"\x11"), dport, tos=0x10) == "tos 0x10 ipproto udp dport 443"
