"""Packets: whole ones, sent as they are and kept as they came, for pods with NET_RAW."""

from __future__ import annotations

import dataclasses

from sixproof.agent.protocol.record import Record

RAW_LIMIT, RAW_SECONDS = 5000, 60.0
"""Packets of one request, and seconds that it may take."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RawPacket(Record):
    """A whole IP packet in base64, its header included, for the kernel to route to `address`.

    It leaves `delay` seconds after the one before it.
    """

    address: str
    packet: str
    delay: float = 0.0


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SendRaw(Record):
    """Send these packets one after the other; needs NET_RAW, refused with an error without it."""

    packets: list[RawPacket]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RawResult(Record):
    """Whether the kernel took a packet; `error` such as EMSGSIZE, empty where it did."""

    error: str = ""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SentRaw(Record):
    """Results in the order of the packets; `lag` is the worst delay of the loop meanwhile."""

    results: list[RawResult]
    lag: float


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class StartCapture(Record):
    """Keep copies of the IP packets on every interface but loopback, until `EndCapture`.

    At most `limit` packets and `seconds`; answered once packets are being kept. Needs NET_RAW.
    """

    name: str
    seconds: float
    limit: int = 4000


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class CaptureStarted(Record):
    """Packets are being kept."""

    name: str


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EndCapture(Record):
    """Hand out what was kept under this name, once, and stop."""

    name: str


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Frame(Record):
    """One packet from its IP header on, in base64; `at` seconds after the capture began."""

    at: float
    outgoing: bool
    packet: str


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Captured(Record):
    """The packets in order. Nothing is missing where `lost` (by the kernel) is 0 and `complete`:
    neither the time nor the room ran out. `lag` is the worst delay of the loop meanwhile."""

    frames: list[Frame]
    lost: int
    complete: bool
    lag: float
