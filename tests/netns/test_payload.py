"""Payload comes through unchanged, and what the path cannot carry is distinguished from drops."""

from __future__ import annotations

import pytest

from sixproof.model import Endpoint, Family, Observation, Outcome, Protocol
from sixproof.probes.connect.payload import request_line_length
from sixproof.probes.connect.probe import ProbeOptions
from tests.netns.laboratory import scenes
from tests.netns.laboratory.lab import CLIENT, SERVER, Lab, flow

pytestmark = [
    pytest.mark.netns,
    pytest.mark.parametrize("ip_family", Family, ids=str),
]

IP_HEADER = {Family.IPV4: 20, Family.IPV6: 40}
UDP_HEADER, PROBE_HEADER = 8, request_line_length(1400, 1000)
PATIENT = 3.0


def largest(family: Family, mtu: int) -> int:
    """The upload that makes a UDP probe exactly as large as an MTU."""
    return mtu - IP_HEADER[family] - UDP_HEADER - PROBE_HEADER


def measured(
    lab: Lab, server: Endpoint, family: Family, protocol: Protocol, options: ProbeOptions
) -> Observation:
    """One flow that carries a load."""
    return lab.measure([flow(server, family, protocol)], options)[0]


@pytest.mark.parametrize("size", [1, 1024, 65536])
def test_tcp_carries_payload_both_ways(lab: Lab, ip_family: Family, size: int) -> None:
    """What is sent over TCP arrives byte for byte, in both directions."""
    options = ProbeOptions(timeout=PATIENT, upload=size, download=size)

    seen = measured(lab, SERVER, ip_family, Protocol.TCP, options)

    assert (seen.outcome, seen.answered_by) == (Outcome.ALLOWED, "server"), seen.reason


@pytest.mark.parametrize("protocol", [Protocol.UDP, Protocol.ICMP], ids=str)
@pytest.mark.parametrize("size", [1, 512, None], ids=["1", "512", "path MTU"])
def test_datagrams_carry_payload(
    lab: Lab, ip_family: Family, protocol: Protocol, size: int | None
) -> None:
    """A datagram up to the path MTU passes unfragmented and unchanged."""
    size = size or largest(ip_family, 1500)
    options = ProbeOptions(
        timeout=PATIENT, upload=size, download=min(size, 1000), dont_fragment=True
    )

    seen = measured(lab, SERVER, ip_family, protocol, options)

    assert seen.outcome is Outcome.ALLOWED, seen.reason


def test_datagram_one_byte_over_its_own_mtu_is_too_big(lab: Lab, ip_family: Family) -> None:
    """The sender's own kernel says EMSGSIZE where fragments are forbidden; nothing was dropped."""
    options = ProbeOptions(
        timeout=PATIENT, upload=largest(ip_family, 1500) + 1, download=1000, dont_fragment=True
    )

    seen = measured(lab, SERVER, ip_family, Protocol.UDP, options)

    assert seen.outcome is Outcome.TOO_BIG, seen.reason


@pytest.mark.parametrize("protocol", [Protocol.UDP, Protocol.ICMP], ids=str)
def test_datagram_over_the_path_mtu_is_too_big(
    lab: Lab, ip_family: Family, protocol: Protocol
) -> None:
    """The narrow hop's ICMP error becomes TOO_BIG, and the reason quotes its MTU.

    Why: RFC 1191 section 4 (code 4 with the next-hop MTU), RFC 8201 section 4 (Packet Too Big).
    """
    server = scenes.server_of(scenes.scene("narrow path, forbidding fragments"))
    options = ProbeOptions(timeout=PATIENT, upload=scenes.NARROW_MTU, dont_fragment=True)

    seen = measured(lab, server, ip_family, protocol, options)

    assert seen.outcome is Outcome.TOO_BIG, seen.reason


def test_reason_quotes_the_mtu_that_the_narrow_hop_reported(lab: Lab, ip_family: Family) -> None:
    """Whoever reads TOO_BIG learns which MTU the path has and who said so."""
    server = scenes.server_of(scenes.scene("narrow path that is asked once"))
    options = ProbeOptions(timeout=PATIENT, upload=scenes.NARROW_MTU, attempts=1)

    seen = measured(lab, server, ip_family, Protocol.UDP, options)

    assert f"MTU {scenes.NARROW_MTU}" in seen.reason


@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.UDP], ids=str)
def test_sender_that_learns_the_path_mtu_gets_through(
    lab: Lab, ip_family: Family, protocol: Protocol
) -> None:
    """TCP shrinks its segments and UDP fragments its next attempt once a hop reports its MTU."""
    server = scenes.server_of(scenes.scene("narrow path"))
    options = ProbeOptions(timeout=PATIENT, upload=scenes.NARROW_MTU)

    seen = measured(lab, server, ip_family, protocol, options)

    assert seen.outcome is Outcome.ALLOWED, seen.reason


def test_path_mtu_black_hole_is_dropped_after_the_handshake(lab: Lab, ip_family: Family) -> None:
    """Where nobody reports the MTU, small packets pass and large ones vanish: a black hole.

    Why: RFC 2923 section 2.1.
    """
    server = scenes.server_of(scenes.scene("narrow path that does not say so"))

    seen = measured(lab, server, ip_family, Protocol.TCP, ProbeOptions(timeout=2.0, upload=20000))

    assert (seen.outcome, seen.reason) == (
        Outcome.DROPPED,
        "the handshake completed, then no arrival at the server",
    )


def test_client_end_is_the_lab_s_own(lab: Lab, ip_family: Family) -> None:
    """The server saw the client's own address: nothing translated on the plain path."""
    seen = measured(lab, SERVER, ip_family, Protocol.TCP, ProbeOptions(timeout=PATIENT))

    assert seen.peer_saw == CLIENT.address(ip_family)
