"""Spoofed Packet Too Big messages: which of them a pod believes.

A pod on the victim's node sends them, since a node drops messages that quote a flow it never saw.
That the victim ignores one proves something only where it accepts another from the same sender: one
about an echo request that it really sent, with an MTU that IPv6 allows.
"""

from __future__ import annotations

import base64
import dataclasses
import secrets
import time
from collections.abc import Sequence

from sixproof.agent import protocol
from sixproof.kube.api import wait
from sixproof.model import Endpoint, Family, IPAddress
from sixproof.probes.connect.probe import SLACK, AgentClient
from sixproof.probes.crafted import capture
from sixproof.probes.crafted.capture import Ends

SMALLEST = 1280
"""Bytes that every link of IPv6 carries (RFC 8200 section 5)."""
SPOOFED = {
    SMALLEST - 1: "an MTU below 1280 (RFC 8201 section 4: it must be ignored)",
    SMALLEST + 21: "a TCP connection that does not exist (RFC 8201 section 4: validate)",
    SMALLEST + 42: "a UDP flow that does not exist (RFC 8201 section 4: validate)",
}
"""By the MTU that it reports, what the message is about."""
PORT = 9
"""Nothing listens there (discard, RFC 863)."""


@dataclasses.dataclass(frozen=True, slots=True)
class SpoofedPtb:
    """A victim's route to its peer after the spoofed messages, and after the valid one."""

    victim: Endpoint
    peer: Endpoint
    after_spoofed: protocol.RouteSeen
    after_valid: protocol.RouteSeen

    @property
    def control_holds(self) -> bool:
        """Whether the victim took the message that it must take."""
        return self.after_valid.expires is not None and self.after_valid.mtu == SMALLEST


def try_all(
    agents: AgentClient, victim: Endpoint, peer: Endpoint, forger: Endpoint, silence: float
) -> SpoofedPtb:
    """Send every spoofed message, wait `silence` seconds and look; then the valid one, and look
    again.

    The victim keeps the last for as long as its kernel keeps what it learnt; no other node does.

    Raises:
        InfrastructureError: an agent could not be asked.
        ValueError: one of the three has no IPv6 address.
    """
    here, there, beside = (_address(e) for e in (victim, peer, forger))
    way, back = Ends(here, there), Ends(beside, here)
    echo = capture.echo_request(way, secrets.randbelow(1 << 16), secrets.token_bytes(8))
    port = 20000 + secrets.randbelow(10000)
    tcp = capture.tcp_segment(way, port, PORT, b"")
    udp = capture.packet(way, capture.segment(way, port, PORT, b"x"))
    _send(agents, victim, str(there), [echo])
    quotes = dict(zip(SPOOFED, (echo, tcp, udp), strict=True))
    spoofed_messages = [capture.packet_too_big(back, mtu, quoted) for mtu, quoted in quotes.items()]
    _send(agents, forger, str(here), spoofed_messages)
    began = time.monotonic()
    wait.until(lambda: time.monotonic() - began, lambda past: past > silence, timeout=60)
    after_spoofed = _route(agents, victim, str(there))
    _send(agents, forger, str(here), [capture.packet_too_big(back, SMALLEST, echo)])
    after_valid = wait.until(
        lambda: _route(agents, victim, str(there)),
        lambda seen: seen.expires is not None,
        timeout=silence,
    ).value
    return SpoofedPtb(victim, peer, after_spoofed, after_valid)


def violation(spoofed: SpoofedPtb) -> str:
    """Which spoofed message was believed, empty where none was."""
    seen = spoofed.after_spoofed
    if seen.expires is None:
        return ""
    what = SPOOFED.get(seen.mtu, "one of them")
    return f"it learnt an MTU of {seen.mtu} from a message about {what}"


def _address(endpoint: Endpoint) -> IPAddress:
    address = endpoint.address(Family.IPV6)
    if address is None:
        raise ValueError(f"{endpoint.name} has no IPv6 address")
    return address


def _send(agents: AgentClient, source: Endpoint, address: str, packets: Sequence[bytes]) -> None:
    rows = [protocol.RawPacket(address, base64.b64encode(p).decode(), 0.01) for p in packets]
    agents.ask(source, protocol.SendRaw(rows), protocol.SentRaw, SLACK).result()


def _route(agents: AgentClient, victim: Endpoint, address: str) -> protocol.RouteSeen:
    asked = agents.ask(victim, protocol.RouteGet([address]), protocol.RoutesSeen, SLACK)
    return asked.result().routes[0]
