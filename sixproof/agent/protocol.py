"""The messages between runner and agent: JSON lines over one exec stream.

This file is delivered to the pod beside agent.py, so it is standard library only and Python 3.10.

A request is ``{"v": 1, "id": 7, "key": "mark", "do": "probe", ...fields}``, its answer
``{"v": 1, "id": 7, "ok": {...fields}}`` or ``{"v": 1, "id": 7, "error": "what was wrong"}``.
Unknown or malformed requests are answered with an error, and so are all by an agent whose key has
another mark: it would not answer the probes of this run, and its silence would look like the
network's. Times are seconds, sizes bytes, addresses
text without zone or brackets.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing

VERSION = 1
LINE_LIMIT = 32 * 1024 * 1024
"""Bytes of one line; a longer one is refused on both sides."""

PAYLOAD_LIMIT = 64 * 1024 * 1024
"""Bytes that one flow may carry in one direction."""


class ProtocolError(ValueError):
    """A message that is not of this protocol."""


class Event:
    """What an agent saw of one flow; the runner turns events into outcomes."""

    ECHOED = "echoed"  # the right answer came back
    CORRUPTED = "corrupted"  # an answer came back, but not what was sent
    SILENT = "silent"  # no answer and no error until the deadline
    RESET = "reset"  # TCP reset, or ICMP port unreachable for UDP
    UNREACHABLE = "unreachable"  # an ICMP error other than port unreachable, see detail
    NO_ROUTE = "no-route"  # the agent's own kernel has no route
    TOO_BIG = "too-big"  # EMSGSIZE
    CLOSED = "closed"  # the peer closed before it answered
    FAILED = "failed"  # the agent could not try; says nothing about the network
    ANSWERED = "answered"  # exchanges and lookups only: an answer came, the runner judges it

    ALL = frozenset(
        {ECHOED, CORRUPTED, SILENT, RESET, UNREACHABLE, NO_ROUTE, TOO_BIG, CLOSED, FAILED}
    )


@dataclasses.dataclass(frozen=True)
class FlowSpec:
    """One flow to try.

    `upload` and `download` are payload bytes beyond the header. `attempts` datagrams (UDP, ICMP)
    are spread over the first half of `timeout`. `source_port` 0 is one that was not used for long.
    A `foreign` TCP server is no agent: it is sent an HTTP request, and whatever it says is its
    answer. A TCP connection is held open for `hold` seconds before the last byte of the request is
    sent; they count against `timeout`.
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


@dataclasses.dataclass(frozen=True)
class FlowResult:
    """What was seen of a flow.

    `latency` is to the whole answer, `stage` connect or exchange. A silent flow may carry the last
    error that did not end it, such as EPERM where the client's own filter eats what it sends.
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


@dataclasses.dataclass(frozen=True)
class Arrival:
    """A nonce that reached this server: from where, at which local address, when by its clock."""

    nonce: str
    protocol: str
    peer: str
    peer_port: int
    local: str
    local_port: int
    at: float


@dataclasses.dataclass(frozen=True)
class HalfOpen:
    """A TCP connection whose SYN arrived and whose handshake did not complete (state SYN_RECV)."""

    peer: str
    peer_port: int
    local: str
    local_port: int


@dataclasses.dataclass(frozen=True)
class Control:
    """A positive control: the server asks itself at its own address, in its own network stack."""

    protocol: str
    address: str
    port: int


@dataclasses.dataclass(frozen=True)
class ControlResult:
    """Whether the server answered its own control, and how not."""

    protocol: str
    address: str
    port: int
    answered: bool
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class Hello:
    """Who are you? Answered with Welcome."""


@dataclasses.dataclass(frozen=True)
class Welcome:
    """The agent introduces itself. `listening` holds ``tcp/[::]:8080`` forms."""

    host: str
    python: str
    pid: int
    uptime: float
    rss_kib: int
    listening: list[str]


@dataclasses.dataclass(frozen=True)
class Ping:
    """Heart-beat."""


@dataclasses.dataclass(frozen=True)
class Pong:
    """Answer to a heart-beat; `lag` is the worst delay of the event loop since the last one.

    `foreign_datagrams` and `foreign_connections` are how many came since the agent began that were
    not of this run. They were not answered.
    """

    lag: float
    foreign_datagrams: int = 0
    foreign_connections: int = 0


@dataclasses.dataclass(frozen=True)
class Probe:
    """Try a batch of flows at once."""

    flows: list[FlowSpec]


@dataclasses.dataclass(frozen=True)
class Probed:
    """Results in the order of the flows; `lag` is the worst delay of the event loop meanwhile."""

    results: list[FlowResult]
    lag: float


@dataclasses.dataclass(frozen=True)
class Message(FlowSpec):
    """One message that the runner made: a datagram (udp), or a stream's only message (tcp), which
    goes behind its length in two bytes (RFC 1035 section 4.2.2).

    `payload` is base64, 1 to 65535 bytes; uploads and downloads play no part.
    """

    payload: str = ""


@dataclasses.dataclass(frozen=True)
class Reply(FlowResult):
    """The first message that came back, as it came: `payload` is base64, of a stream without the
    length. Its event is ANSWERED whatever it holds."""

    payload: str = ""


@dataclasses.dataclass(frozen=True)
class Exchange:
    """Send a batch of messages at once, each from a socket of its own."""

    messages: list[Message]


@dataclasses.dataclass(frozen=True)
class Exchanged:
    """Replies in the order of the messages; `lag` is the worst delay of the loop meanwhile."""

    replies: list[Reply]
    lag: float


@dataclasses.dataclass(frozen=True)
class Lookup:
    """One call of the pod's own resolver, getaddrinfo(3); `family` is any, IPv4 or IPv6."""

    name: str
    family: str


