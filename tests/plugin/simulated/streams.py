"""The API server's end of an exec stream (RFC 6455, ``v5.channel.k8s.io``)."""

from __future__ import annotations

import base64
import hashlib
import struct
import threading
from collections.abc import Iterator
from io import BufferedIOBase

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CLOSE, _STDIN, _STDOUT = 8, 0, 1


def agreement(key: str) -> tuple[tuple[str, str], ...]:
    """The headers by which a server agrees to a stream."""
    digest = hashlib.sha1((key + _MAGIC).encode()).digest()  # noqa: S324 - the protocol's own
    return (
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Protocol", "v5.channel.k8s.io"),
        ("Sec-WebSocket-Accept", base64.b64encode(digest).decode()),
    )


class ExecSide:
    """What a pod's process reads and writes, a line at a time."""

    def __init__(self, reading: BufferedIOBase, writing: BufferedIOBase) -> None:
        self._reading = reading
        self._writing = writing
        self._lock = threading.Lock()

    def lines(self) -> Iterator[bytes]:
        """What comes on standard input, until the other side hangs up."""
        kept = b""
        while (frame := self._frame()) is not None:
            kept += frame
            *whole, kept = kept.split(b"\n")
            yield from whole

    def say(self, data: bytes) -> None:
        """Write to standard output.

        Raises:
            OSError: The other side has hung up.
        """
        body = bytes([_STDOUT]) + data
        with self._lock:
            try:
                self._writing.write(struct.pack("!BBQ", 0x82, 127, len(body)) + body)
                self._writing.flush()
            except ValueError as error:  # the stream was closed while an answer was made
                raise BrokenPipeError("the stream is closed") from error

    def _frame(self) -> bytes | None:
        """The data of the next frame for standard input, None at the end."""
        while len(head := self._reading.read(2)) == 2:
            size = head[1] & 0x7F
            if size > 125:
                form = "!H" if size == 126 else "!Q"
                size = struct.unpack(form, self._reading.read(struct.calcsize(form)))[0]
            mask = self._reading.read(4)
            data = _unmasked(self._reading.read(size), mask)
            if head[0] & 0x0F == _CLOSE:
                return None
            if data[:1] == bytes([_STDIN]):
                return data[1:]
        return None


def _unmasked(data: bytes, mask: bytes) -> bytes:
    key = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data) ^ int.from_bytes(key)).to_bytes(len(data))
