"""Crafted packets: fired all at once, then looked for at both ends.

A crafted packet is a probe datagram that arrives in an unusual shape. It has arrived if its nonce
is in the server's log; a crafted packet that must not arrive proves something only where the same
datagram in its plain shape, the crafted packet's baseline, came through in the same window.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import functools
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from sixproof.agent import protocol
from sixproof.agent.wire import Seal
from sixproof.kube.api import wait
from sixproof.model import Endpoint, Family, IcmpError, IPAddress
from sixproof.probes.connect.probe import SLACK, AgentClient
from sixproof.probes.crafted import capture
from sixproof.probes.crafted.capture import CapturedPacket

A = TypeVar("A")

LARGEST_ERROR = 1280
"""Bytes of an ICMPv6 error message at most (RFC 4443 section 2.4 (c))."""


@dataclasses.dataclass(frozen=True, slots=True)
class CraftedTarget:
    """Where a crafted packet goes: the address that is dialled, the pod in which it would arrive,
    the port.

    `source` sends. Crafted packets at the same target share a baseline. Where the port is
    translated on the way, `serves` is the server's own. The server answers what bears the run's
    `seal`.
    """

    source: Endpoint
    server: Endpoint
    address: IPAddress
    port: int
    seal: Seal = dataclasses.field(compare=False, repr=False)
    serves: int = 0

    @property
    def family(self) -> Family:
        """The family of the address."""
        return Family.of(self.address)

    @property
    def own_port(self) -> int:
        """The port on which the server listens."""
        return self.serves or self.port

    @property
    def name(self) -> str:
        """``raw@worker -> raw@worker2 over IPv6``, and at which address where it is another."""
        way = f"{self.source.name} -> {self.server.name} over {self.family} udp/{self.port}"
        return way if self.address in self.server.addresses else f"{way} at {self.address}"


@dataclasses.dataclass(frozen=True, slots=True)
class CraftedPacket:
    """One datagram in one shape, as the packets that carry it.

    `shape` names it, `story` its path. `arrives` is what must happen, `because` the source of that.
    `against` is the target whose baseline must have arrived. With `unseen` not one packet of it may
    even reach the server's interface.
    """

    shape: str
    story: str
    target: CraftedTarget
    nonce: str
    source_port: int
    packets: tuple[bytes, ...]
    arrives: bool
    because: str
    against: CraftedTarget
    unseen: bool = False
    baseline: bool = False


class CraftedStatus(enum.Enum):
    """The outcome of a crafted packet."""

    ARRIVED = "arrived"
    ABSENT = "did not arrive"
    UNKNOWN = "not measured"


@dataclasses.dataclass(frozen=True, slots=True)
class CraftedResult:
    """A crafted packet and what both ends saw of it.

    `left` are its packets at the source's interface, `came` at the server's. `errors` are ICMP
    errors about it that came back. `doubt` says why it was not measured, `stalled` for how many
    seconds an agent was too busy to measure.
    """

    crafted_packet: CraftedPacket
    status: CraftedStatus
    left: int
    came: tuple[CapturedPacket, ...]
    errors: tuple[CapturedPacket, ...] = ()
    doubt: str = ""
    stalled: float = 0.0

    def __str__(self) -> str:
        crafted_packet = self.crafted_packet
        where = (
            f"{self.left} of {len(crafted_packet.packets)} packets left, {len(self.came)} reached"
        )
        sent = f"{crafted_packet.target.name}: {crafted_packet.shape}"
        said = f"{sent} {self.status.value}; {where} the server's interface"
        icmp_errors = [f"{e.source} sent {_icmp(e).name}" for e in self.errors]
        return "; ".join([said, *dict.fromkeys(icmp_errors), *([self.doubt] if self.doubt else [])])


@dataclasses.dataclass(frozen=True, slots=True)
class _Capture:
    """What a pod's interface saw."""

    frames: tuple[tuple[bool, CapturedPacket, bytes], ...]
    doubt: str


