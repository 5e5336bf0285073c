"""Packets as bytes: made for the agents to send, and read from what they captured.

The only importer of scapy (GPL-2.0-only). It never opens a socket: agents send and capture, and
nothing of scapy is in a pod. scapy takes half a second to load, which only runs that make or read
packets spend.
"""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sixproof.model import Family, IPAddress

if TYPE_CHECKING:
    from scapy.packet import Packet

DESTINATION_OPTIONS, NUMBER_OF_TCP, NUMBER_OF_UDP, NUMBER_OF_ICMPV6 = 60, 6, 17, 58
HEADERS = {Family.IPV4: 20, Family.IPV6: 40}
PADDING = b"\0" * 4
EXTENSIONS = {0: "hop-by-hop options", 43: "routing", 44: "fragment", 60: "destination options"}
ICMPV6_ERRORS, ICMP_ERRORS = range(1, 128), (3, 11, 12)


@functools.cache
def _v4() -> ModuleType:
    """scapy's layers of IPv4, with those above it."""
    from scapy.layers import inet

    return inet


def _raw(data: bytes) -> Packet:
    """Bytes behind a header."""
    from scapy.packet import Raw

    return Raw(data)


@functools.cache
def _v6() -> ModuleType:
    """scapy's layers of IPv6."""
    from scapy.layers import inet6

    return inet6


@dataclasses.dataclass(frozen=True, slots=True)
class Ends:
    """The source and the destination that a packet states."""

    source: IPAddress
    destination: IPAddress

    @property
    def family(self) -> Family:
        """The family of both."""
        return Family.of(self.destination)

    def header(self, protocol: int, **fields: Any) -> Packet:
        """An IP header; `fields` are scapy's."""
        kind: Any
        kind, name = (_v6().IPv6, "nh") if self.family is Family.IPV6 else (_v4().IP, "proto")
        found: Packet = kind(
            src=str(self.source), dst=str(self.destination), **{name: protocol}, **fields
        )
        return found


@dataclasses.dataclass(frozen=True, slots=True)
class Cut:
    """One fragment of a body: its first byte (a multiple of 8), its bytes, whether more follow."""

    offset: int
    size: int
    more: bool


def segment(ends: Ends, source_port: int, port: int, data: bytes) -> bytes:
    """A UDP header with the checksum over all of `data`, and `data`."""
    whole = ends.header(NUMBER_OF_UDP) / _v4().UDP(sport=source_port, dport=port) / _raw(data)
    return bytes(whole)[HEADERS[ends.family] :]


def packet(ends: Ends, body: bytes, protocol: int = NUMBER_OF_UDP) -> bytes:
    """A packet in one piece."""
    return bytes(ends.header(protocol) / _raw(body))


def unfragmentable(ends: Ends, body: bytes) -> bytes:
    """A packet in one piece that no router may cut: IPv4 has to say so (RFC 791, DF)."""
    fields = {"flags": "DF"} if ends.family is Family.IPV4 else {}
    return bytes(ends.header(NUMBER_OF_UDP, **fields) / _raw(body))


