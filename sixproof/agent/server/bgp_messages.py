"""BGP messages: read from bytes, and the few that a speaker that announces nothing sends.

RFC 4271 section 4, with 4-octet AS numbers (RFC 6793), IPv6 (RFC 4760, RFC 2545), communities (RFC
1997, RFC 8092), capabilities (RFC 5492) and End-of-RIB (RFC 4724). What a peer sends is untrusted:
every length is checked before it is used.
"""

from __future__ import annotations

import socket
import struct
import typing

from sixproof.agent.protocol.bgp import BgpRoute

OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE_REFRESH = 1, 2, 3, 4, 5
MARKER = b"\xff" * 16
HEADER, LONGEST = 19, 4096
"""Bytes of a message's header, and of the longest message (section 4.1)."""
AS_TRANS = 23456
"""Stands where an AS number of four octets does not fit (RFC 6793)."""
AS_PATH, NEXT_HOP, COMMUNITIES, MP_REACH, MP_UNREACH, LARGE_COMMUNITIES = 2, 3, 8, 14, 15, 32
MULTIPROTOCOL, GRACEFUL_RESTART, FOUR_OCTETS = 1, 64, 65
AFI = {1: socket.AF_INET, 2: socket.AF_INET6}
UNICAST = 1
NOTIFICATIONS = {
    1: "Message Header Error",
    2: "OPEN Message Error",
    3: "UPDATE Message Error",
    4: "Hold Timer Expired",
    5: "Finite State Machine Error",
    6: "Cease",
}
"""Error codes (section 4.5)."""


class BgpError(ValueError):
    """A message that is not as the RFC has it; `code` and `subcode` answer it."""

    def __init__(self, code: int, subcode: int, said: str) -> None:
        super().__init__(said)
        self.code = code
        self.subcode = subcode


class Reader:
    """Takes bytes from the front, never more than there are."""

    def __init__(self, data: bytes, code: int) -> None:
        self._data = data
        self._code = code

    def __bool__(self) -> bool:
        return bool(self._data)

    def take(self, size: int) -> bytes:
        """So many bytes."""
        if size > len(self._data):
            raise BgpError(self._code, 0, f"{size} bytes announced, {len(self._data)} there")
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def number(self, size: int) -> int:
        """A number of so many bytes."""
        return int.from_bytes(self.take(size), "big")

    def part(self, size: int) -> Reader:
        """So many bytes, to be read by themselves."""
        return Reader(self.take(size), self._code)

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data))


class Opened(typing.NamedTuple):
    """An OPEN message."""

    as_number: int
    hold: int
    identifier: str
    four_octets: bool


class Updated(typing.NamedTuple):
    """An UPDATE message: routes that are there, prefixes that are not, whether it ends the list."""

    routes: list[BgpRoute]
    withdrawn: list[str]
    end: bool


def message(kind: int, body: bytes = b"") -> bytes:
    """A whole message."""
    return MARKER + struct.pack("!HB", HEADER + len(body), kind) + body


def opening(as_number: int, hold: int, identifier: str, family: int) -> bytes:
    """An OPEN message for a session over a family, AF_INET or AF_INET6."""
    afi = next(number for number, known in AFI.items() if known == family)
    capabilities = [
        (MULTIPROTOCOL, struct.pack("!HBB", afi, 0, UNICAST)),
        (FOUR_OCTETS, struct.pack("!I", as_number)),
        (GRACEFUL_RESTART, struct.pack("!H", 0)),  # it wants to know when all routes are there
    ]
    listed = b"".join(bytes([code, len(value)]) + value for code, value in capabilities)
    option = bytes([2, len(listed)]) + listed
    short = as_number if as_number < 65536 else AS_TRANS
    address = socket.inet_aton(identifier)
    return message(OPEN, struct.pack("!BHH4sB", 4, short, hold, address, len(option)) + option)


def notification(code: int, subcode: int) -> bytes:
    """A NOTIFICATION message."""
    return message(NOTIFICATION, bytes([code, subcode]))


def length(head: bytes) -> int:
    """How many bytes the message of this header has.

    Raises:
        BgpError: it is none.
    """
    size = int.from_bytes(head[16:18], "big")
    if head[:16] != MARKER:
        raise BgpError(1, 1, "no BGP: the marker is not all ones")
    if not HEADER <= size <= LONGEST:
        raise BgpError(1, 2, f"a message of {size} bytes")
    return size