@dataclasses.dataclass(frozen=True)
class Found:
    """What the resolver said: `addresses` in its order, each once, or `error` such as EAI_NONAME.

    SILENT is a call that did not return in time.
    """

    name: str
    family: str
    event: str
    addresses: list[str]
    error: str = ""
    detail: str = ""
    latency: float | None = None


@dataclasses.dataclass(frozen=True)
class Resolve:
    """Look names up, at most `threads` at a time, `timeout` for all of them together."""

    lookups: list[Lookup]
    timeout: float
    threads: int = 4


@dataclasses.dataclass(frozen=True)
class Resolved:
    """Results in the order of the lookups; `lag` is the worst delay of the event loop meanwhile."""

    found: list[Found]
    lag: float


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Which of these nonces arrived, which handshakes hang, does the server answer itself?

    `window` is how many seconds ago the oldest of the flows began. Without `handshakes` nobody
    looks for those that hang, which takes some 20 ms of processor time on a busy node.
    """

    nonces: list[str]
    controls: list[Control]
    window: float = 0.0
    handshakes: bool = True


@dataclasses.dataclass(frozen=True)
class EvidenceFound:
    """The server's side of the story.

    `lag` is the worst delay of the event loop within the window. An agent whose `uptime` is shorter
    than the flows are old was not there for all of them: its log may miss what came before.
    """

    arrivals: list[Arrival]
    half_open: list[HalfOpen]
    controls: list[ControlResult]
    lag: float
    uptime: float


@dataclasses.dataclass(frozen=True)
class Inspect:
    """Read the pod's own network facts: fixed files of /proc and /sys, nothing by name."""


@dataclasses.dataclass(frozen=True)
class AddressSeen:
    """An IPv6 address with its kernel flags by name: tentative, dadfailed, deprecated, ..."""

    interface: str
    address: str
    prefix: int
    flags: list[str]


@dataclasses.dataclass(frozen=True)
class Inspected:
    """Interface MTUs, IPv6 addresses, sysctls that matter and resolv.conf, as the pod sees them."""

    mtus: dict[str, int]
    ipv6: list[AddressSeen]
    sysctls: dict[str, str]
    resolv_conf: str
    counters: dict[str, int]


@dataclasses.dataclass(frozen=True)
class SizedSpec:
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


@dataclasses.dataclass(frozen=True)
class Sized:
    """What came of one of them; `mtu` is the path MTU by the socket's kernel afterwards."""

    size: int
    event: str
    error: str = ""
    detail: str = ""
    latency: float | None = None
    mtu: int = 0


@dataclasses.dataclass(frozen=True)
class SizedSeen:
    """What came of all of them; `mtu` is the path MTU that the kernel began with."""

    nonce: str
    mtu: int
    sends: list[Sized]
    local: str = ""
    local_port: int = 0


