"""Flows: what was asked."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.model import Family, Protocol
from tests.unit.model.places import flow, place


@pytest.mark.parametrize(
    ("family", "protocol", "port_spec"),
    [
        (Family.IPV4, Protocol.TCP, "tcp/8080"),
        (Family.IPV6, Protocol.UDP, "udp/8080"),
        (Family.IPV4, Protocol.ICMP, "icmp"),
        (Family.IPV6, Protocol.ICMP, "icmpv6"),
    ],
)
def test_port_is_protocol_and_port(family: Family, protocol: Protocol, port_spec: str) -> None:
    """A port is one word; echo has no port."""
    assert (flow(family, protocol).port_spec, flow(family, protocol).family) == (port_spec, family)


@pytest.mark.parametrize(
    ("here", "there", "crosses"),
    [("a", "b", True), ("a", "a", False), ("", "b", False), ("a", "", False)],
)
def test_flow_crosses_only_known_nodes(here: str, there: str, crosses: bool) -> None:
    """A flow to a service, whose node nobody knows, is not said to cross nodes."""
    measured = flow(source=place("x", 1, here), destination=place("y", 2, there))

    assert measured.crosses_nodes is crosses


def test_flow_prints_as_a_reader_says_it() -> None:
    """Peers by name, family and port, and the dialled address as a literal."""
    assert str(flow()) == "client -> echo over IPv6 tcp/8080 ([2001:db8::2]:8080)"


def test_values_are_frozen() -> None:
    """Nobody changes a measurement after the fact."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        flow().port = 1  # type: ignore[misc]
