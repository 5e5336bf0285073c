"""Netlink: requests to the kernel, and its messages and attributes (netlink(7))."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import typing

REQUEST, DUMP = 1, 0x300
ERROR, DONE, INTERRUPTED = 2, 3, 0x10
PATIENCE = 2.0
"""Seconds that the kernel may take; it answers at once."""
TRIES = 3
"""Of a dump that changed while it was read."""


class Refused(OSError):
    """The kernel refuses a request."""


class Netlink:
    """A socket to one of the kernel's families."""

    def __init__(self, protocol: int) -> None:
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self.sock.settimeout(PATIENCE)
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.number = 0

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()

    def send(self, kind: int, flags: int, body: bytes) -> None:
        """Send one request."""
        self.number += 1
        head = struct.pack("=IHHII", 16 + len(body), kind, REQUEST | flags, self.number, 0)
        self.sock.send(head + body)

    def ask(self, kind: int, body: bytes) -> tuple[int, bytes]:
        """The one message that answers a request: its kind and its body; raises Refused."""
        self.send(kind, 0, body)
        for answer, _, payload in self.messages():
            if answer == ERROR:
                raise refused(payload)
            return answer, payload
        raise Refused(errno.EIO, "no answer")

    def dump(self, kind: int, body: bytes, limit: int) -> tuple[list[bytes], bool]:
        """The bodies of all messages of a dump, and whether some may be missing: there were more
        than `limit`, or things changed each time while it was read."""
        for _ in range(TRIES):
            found, steady = self.dumped(kind, body, limit)
            if steady:
                break
        return found[:limit], len(found) > limit or not steady

    def dumped(self, kind: int, body: bytes, limit: int) -> tuple[list[bytes], bool]:
        """One dump, and whether nothing changed meanwhile."""
        found: list[bytes] = []
        steady = True
        self.send(kind, DUMP, body)
        while True:
            for answer, flags, payload in self.messages():
                steady = steady and not flags & INTERRUPTED
                if answer == DONE:
                    return found, steady
                if answer == ERROR:
                    raise refused(payload)
                if len(found) <= limit:
                    found.append(payload)

    def messages(self) -> typing.Iterator[tuple[int, int, bytes]]:
        """The messages of one packet that belong to the last request: kind, flags and body."""
        data = self.sock.recv(1 << 20)
        while len(data) >= 16:
            length, kind, flags, number = struct.unpack_from("=IHHI", data)
            if length < 16:
                return
            if number == self.number:
                yield kind, flags, data[16:length]
            data = data[(length + 3) & ~3 :]


def refused(payload: bytes) -> Refused:
    """The error that a message carries."""
    number = -struct.unpack_from("=i", payload)[0]
    return Refused(number, errno.errorcode.get(number, str(number)))


def attributes(data: bytes) -> dict[int, bytes]:
    """Netlink attributes by their type."""
    return dict(every_attribute(data))


def every_attribute(data: bytes) -> typing.Iterator[tuple[int, bytes]]:
    """Netlink attributes in order: a list has many of one type."""
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            return
        yield kind & 0x3FFF, data[4:length]
        data = data[(length + 3) & ~3 :]


def number(data: bytes | None) -> int:
    """A 32-bit number in the machine's order, 0 where it is not there."""
    return struct.unpack("=I", data)[0] if data and len(data) == 4 else 0


def text(data: bytes | None) -> str:
    """A string, empty where it is not there."""
    return data.split(b"\0", 1)[0].decode(errors="replace") if data else ""


def big(data: bytes | None) -> int:
    """A 32-bit number in network order, 0 where it is not there."""
    return struct.unpack("!I", data)[0] if data and len(data) == 4 else 0


def signed(data: bytes | None) -> int:
    """As `big`, with a sign."""
    return struct.unpack("!i", data)[0] if data and len(data) == 4 else 0