@dataclasses.dataclass(frozen=True)
class SendSized:
    """Send such datagrams to many, side by side."""

    specs: list[SizedSpec]


@dataclasses.dataclass(frozen=True)
class SentSized:
    """Results in the order of the specs; `lag` is the worst delay of the loop meanwhile."""

    seen: list[SizedSeen]
    lag: float


@dataclasses.dataclass(frozen=True)
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


@dataclasses.dataclass(frozen=True)
class Transfer:
    """Carry bulk over TCP, all flows at once."""

    flows: list[FlowSpec]


@dataclasses.dataclass(frozen=True)
class Transferred:
    """Results in the order of the flows; `lag` is the worst delay of the loop meanwhile."""

    results: list[Bulk]
    lag: float


@dataclasses.dataclass(frozen=True)
class RouteGet:
    """Which way would packets to these addresses go (rtnetlink(7), RTM_GETROUTE)?"""

    addresses: list[str]


@dataclasses.dataclass(frozen=True)
class RouteSeen:
    """The kernel's answer for one address.

    `mtu` is 0 unless the route itself carries one; one that was learnt from Packet Too Big
    `expires` after so many seconds.
    """

    address: str
    device: str = ""
    gateway: str = ""
    source: str = ""
    mtu: int = 0
    expires: float | None = None
    error: str = ""


@dataclasses.dataclass(frozen=True)
class Routes:
    """Answers in the order of the addresses."""

    routes: list[RouteSeen]


@dataclasses.dataclass(frozen=True)
class RawPacket:
    """A whole IP packet in base64, its header included, for the kernel to route to `address`.

    It leaves `delay` seconds after the one before it.
    """

    address: str
    packet: str
    delay: float = 0.0


@dataclasses.dataclass(frozen=True)
class SendRaw:
    """Send these packets one after the other; needs NET_RAW, refused with an error without it."""

    packets: list[RawPacket]


@dataclasses.dataclass(frozen=True)
class RawResult:
    """Whether the kernel took a packet; `error` such as EMSGSIZE, empty where it did."""

    error: str = ""


@dataclasses.dataclass(frozen=True)
class SentRaw:
    """Results in the order of the packets; `lag` is the worst delay of the loop meanwhile."""

    results: list[RawResult]
    lag: float


@dataclasses.dataclass(frozen=True)
class StartCapture:
    """Keep copies of the IP packets on every interface but loopback, until `EndCapture`.

    At most `limit` packets and `seconds`; answered once packets are being kept. Needs NET_RAW.
    """

    name: str
    seconds: float
    limit: int = 4000


@dataclasses.dataclass(frozen=True)
class CaptureStarted:
    """Packets are being kept."""

    name: str


@dataclasses.dataclass(frozen=True)
class EndCapture:
    """Hand out what was kept under this name, once, and stop."""

    name: str


@dataclasses.dataclass(frozen=True)
class Frame:
    """One packet from its IP header on, in base64; `at` seconds after the capture began."""

    at: float
    outgoing: bool
    packet: str


@dataclasses.dataclass(frozen=True)
class Captured:
    """The packets in order. Nothing is missing where `lost` (by the kernel) is 0 and `complete`:
    neither the time nor the room ran out. `lag` is the worst delay of the loop meanwhile."""

    frames: list[Frame]
    lost: int
    complete: bool
    lag: float


REQUESTS: dict[str, type] = {
    "hello": Hello,
    "ping": Ping,
    "probe": Probe,
    "exchange": Exchange,
    "resolve": Resolve,
    "evidence": Evidence,
    "inspect": Inspect,
    "send-sized": SendSized,
    "transfer": Transfer,
    "route-get": RouteGet,
    "send-raw": SendRaw,
    "start-capture": StartCapture,
    "end-capture": EndCapture,
}
_NAMES = {message: name for name, message in REQUESTS.items()}

M = typing.TypeVar("M")


def encode_request(number: int, message: object, key: str = "") -> bytes:
    """One request as a line; `key` is the mark of the runner's key."""
    head = {"v": VERSION, "id": number, **({"key": key} if key else {})}
    return _line({**head, "do": _NAMES[type(message)], **vars(message)})


def encode_answer(number: int, message: object) -> bytes:
    """One answer as a line."""
    return _line({"v": VERSION, "id": number, "ok": vars(message)})


