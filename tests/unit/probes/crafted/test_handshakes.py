"""Handshakes as both ends captured them: what a SYN must announce, and what was not measured."""

from __future__ import annotations

import base64
import dataclasses
import ipaddress
import struct

import pytest

from sixproof.agent import protocol
from sixproof.model import Endpoint, EndpointKind, Family, Flow, Protocol
from sixproof.probes.connect.fake_agents import FakeAgents
from sixproof.probes.crafted import capture, handshakes

ADDRESSES = {Family.IPV4: ("10.0.0.1", "10.0.0.2"), Family.IPV6: ("2001:db8::1", "2001:db8::2")}


def pod(name: str, index: int) -> Endpoint:
    """A pod of the raw tier."""
    addresses = tuple(ipaddress.ip_address(row[index]) for row in ADDRESSES.values())
    return Endpoint(name, EndpointKind.POD, addresses, "team", name, name)


CLIENT, SERVER = pod("client", 0), pod("server", 1)


def syn(family: Family, port: int, size: int) -> bytes:
    """A SYN to a port that announces a segment size, in bytes (RFC 9293 sections 3.1 and 3.2)."""
    header = struct.pack("!HHIIBBHHH", 40000, port, 1, 0, 6 << 4, 2, 65535, 0, 0)
    ends = capture.Ends(*map(ipaddress.ip_address, ADDRESSES[family]))
    return capture.packet(ends, header + struct.pack("!BBH", 2, 4, size), capture.NUMBER_OF_TCP)


class Agents:
    """Two agents, whose captures have the SYN with these segment sizes (0: no SYN at all)."""

    def __init__(self, family: Family, left: int, came: int) -> None:
        self.sizes = {"client": left, "server": came}
        self.family = family
        address = SERVER.address(family)
        assert address is not None
        self.flow = Flow(CLIENT, SERVER, address, Protocol.TCP, 8080)

    def agent(self, name: str, request: object) -> object:
        """Answers a question."""
        if isinstance(request, protocol.StartCapture):
            return protocol.CaptureStarted(request.name)
        if isinstance(request, protocol.Probe):
            echoed = [
                protocol.FlowResult(f.nonce, protocol.Event.ECHOED, sent=1, latency=0.001)
                for f in request.flows
            ]
            return protocol.Probed(echoed, 0.0)
        if isinstance(request, protocol.EndCapture):
            size = self.sizes[name]
            other, mine = (syn(self.family, port, size or 9) for port in (9090, 8080))
            packets = [other, mine] if size else [other]
            frames = [
                protocol.Frame(0.0, name == "client", base64.b64encode(p).decode()) for p in packets
            ]
            return protocol.Captured(frames, 0, True, 0.0)
        return dataclasses.replace(INSPECTED, mtus={"eth0": 1430})

    def seen(self) -> handshakes.Handshake:
        """What comes of it."""
        agents = FakeAgents(
            {name: lambda request, n=name: self.agent(n, request) for name in self.sizes}  # type: ignore[misc]
        )
        (found,) = handshakes.capture_all(agents, [self.flow], 3.0)
        return found


INSPECTED = protocol.Inspected({}, [], {}, "", {})


@pytest.mark.parametrize(("family", "size"), [(Family.IPV4, 1390), (Family.IPV6, 1370)])
def test_what_the_link_leaves_is_right(family: Family, size: int) -> None:
    """Both ends saw it."""
    shake = Agents(family, size, size).seen()
    assert (handshakes.doubt(shake), handshakes.violation(shake)) == ("", "")


@pytest.mark.parametrize(("left", "came"), [(1370, 1220), (1220, 1220), (1440, 1440)])
def test_another_size_at_either_end_is_reported(left: int, came: int) -> None:
    """With both; where it left with another one, with what is wanted, and where that comes from."""
    said = handshakes.violation(Agents(Family.IPV6, left, came).seen())
    wanted = ", wanted 1370 (1430 bytes of eth0 less headers)" * (left != 1370)
    assert said == f"its SYN came with MSS {came}, left with {left}{wanted}"


@pytest.mark.parametrize(("left", "came"), [(1370, 0), (0, 1370), (0, 0)])
def test_a_syn_that_was_not_captured_is_in_doubt(left: int, came: int) -> None:
    """Not measured is no verdict."""
    assert "no SYN of it in both captures" in handshakes.doubt(
        Agents(Family.IPV6, left, came).seen()
    )