def fragment(
    ends: Ends, body: bytes, cut: Cut, number: int, protocol: int = NUMBER_OF_UDP
) -> bytes:
    """One fragment of a body; `number` is the identification that its fragments share."""
    data = _raw(body[cut.offset : cut.offset + cut.size])
    if ends.family is Family.IPV4:
        flags = "MF" if cut.more else 0
        place = {"id": number & 0xFFFF, "flags": flags, "frag": cut.offset // 8}
        return bytes(ends.header(protocol, **place) / data)
    header = _v6().IPv6ExtHdrFragment(
        nh=protocol, offset=cut.offset // 8, m=int(cut.more), id=number
    )
    return bytes(ends.header(44) / header / data)


def cuts(length: int, size: int) -> tuple[Cut, ...]:
    """A body of `length` bytes in fragments of `size` bytes, a multiple of 8."""
    if size % 8 or size <= 0:
        raise ValueError(f"fragments of {size} bytes: only the last may be no multiple of 8")
    return tuple(Cut(at, size, at + size < length) for at in range(0, length, size))


def with_hop_by_hop(ends: Ends, body: bytes) -> bytes:
    """A packet whose hop-by-hop options say nothing (RFC 8200 section 4.3: PadN)."""
    options = _v6().IPv6ExtHdrHopByHop(nh=NUMBER_OF_UDP, options=[_v6().PadN(optdata=PADDING)])
    return bytes(ends.header(0) / options / _raw(body))


def with_destination_options(ends: Ends, body: bytes) -> bytes:
    """A packet whose destination options say nothing (RFC 8200 section 4.6: PadN)."""
    return packet(ends, destination_options(body), DESTINATION_OPTIONS)


def destination_options(body: bytes, padding: int = 4) -> bytes:
    """Destination options of `padding` + 4 bytes that say nothing, before a UDP segment."""
    options = _v6().IPv6ExtHdrDestOpt(
        nh=NUMBER_OF_UDP, options=[_v6().PadN(optdata=b"\0" * padding)]
    )
    return bytes(options / _raw(body))


def source_routed(ends: Ends, other: IPAddress, left: int, body: bytes) -> bytes:
    """A packet with a type 0 routing header (RFC 5095) that names another address."""
    header = _v6().IPv6ExtHdrRouting(nh=NUMBER_OF_UDP, type=0, segleft=left, addresses=[str(other)])
    return bytes(ends.header(43) / header / _raw(body))


def packet_too_big(ends: Ends, mtu: int, quoted: bytes) -> bytes:
    """A Packet Too Big about a packet, of which as much is quoted as fits 1280 bytes in all."""
    room = 1280 - HEADERS[Family.IPV6] - 8
    message = _v6().ICMPv6PacketTooBig(mtu=mtu) / _raw(quoted[:room])
    return bytes(ends.header(NUMBER_OF_ICMPV6) / message)


def echo_request(ends: Ends, identifier: int, data: bytes) -> bytes:
    """An ICMPv6 echo request."""
    message = _v6().ICMPv6EchoRequest(id=identifier, seq=1, data=data)
    return bytes(ends.header(NUMBER_OF_ICMPV6) / message)


def tcp_segment(ends: Ends, source_port: int, port: int, data: bytes) -> bytes:
    """A TCP segment of no connection."""
    header = _v4().TCP(sport=source_port, dport=port, flags="A", seq=1, ack=1)
    return bytes(ends.header(NUMBER_OF_TCP) / header / _raw(data))


@dataclasses.dataclass(frozen=True, slots=True)
class CapturedPacket:
    """What a captured packet is.

    `ports` are None where it has none (a later fragment); `fragment` is identification, first byte
    and whether more follow. `error` is type and code of an ICMP error, with the `mtu` it reports
    and what it `quoted`. `mss` and `flags` are TCP's.
    """

    source: IPAddress
    destination: IPAddress
    length: int
    protocol: int
    extensions: tuple[str, ...] = ()
    fragment: tuple[int, int, bool] | None = None
    ports: tuple[int, int] | None = None
    error: tuple[int, int] | None = None
    mtu: int = 0
    quoted: bytes = b""
    flags: str = ""
    mss: int = 0
    data: bytes = b""


def dissect(raw: bytes) -> CapturedPacket | None:
    """What a packet is, None for bytes that are none."""
    smallest = {4: 20, 6: 40}.get(raw[0] >> 4) if raw else None
    if smallest is None or len(raw) < smallest:
        return None
    header = (_v4().IP if raw[0] >> 4 == 4 else _v6().IPv6)(raw)
    found: dict[str, Any] = {
        "source": ipaddress.ip_address(header.src),
        "destination": ipaddress.ip_address(header.dst),
        "length": len(raw),
    }
    if isinstance(header, _v4().IP):
        later = bool(header.frag)
        more = bool(header.flags.MF)
        if later or more:
            found["fragment"] = header.id, header.frag * 8, more
        return CapturedPacket(protocol=header.proto, **found, **({} if later else _inner(header)))
    return CapturedPacket(**found, **_six(header))


def _six(header: Packet) -> dict[str, Any]:
    """What follows an IPv6 header: extension headers by name, then the rest."""
    found: dict[str, Any] = {}
    names: list[str] = []
    number, layer = header.nh, header.payload
    while number in EXTENSIONS and hasattr(layer, "nh"):
        names.append(EXTENSIONS[number])
        number = layer.nh
        if isinstance(layer, _v6().IPv6ExtHdrFragment):
            found["fragment"] = layer.id, layer.offset * 8, bool(layer.m)
            if layer.offset:
                break
        layer = layer.payload
    found |= {"protocol": number, "extensions": tuple(names)}
    if "fragment" in found and found["fragment"][1]:
        return found
    return found | _inner(header)


def _inner(header: Packet) -> dict[str, Any]:
    """Ports, errors and options of what an IP packet carries."""
    carried = _carried(header)
    if isinstance(carried, _v4().UDP):
        data = carried.payload.original if carried.payload else b""
        return {"ports": (carried.sport, carried.dport), "data": data}
    if isinstance(carried, _v4().TCP):
        mss = dict(o[:2] for o in carried.options if len(o) >= 2).get("MSS") or 0
        flags = str(carried.flags)
        return {"ports": (carried.sport, carried.dport), "flags": flags, "mss": int(mss)}
    errors = ICMP_ERRORS if isinstance(carried, _v4().ICMP) else ICMPV6_ERRORS
    kind = getattr(carried, "type", None)
    if not isinstance(kind, int) or kind not in errors:
        return {}
    mtu = getattr(carried, "nexthopmtu" if isinstance(carried, _v4().ICMP) else "mtu", 0) or 0
    quoted = bytes(carried.original[8:])
    return {"error": (kind, carried.code), "mtu": int(mtu), "quoted": quoted}


def _carried(header: Packet) -> Any:
    """The first layer that is neither IP header nor extension header."""
    v6 = _v6()
    extensions = (
        v6.IPv6ExtHdrFragment, v6.IPv6ExtHdrHopByHop, v6.IPv6ExtHdrDestOpt, v6.IPv6ExtHdrRouting,
    )  # fmt: skip
    layer: Any = header.payload
    while layer and isinstance(layer, extensions):
        layer = layer.payload
    return layer or None
