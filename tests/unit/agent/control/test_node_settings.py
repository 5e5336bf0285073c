"""Which kernel settings of a node are read: its own, its devices', and of where it leaves by; and
what load it has."""

from __future__ import annotations

import ipaddress
import socket
import struct

import pytest

from sixproof.agent import files
from sixproof.agent.protocol import RouteHeld
from sixproof.agent.witness import facts, node
from tests.unit.agent.test_node_rules import attribute

ROUTES = [
    RouteHeld("::/0", 254, "unicast", "eth1", "fe80::1", protocol=9),
    RouteHeld("::/0", 254, "unicast", "eth0", "fe80::1"),
    RouteHeld("::/0", 100, "unreachable"),
    RouteHeld("0.0.0.0/0", 254, "unicast", "eth2", "192.0.2.1"),
    RouteHeld("fd00::/64", 254, "unicast", "cali1"),
]


def test_devices_of_ipv6_default_routes_are_where_advertisements_matter() -> None:
    """Each once; a route without a device, another prefix and IPv4 are none."""
    assert node.uplinks(ROUTES) == ["eth0", "eth1"]
    assert node.uplinks([]) == []


def test_accept_ra_is_read_of_those_devices_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes have a device a pod; a name that would leave the folder is not read at all."""
    asked = []

    def read(path: str) -> str:
        asked.append(path)
        return "2\n" if path.endswith(("accept_ra", "dad_transmits")) else ""

    monkeypatch.setattr(files, "read", read)
    found = node.sysctls(["cali1", "eth0", "a/b"], ["eth0", "../x"])
    assert found["net/ipv6/conf/eth0/accept_ra"] == "2"
    assert found["net/ipv6/conf/eth0/dad_transmits"] == "2"
    assert "/proc/sys/net/ipv6/conf/cali1/accept_ra" not in asked
    assert "/proc/sys/net/ipv6/conf/cali1/disable_ipv6" in asked
    assert not [path for path in asked if ".." in path or "a/b" in path]


@pytest.mark.parametrize(
    ("text", "load"), [("7.25 3.10 1.00 9/1203 4711\n", 7.25), ("", 0.0)], ids=["read", "refused"]
)
def test_the_load_is_that_of_the_last_minute(
    monkeypatch: pytest.MonkeyPatch, text: str, load: float
) -> None:
    """The first of three averages; nothing where it cannot be read."""
    monkeypatch.setattr(files, "read", lambda path: text if path == "/proc/loadavg" else "")
    assert node.load() == load


SOCKSTAT = """sockets: used 72
TCP: inuse 7 orphan 1 tw 145 alloc 608 mem 9
FRAG: inuse 0 memory -1

odd
"""


def test_numbers_of_sockets_are_those_of_each_protocol() -> None:
    """What is no number is left out, and so is what is not there."""
    assert facts.sockets(SOCKSTAT + "TCP6: inuse 3\n") == {
        "sockets_used": 72,
        "TCP_inuse": 7,
        "TCP_orphan": 1,
        "TCP_tw": 145,
        "TCP_alloc": 608,
        "TCP_mem": 9,
        "FRAG_inuse": 0,
        "TCP6_inuse": 3,
    }
    assert facts.sockets("") == {}


@pytest.mark.parametrize(
    ("told", "lifetimes"),
    [
        (struct.pack("=IIII", 0, 290, 7, 7), (0.0, 290.0)),
        (struct.pack("=IIII", 0xFFFFFFFF, 0xFFFFFFFF, 7, 7), (None, None)),
        (struct.pack("=IIII", 0, 0xFFFFFFFF, 7, 7), (0.0, None)),
        (b"\0\0", (None, None)),
        (None, (None, None)),
    ],
    ids=["both", "without end", "deprecated for good", "odd", "not there"],
)
def test_lifetimes_of_an_address(
    told: bytes | None, lifetimes: tuple[float | None, float | None]
) -> None:
    """RFC 4862 section 5.5.4: seconds, or none where it has no end."""
    raw = ipaddress.ip_address("2001:db8::1").packed
    header = struct.pack("=BBBBI", socket.AF_INET6, 64, 0x20, 0, 1)
    held = node.address(header + attribute(1, raw) + (attribute(6, told) if told else b""))
    assert held is not None
    assert (held.address, held.flags) == ("2001:db8::1", ["deprecated"])
    assert (held.preferred, held.valid) == lifetimes
