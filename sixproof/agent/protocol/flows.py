"""Flows: what to try and what was seen of it; echoes, messages of the runner's own, and bulk."""

from __future__ import annotations

import dataclasses

from sixproof.agent.protocol.record import Record

PAYLOAD_LIMIT = 64 * 1024 * 1024
"""Bytes that one flow may carry in one direction."""


class Event:
    """What an agent saw of one flow; the runner turns events into outcomes."""

    ECHOED = "echoed"  # the right answer came back
    CORRUPTED = "corrupted"  # an answer came back, but not what was sent
    SILENT = "silent"  # no answer and no error until the deadline
    RESET = "reset"  # TCP reset, or ICMP port unreachable for UDP
    UNREACHABLE = "unreachable"  # an ICMP error other than port unreachable
    NO_ROUTE = "no-route"  # the agent's own kernel has no route
    TOO_BIG = "too-big"  # EMSGSIZE
    CLOSED = "closed"  # the peer closed before it answered
    FAILED = "failed"  # the agent could not try; says nothing about the network
    ANSWERED = "answered"  # exchanges and lookups only: an answer came, the runner judges it

    ALL = frozenset(
        {ECHOED, CORRUPTED, SILENT, RESET, UNREACHABLE, NO_ROUTE, TOO_BIG, CLOSED, FAILED}
    )


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FlowSpec(Record):
    """One flow to try.

    `upload` and `download` are payload bytes beyond the header. `attempts` datagrams (UDP, ICMP)
    are spread over the first half of `timeout`. `source_port` 0 is one that was not used for long.
    A `foreign` TCP server is no agent: it is sent an HTTP request, and whatever it says is its
    answer; with `connect_only` it is sent nothing, and that it accepts is its answer. A TCP
    connection is held open for `hold` seconds before the last byte of the request is sent; they
    count against `timeout`.
    """

    protocol: str
    address: str
    port: int
    nonce: str
    timeout: float
    upload: int = 0
    download: int = 0
    attempts: int = 1
    source_port: int = 0
    dont_fragment: bool = False
    foreign: bool = False
    hold: float = 0.0
    connect_only: bool = False


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class IcmpSeen(Record):
    """An ICMP error as the kernel keeps it in a socket's queue, of the flow's own family.

    `sender` is an address, empty where it is not known; `mtu`, bytes, is set where the error is
    about size.
    """

    type: int
    code: int
    sender: str = ""
    mtu: int | None = None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FlowResult(Record):
    """What was seen of a flow.

    `latency` is to the whole answer, `stage` connect or exchange. A silent flow may carry the last
    error that did not end it, such as EPERM where the client's own filter drops what it sends.
    """

    nonce: str
    event: str
    stage: str = ""
    error: str = ""
    detail: str = ""
    latency: float | None = None
    elapsed: float = 0.0
    sent: int = 0
    local: str = ""
    local_port: int = 0
    peer_saw: str = ""
    peer_port: int = 0
    answered_by: str = ""
    icmp: IcmpSeen | None = None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Probe(Record):
    """Try a batch of flows at once."""

    flows: list[FlowSpec]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Probed(Record):
    """Results in the order of the flows; `lag` is the worst delay of the event loop meanwhile."""

    results: list[FlowResult]
    lag: float


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Message(FlowSpec):
    """One message that the runner made: a datagram (udp), or a stream's only message (tcp), which
    goes behind its length in two bytes (RFC 1035 section 4.2.2).

    `payload` is base64, 1 to 65535 bytes; uploads and downloads play no part.
    """

    payload: str = ""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Reply(FlowResult):
    """The first message that came back, as it came: `payload` is base64, of a stream without the
    length. Its event is ANSWERED whatever it holds."""

    payload: str = ""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Exchange(Record):
    """Send a batch of messages at once, each from a socket of its own."""

    messages: list[Message]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Exchanged(Record):
    """Replies in the order of the messages; `lag` is the worst delay of the loop meanwhile."""

    replies: list[Reply]
    lag: float


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Bulk(FlowResult):
    """A TCP flow with what its socket knew at the end (TCP_INFO, TCP_MAXSEG), sizes in bytes.

    `segment` is what it sent at most, `offered` the MSS of its own SYN, `pmtu` the path MTU it
    works with, `timestamps` whether that option (12 bytes a segment) was agreed on, `stall` the
    longest time without a byte acknowledged or received.
    """

    segment: int = 0
    offered: int = 0
    pmtu: int = 0
    retransmits: int = 0
    acknowledged: int = 0
    received: int = 0
    timestamps: bool = True
    stall: float = 0.0


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Transfer(Record):
    """Carry bulk over TCP, all flows at once."""

    flows: list[FlowSpec]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Transferred(Record):
    """Results in the order of the flows; `lag` is the worst delay of the loop meanwhile."""

    results: list[Bulk]
    lag: float
