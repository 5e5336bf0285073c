"""Sizes: datagrams of exact sizes along a path."""

from __future__ import annotations

import dataclasses

from sixproof.agent.protocol.flows import IcmpSeen
from sixproof.agent.protocol.record import Record


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SizedSpec(Record):
    """Probe datagrams of these sizes, one after the other from one UDP socket.

    `sizes` are of whole IP packets, header included. Each waits `patience` seconds for its echo.
    `fragment` lets the kernel fragment to the path MTU it knows; else DF is set, IPv6 likewise.
    """

    address: str
    port: int
    nonce: str
    sizes: list[int]
    patience: float
    fragment: bool = False


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Sized(Record):
    """The result of one of them; `mtu` is the kernel's path MTU for the socket afterwards."""

    size: int
    event: str
    error: str = ""
    icmp: IcmpSeen | None = None
    latency: float | None = None
    mtu: int = 0


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SizedSeen(Record):
    """The results of all of them; `mtu` is the path MTU that the kernel began with."""

    nonce: str
    mtu: int
    sends: list[Sized]
    local: str = ""
    local_port: int = 0


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SendSized(Record):
    """Send such datagrams to many, side by side."""

    specs: list[SizedSpec]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SentSized(Record):
    """Results in the order of the specs; `lag` is the worst delay of the loop meanwhile."""

    seen: list[SizedSeen]
    lag: float