class CraftedBatch:
    """Fires crafted packets. Every source and server is a pod of the raw tier."""

    def __init__(self, agents: AgentClient, silence: float) -> None:
        self._agents = agents
        self._silence = silence

    def fire(self, crafted_packets: Sequence[CraftedPacket]) -> tuple[CraftedResult, ...]:
        """One result per crafted packet, in order; `silence` seconds pass after the last packet.

        Raises:
            InfrastructureError: an agent could not be asked.
        """
        endpoints = {e.name: e for s in crafted_packets for e in (s.target.source, s.target.server)}
        capture_id = secrets.token_hex(4)
        self._each(
            endpoints,
            lambda _: protocol.StartCapture(capture_id, 50.0, 5000),
            protocol.CaptureStarted,
        )
        began = time.monotonic()
        refused, lags = self._send(crafted_packets)
        silent = time.monotonic()
        wait.until(lambda: time.monotonic() - silent, lambda past: past > self._silence, timeout=60)
        evidence = self._evidence(endpoints, crafted_packets, time.monotonic() - began)
        captures = {
            name: _capture(captured)
            for name, captured in self._each(
                endpoints, lambda _: protocol.EndCapture(capture_id), protocol.Captured
            ).items()
        }
        crafted_results = [
            self._result(
                crafted_packet,
                refused[i],
                lags[crafted_packet.target.source.name],
                evidence,
                captures,
            )
            for i, crafted_packet in enumerate(crafted_packets)
        ]
        return tuple(_held_against(crafted_results))

    def _each(
        self,
        endpoints: Mapping[str, Endpoint],
        request: Callable[[Endpoint], object],
        answer: type[A],
    ) -> dict[str, A]:
        asked = {n: self._agents.ask(e, request(e), answer, SLACK) for n, e in endpoints.items()}
        return {name: future.result() for name, future in asked.items()}

    def _send(
        self, crafted_packets: Sequence[CraftedPacket]
    ) -> tuple[dict[int, str], dict[str, float]]:
        rows: dict[str, list[tuple[int, protocol.RawPacket]]] = defaultdict(list)
        sources = {s.target.source.name: s.target.source for s in crafted_packets}
        for index, crafted_packet in enumerate(crafted_packets):
            for data in crafted_packet.packets:
                text = base64.b64encode(data).decode()
                packet = protocol.RawPacket(str(crafted_packet.target.address), text, 0.0005)
                rows[crafted_packet.target.source.name].append((index, packet))
        asked = {
            name: self._agents.ask(
                sources[name], protocol.SendRaw([p for _, p in row]), protocol.SentRaw, 30 + SLACK
            )
            for name, row in rows.items()
        }
        refused: dict[int, str] = defaultdict(str)
        lags = {}
        for name, row in rows.items():
            answer = asked[name].result()
            lags[name] = answer.lag
            for (index, _), result in zip(row, answer.results, strict=True):
                refused[index] = refused[index] or result.error
        return refused, lags

    def _evidence(
        self,
        endpoints: Mapping[str, Endpoint],
        crafted_packets: Sequence[CraftedPacket],
        window: float,
    ) -> dict[str, protocol.EvidenceFound]:
        def request(endpoint: Endpoint) -> protocol.Evidence:
            mine = [s for s in crafted_packets if s.target.server.name == endpoint.name]
            wanted = {(str(endpoint.address(s.target.family)), s.target.own_port) for s in mine}
            controls = [protocol.Control("udp", address, port) for address, port in sorted(wanted)]
            return protocol.Evidence([s.nonce for s in mine], controls, window)

        servers = {s.target.server.name: endpoints[s.target.server.name] for s in crafted_packets}
        return self._each(servers, request, protocol.EvidenceFound)

    def _result(
        self,
        crafted_packet: CraftedPacket,
        refused: str,
        lag: float,
        evidence: Mapping[str, protocol.EvidenceFound],
        captures: Mapping[str, _Capture],
    ) -> CraftedResult:
        source, server = crafted_packet.target.source.name, crafted_packet.target.server
        found, here, there = evidence[server.name], captures[source], captures[server.name]
        sent = {_lasting(p) for p in crafted_packet.packets}
        left = sum(out and _lasting(raw) in sent for out, _, raw in here.frames)
        own = str(server.address(crafted_packet.target.family))
        answered = {(c.address, c.port): c for c in found.controls}[
            own, crafted_packet.target.own_port
        ]
        late = max(lag, found.lag)
        doubts = (
            f"the source's kernel refused a packet: {refused}" if refused else "",
            here.doubt and f"{source}: {here.doubt}",
            there.doubt and f"{server.name}: {there.doubt}",
            ""
            if left >= len(crafted_packet.packets) or here.doubt
            else "not every packet left the source",
            "" if answered.answered else f"{server.name} fails its own control: {answered.failure}",
            f"an agent was stalled for {late:.2f} s" if late > self._silence / 2 else "",
        )
        arrived = any(a.nonce == crafted_packet.nonce for a in found.arrivals)
        doubt = "; ".join(filter(None, doubts))
        status = (
            CraftedStatus.ARRIVED
            if arrived
            else CraftedStatus.UNKNOWN
            if doubt
            else CraftedStatus.ABSENT
        )
        came = _of(crafted_packet, there.frames) if source != server.name else ()
        errors = tuple(
            seen
            for out, seen, _ in here.frames
            if not out and seen.error and crafted_packet.nonce.encode() in seen.quoted
        )
        stalled = late if status is CraftedStatus.UNKNOWN and late > self._silence / 2 else 0.0
        return CraftedResult(crafted_packet, status, left, came, errors, doubt, stalled)


def _capture(captured: protocol.Captured) -> _Capture:
    frames = []
    for frame in captured.frames:
        raw = base64.b64decode(frame.packet)
        if seen := _dissected(raw):
            frames.append((frame.outgoing, seen, raw))
    doubt = "" if captured.complete and not captured.lost else "the capture is not complete"
    return _Capture(tuple(frames), doubt)