def encode_error(number: int, reason: str) -> bytes:
    """One refusal as a line; number 0 where the request's own could not be read."""
    return _line({"v": VERSION, "id": number, "error": reason})


def decode_line(line: bytes) -> dict[str, typing.Any]:
    """The JSON object of a line, with its version and id checked.

    Raises:
        ProtocolError: not JSON, not an object, another version, no usable id.
    """
    if len(line) > LINE_LIMIT:
        raise ProtocolError(f"line of {len(line)} bytes, at most {LINE_LIMIT} are taken")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ProtocolError("not a JSON object")
    if value.get("v") != VERSION:
        said = _short(value.get("v"))
        raise ProtocolError(f"protocol version {said}, this side speaks {VERSION}")
    number = value.get("id")
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise ProtocolError(f"id {_short(number)} is not a number")
    return value


def decode_request(value: dict[str, typing.Any]) -> object:
    """The request in an object that `decode_line` gave.

    Raises:
        ProtocolError: unknown request, missing or unknown field, wrong type.
    """
    name = value.get("do")
    message = REQUESTS.get(name) if isinstance(name, str) else None
    if message is None:
        known = ", ".join(sorted(REQUESTS))
        raise ProtocolError(f"unknown request {_short(name)}, known are {known}")
    return decode(message, {k: v for k, v in value.items() if k not in ("v", "id", "key", "do")})


def decode(kind: type[M], value: typing.Any, path: str = "") -> M:
    """A message of `kind` from plain JSON values, checked field by field.

    Raises:
        ProtocolError: says the path of what is wrong.
    """
    if not isinstance(value, dict):
        raise ProtocolError(f"{path or kind.__name__}: expected an object, got {_kind_of(value)}")
    hints = _hints(kind)
    if unknown := value.keys() - hints.keys():
        raise ProtocolError(
            f"{path or kind.__name__}: unknown field {_short(sorted(map(str, unknown))[0])}"
        )
    fields = {}
    for field in dataclasses.fields(typing.cast(typing.Any, kind)):
        where = f"{path}.{field.name}" if path else field.name
        if field.name in value:
            fields[field.name] = _checked(hints[field.name], value[field.name], where)
        elif field.default is dataclasses.MISSING:
            raise ProtocolError(f"{where}: missing")
    return kind(**fields)


def _checked(hint: typing.Any, value: typing.Any, path: str) -> typing.Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, getattr(types, "UnionType", typing.Union)):
        if value is None:
            return None
        hint = next(a for a in arguments if a is not type(None))
        return _checked(hint, value, path)
    if origin is list:
        if not isinstance(value, list):
            raise ProtocolError(f"{path}: expected a list, got {_kind_of(value)}")
        return [_checked(arguments[0], v, f"{path}[{i}]") for i, v in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise ProtocolError(f"{path}: expected an object, got {_kind_of(value)}")
        return {str(k): _checked(arguments[1], v, f"{path}.{k}") for k, v in value.items()}
    if dataclasses.is_dataclass(hint):
        return decode(typing.cast(typing.Any, hint), value, path)
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return _finite(value, path)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise ProtocolError(f"{path}: expected {hint.__name__}, got {_kind_of(value)}")
    return value


def _finite(value: int | float, path: str) -> float:
    """A number that clocks can work with: JSON readers take NaN, infinity and 400 digits alike."""
    try:
        number = float(value)
    except OverflowError as error:
        raise ProtocolError(f"{path}: too large a number") from error
    if not math.isfinite(number):
        raise ProtocolError(f"{path}: expected a finite number, got {number}")
    return number


_CACHE: dict[type, dict[str, typing.Any]] = {}


def _hints(kind: type) -> dict[str, typing.Any]:
    if kind not in _CACHE:
        _CACHE[kind] = typing.get_type_hints(kind)
    return _CACHE[kind]


def _kind_of(value: typing.Any) -> str:
    return "null" if value is None else type(value).__name__


def _short(value: typing.Any) -> str:
    """A foreign value for a message, cut to what a reader needs of it."""
    try:
        shown = repr(value)
    except (ValueError, RecursionError):  # an integer of 5000 digits, a list 900 deep
        return _kind_of(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def _line(value: dict[str, typing.Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=vars).encode() + b"\n"
