"""Families, protocols and how addresses are written."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixproof.model import Family, Protocol, host_literal


@pytest.mark.parametrize(
    ("family", "version", "bits", "other"),
    [(Family.IPV4, 4, 32, Family.IPV6), (Family.IPV6, 6, 128, Family.IPV4)],
    ids=str,
)
def test_family_knows_its_numbers(family: Family, version: int, bits: int, other: Family) -> None:
    """Version, address length and the other family of a dual-stack pair."""
    assert (family.version, family.bits, family.other) == (version, bits, other)


def test_family_prints_as_kubernetes_writes_it() -> None:
    """As in `spec.ipFamilies` of a service."""
    assert [str(f) for f in Family] == ["IPv4", "IPv6"]


@given(st.ip_addresses())
def test_family_of_an_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """An address and the network around it have one family."""
    network = ipaddress.ip_network(address)

    assert Family.of(address) is Family.of(network)
    assert Family.of(address).version == address.version


@pytest.mark.parametrize(
    ("protocol", "family", "name"),
    [
        (Protocol.ICMP, Family.IPV4, "ICMP"),
        (Protocol.ICMP, Family.IPV6, "ICMPv6"),
        (Protocol.TCP, Family.IPV6, "TCP"),
    ],
)
def test_protocol_is_named_as_on_the_wire(protocol: Protocol, family: Family, name: str) -> None:
    """Only ICMP changes its name with the family."""
    assert protocol.named_for(family) == name


def test_only_icmp_has_no_ports() -> None:
    """TCP, UDP and SCTP flows name a port."""
    assert [p for p in Protocol if not p.has_ports] == [Protocol.ICMP]


@pytest.mark.parametrize(
    ("text", "port", "literal"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", 80, "192.0.2.1:80"),
        ("2001:db8::1", None, "2001:db8::1"),
        ("2001:db8::1", 80, "[2001:db8::1]:80"),
    ],
)
def test_literal_brackets_ipv6_before_a_port(text: str, port: int | None, literal: str) -> None:
    """RFC 3986 section 3.2.2."""
    assert host_literal(ipaddress.ip_address(text), port) == literal