@functools.lru_cache(maxsize=20_000)
def _dissected(raw: bytes) -> CapturedPacket | None:
    return capture.dissect(raw)


def _lasting(raw: bytes) -> tuple[bytes, int, bytes]:
    """What a captured packet keeps: a node that joins and cuts fragments again writes new headers
    over the very memory that the pod's capture has not been read from yet."""
    six = raw[0] >> 4 == 6
    return raw[24:40] if six else raw[16:20], len(raw), raw[48:] if six else raw[20:]


def _of(
    crafted_packet: CraftedPacket, frames: Iterable[tuple[bool, CapturedPacket, bytes]]
) -> tuple[CapturedPacket, ...]:
    """The packets of a crafted packet among what came in: by its nonce or its ports, or as
    fragments of one that has them."""
    coming = [seen for out, seen, _ in frames if not out]
    wanted = (crafted_packet.source_port, crafted_packet.target.port)
    source = crafted_packet.target.source.address(crafted_packet.target.family)
    nonce = crafted_packet.nonce.encode()
    known = [s for s in coming if nonce in s.data or (s.source, s.ports) == (source, wanted)]
    sent = [seen for seen in map(_dissected, crafted_packet.packets) if seen is not None]
    fragments = {(s.source, s.fragment[0]) for s in (*known, *sent) if s.fragment}
    return tuple(
        s
        for s in coming
        if s in known or (s.fragment is not None and (s.source, s.fragment[0]) in fragments)
    )


def _held_against(crafted_results: Iterable[CraftedResult]) -> Iterable[CraftedResult]:
    """An absence counts only where the target's baseline arrived."""
    row = list(crafted_results)
    sound = {
        x.crafted_packet.target
        for x in row
        if x.crafted_packet.baseline and x.status is CraftedStatus.ARRIVED
    }
    for crafted_result in row:
        if (
            crafted_result.status is CraftedStatus.ABSENT
            and crafted_result.crafted_packet.against not in sound
        ):
            said = "a plain datagram did not arrive either"
            yield dataclasses.replace(crafted_result, status=CraftedStatus.UNKNOWN, doubt=said)
        else:
            yield crafted_result


def violation(crafted_result: CraftedResult) -> str:
    """What is wrong with a result, empty where nothing is. Call it only for what was measured."""
    crafted_packet = crafted_result.crafted_packet
    if crafted_packet.arrives != (crafted_result.status is CraftedStatus.ARRIVED):
        wanted = "arrive" if crafted_packet.arrives else "be dropped"
        return f"{crafted_result}\n    wanted it to {wanted}: {crafted_packet.because}"
    if crafted_packet.unseen and crafted_result.came:
        return (
            f"{crafted_result}\n    wanted none of it to reach the server: {crafted_packet.because}"
        )
    return ""


def _icmp(seen: CapturedPacket) -> IcmpError:
    """A captured ICMP error."""
    kind, code = seen.error or (0, 0)
    return IcmpError(Family.of(seen.source), kind, code, str(seen.source))


def misquoted(crafted_result: CraftedResult, narrowest: int | None) -> str:
    """What is wrong about a crafted packet that fills its source's link, empty where nothing is.

    It arrives, or a Packet Too Big (over IPv4: fragmentation needed) reports the MTU of the
    `narrowest` hop, bytes, where that is known, and quotes the packet as its sender sent it: its
    own address, the one that it dialled, its ports (RFC 4443 section 3.2, RFC 5508 section 4).
    Call it only for what was measured.
    """
    crafted_packet, target = crafted_result.crafted_packet, crafted_result.crafted_packet.target
    six = target.family is Family.IPV6
    kind = "Packet Too Big" if six else "fragmentation needed"
    if not crafted_result.errors:
        arrived = crafted_result.status is CraftedStatus.ARRIVED
        return "" if arrived else f"{crafted_result}\n    it was lost, and no {kind} came back"
    wrong: dict[str, None] = {}
    for error in crafted_result.errors:
        if not _icmp(error).too_big:
            wrong[f"{error.source} sent {_icmp(error).name}, wanted a {kind}"] = None
            continue
        if narrowest is not None and error.mtu != narrowest:
            said = f"{error.source} gave an MTU of {error.mtu}, the narrowest hop has {narrowest}"
            wrong[said] = None
        if six and error.length > LARGEST_ERROR:
            wrong[f"its {kind} has {error.length} bytes, at most {LARGEST_ERROR} may be"] = None
        seen = capture.dissect(error.quoted)
        own = (target.source.address(target.family), target.address)
        if seen is None or (seen.source, seen.destination) != own:
            said = f"{seen.source} -> {seen.destination}" if seen else "nothing"
            wrong[f"it quotes {said}, sent was {own[0]} -> {own[1]}"] = None
        elif seen.ports != (crafted_packet.source_port, target.port):
            wrong[
                f"it quotes ports {seen.ports}, sent were {crafted_packet.source_port, target.port}"
            ] = None
    return "\n    ".join([str(crafted_result), *wrong]) if wrong else ""
