"""Forged messages: what a pod believed, and when that it believed nothing proves anything."""

from __future__ import annotations

import base64
import ipaddress

import pytest

from sixproof.agent import protocol
from sixproof.model import Endpoint, EndpointKind
from sixproof.probes.connect.fake_agents import FakeAgents
from sixproof.probes.crafted import capture, spoofed_ptb
from sixproof.probes.crafted.spoofed_ptb import SMALLEST


def pod(name: str, number: int) -> Endpoint:
    """A pod of the raw tier."""
    address = ipaddress.ip_address(f"2001:db8::{number}")
    return Endpoint(name, EndpointKind.POD, (address,), "team", name, name)


VICTIM, PEER, FORGER = pod("victim", 1), pod("peer", 2), pod("forger", 3)


class Kernel:
    """A victim that believes messages which carry one of these MTUs."""

    def __init__(self, *believes: int) -> None:
        self.believes = believes
        self.mtu = 0
        self.quoted: list[capture.CapturedPacket | None] = []

    def victim(self, request: object) -> object:
        """Sends, and looks up its route."""
        if isinstance(request, protocol.SendRaw):
            return protocol.SentRaw([protocol.RawResult("")], 0.0)
        expires = 500.0 if self.mtu else None
        return protocol.RoutesSeen(
            [protocol.RouteSeen("2001:db8::2", mtu=self.mtu, expires=expires)]
        )

    def forger(self, request: object) -> object:
        """Sends lies to it."""
        assert isinstance(request, protocol.SendRaw)
        for packet in request.packets:
            seen = capture.dissect(base64.b64decode(packet.packet))
            assert seen is not None
            assert seen.destination == VICTIM.addresses[0]
            self.quoted.append(capture.dissect(seen.quoted))
            if seen.mtu in self.believes:
                self.mtu = seen.mtu
        return protocol.SentRaw([protocol.RawResult("") for _ in request.packets], 0.0)


def tried(kernel: Kernel) -> spoofed_ptb.SpoofedPtb:
    """What comes of it."""
    agents = FakeAgents({"victim": kernel.victim, "forger": kernel.forger})
    return spoofed_ptb.try_all(agents, VICTIM, PEER, FORGER, 0.01)


def test_who_believes_only_the_truth_is_right() -> None:
    """Every message quotes what the victim could have sent to its peer."""
    kernel = Kernel(SMALLEST)
    found = tried(kernel)
    assert (found.control_holds, spoofed_ptb.violation(found)) == (True, "")
    ends = {(q.source, q.destination) for q in kernel.quoted if q is not None}
    assert ends == {(VICTIM.addresses[0], PEER.addresses[0])}
    assert [q.protocol for q in kernel.quoted if q is not None] == [58, 6, 17, 58]


@pytest.mark.parametrize("mtu", list(spoofed_ptb.SPOOFED))
def test_a_lie_that_is_believed_is_named(mtu: int) -> None:
    """By its MTU one knows which."""
    said = spoofed_ptb.violation(tried(Kernel(mtu, SMALLEST)))
    assert said == f"it learnt an MTU of {mtu} from a message about {spoofed_ptb.SPOOFED[mtu]}"


def test_who_believes_nothing_at_all_proves_nothing() -> None:
    """Messages may not get through."""
    assert not tried(Kernel()).control_holds


def test_all_three_need_ipv6() -> None:
    """There is no such message over IPv4."""
    with pytest.raises(ValueError, match="forger has no IPv6 address"):
        spoofed_ptb.try_all(
            FakeAgents({}), VICTIM, PEER, Endpoint("forger", EndpointKind.POD, ()), 0.01
        )
