"""Handshakes: the segment size that a SYN announces, as both ends' interfaces saw it."""

from __future__ import annotations

import base64
import dataclasses
import secrets
from collections.abc import Iterable, Sequence

from sixproof.agent import protocol
from sixproof.model import Flow, Observation
from sixproof.probes.connect.probe import SLACK, AgentClient, ConnectProbe, ProbeOptions
from sixproof.probes.crafted import capture
from sixproof.probes.crafted.capture import HEADERS, CapturedPacket
from sixproof.probes.pmtu.interfaces import POD_INTERFACE

TCP_HEADER = 20


@dataclasses.dataclass(frozen=True, slots=True)
class Handshake:
    """A connection, its SYN where it left and where it came in, and the source's link in bytes.

    None where the capture has no SYN of it.
    """

    seen: Observation
    left: CapturedPacket | None
    came: CapturedPacket | None
    width: int

    @property
    def flow(self) -> Flow:
        """The flow that was tried."""
        return self.seen.flow

    @property
    def wanted(self) -> int:
        """The segment size that its link leaves (RFC 9293 section 3.7.1, RFC 8200 section 8.3)."""
        return self.width - HEADERS[self.flow.family] - TCP_HEADER


def capture_all(
    agents: AgentClient, flows: Sequence[Flow], timeout: float
) -> tuple[Handshake, ...]:
    """Try TCP flows between pods of the raw tier, each given `timeout` seconds.

    Raises:
        InfrastructureError: an agent could not be asked.
    """
    endpoints = {e.name: e for f in flows for e in (f.source, f.destination)}
    capture_id = secrets.token_hex(4)
    inspected = {
        n: agents.ask(e, protocol.Inspect(), protocol.Inspected, SLACK)
        for n, e in endpoints.items()
    }
    started = [
        agents.ask(e, protocol.StartCapture(capture_id, 50.0, 5000), protocol.CaptureStarted, SLACK)
        for e in endpoints.values()
    ]
    for answer in started:
        answer.result()
    seen = ConnectProbe(agents).measure(flows, ProbeOptions(timeout))
    ended = {
        n: agents.ask(e, protocol.EndCapture(capture_id), protocol.Captured, SLACK)
        for n, e in endpoints.items()
    }
    syns = {name: _syns(answer.result().frames) for name, answer in ended.items()}
    return tuple(
        Handshake(
            one,
            _of(one.flow, syns[one.flow.source.name], outgoing=True),
            _of(one.flow, syns[one.flow.destination.name], outgoing=False),
            inspected[one.flow.source.name].result().mtus[POD_INTERFACE],
        )
        for one in seen
    )


def violation(shake: Handshake) -> str:
    """What is wrong about a handshake, empty where nothing is; it must have been captured."""
    sizes = [seen.mss for seen in (shake.left, shake.came) if seen is not None]
    if set(sizes) == {shake.wanted}:
        return ""
    left, came = (seen.mss if seen is not None else "none" for seen in (shake.left, shake.came))
    said = f"its SYN came with MSS {came}, left with {left}"
    if left == shake.wanted:
        return said
    return f"{said}, wanted {shake.wanted} ({shake.width} bytes of eth0 less headers)"


def doubt(shake: Handshake) -> str:
    """Why a handshake was not measured, empty where it was."""
    if shake.left is not None and shake.came is not None:
        return ""
    return f"{shake.seen.outcome}, and no SYN of it in both captures"


def _syns(frames: Iterable[protocol.Frame]) -> list[tuple[bool, CapturedPacket]]:
    read = ((f.outgoing, capture.dissect(base64.b64decode(f.packet))) for f in frames)
    return [(out, seen) for out, seen in read if seen is not None and seen.flags == "S"]


def _of(
    flow: Flow, syns: Iterable[tuple[bool, CapturedPacket]], *, outgoing: bool
) -> CapturedPacket | None:
    ends = flow.source.address(flow.family), flow.address
    return next(
        (
            seen
            for out, seen in syns
            if out is outgoing
            and (seen.source, seen.destination) == ends
            and seen.ports is not None
            and seen.ports[1] == flow.port
        ),
        None,
    )