def opened(body: bytes) -> Opened:
    """What an OPEN message says.

    Raises:
        BgpError: it is not as it must be.
    """
    data = Reader(body, 2)
    version, as_number, hold = data.number(1), data.number(2), data.number(2)
    if version != 4:
        raise BgpError(2, 1, f"version {version}")
    if hold in (1, 2):
        raise BgpError(2, 6, f"a hold time of {hold} s")
    identifier = socket.inet_ntoa(data.take(4))
    options = data.part(data.number(1))
    four_octets = False
    while options:
        kind, value = options.number(1), options.part(options.number(1))
        while kind == 2 and value:
            code, said = value.number(1), value.part(value.number(1))
            if code == FOUR_OCTETS:
                as_number, four_octets = said.number(4), True
    return Opened(as_number, hold, identifier, four_octets)


def updated(body: bytes, four_octets: bool) -> Updated:
    """What an UPDATE message says; `four_octets`: of AS numbers in its paths.

    Raises:
        BgpError: it is not as it must be.
    """
    data = Reader(body, 3)
    gone = data.part(data.number(2))
    attributes = data.part(data.number(2))
    withdrawn = list(_prefixes(gone, socket.AF_INET))
    reached: list[tuple[str, str]] = []
    path: list[int] = []
    communities: list[str] = []
    next_hop, end = "", not body.strip(b"\0")
    while attributes:
        flags, kind = attributes.number(1), attributes.number(1)
        value = attributes.part(attributes.number(2 if flags & 0x10 else 1))
        if kind == AS_PATH:
            path = list(_path(value, 4 if four_octets else 2))
        elif kind == NEXT_HOP:
            next_hop = socket.inet_ntoa(value.take(4))
        elif kind == COMMUNITIES:
            communities += _numbers(value, 2, 2)
        elif kind == LARGE_COMMUNITIES:
            communities += _numbers(value, 3, 4)
        elif kind == MP_REACH:
            reached += _reached(value)
        elif kind == MP_UNREACH:
            family = _family(value)
            before = len(withdrawn)
            withdrawn += _prefixes(value, family)
            end = end or len(withdrawn) == before
    reached += [(prefix, next_hop) for prefix in _prefixes(data, socket.AF_INET)]
    routes = [BgpRoute(prefix, by, path, communities) for prefix, by in reached]
    return Updated(routes, withdrawn, end and not routes and not withdrawn)


def notified(body: bytes) -> str:
    """What a NOTIFICATION message says, in words."""
    code, subcode = (*body[:2], 0, 0)[:2]
    return f"{NOTIFICATIONS.get(code, f'error code {code}')}, subcode {subcode}"


def _family(value: Reader) -> int:
    afi, safi = value.number(2), value.number(1)
    if afi not in AFI or safi != UNICAST:
        raise BgpError(3, 9, f"routes of address family {afi}, {safi}")
    return AFI[afi]


def _reached(value: Reader) -> list[tuple[str, str]]:
    """Prefixes and their global next hop; behind it may be a link-local one (RFC 2545)."""
    family = _family(value)
    hops = value.take(value.number(1))
    size = 16 if family == socket.AF_INET6 else 4
    if len(hops) not in (size, 2 * size):
        raise BgpError(3, 8, f"a next hop of {len(hops)} bytes")
    value.take(1)
    next_hop = socket.inet_ntop(family, hops[:size])
    return [(prefix, next_hop) for prefix in _prefixes(value, family)]


def _prefixes(data: Reader, family: int) -> typing.Iterator[str]:
    size = 16 if family == socket.AF_INET6 else 4
    while data:
        bits = data.number(1)
        if bits > 8 * size:
            raise BgpError(3, 10, f"a prefix of {bits} bits")
        raw = data.take((bits + 7) // 8).ljust(size, b"\0")
        yield f"{socket.inet_ntop(family, raw)}/{bits}"


def _path(value: Reader, size: int) -> typing.Iterator[int]:
    while value:
        value.number(1)  # a sequence or a set
        for _ in range(value.number(1)):
            yield value.number(size)


def _numbers(value: Reader, count: int, size: int) -> typing.Iterator[str]:
    while value:
        yield ":".join(str(value.number(size)) for _ in range(count))
