"""A stream over a local socket, in place of an exec stream: to an agent outside the cluster, and to
one that a test simulates."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

from sixproof.agent import protocol
from sixproof.kube.channel.channel import STATUS, STDERR, STDOUT


class SocketHolder:
    """A socket where the Kubernetes client keeps it: one attribute further down."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock


class LocalStream:
    """One end of a socket pair whose other end is the standard input and output of a bridge.

    `stderr`, if given, carries the bridge's standard error. `ended` is called once, when this side
    closes, and `status` returns how the other side ended.
    """

    def __init__(
        self,
        sock: socket.socket,
        stderr: socket.socket | None = None,
        ended: Callable[[], None] = lambda: None,
        status: Callable[[], bytes] = lambda: b"",
    ) -> None:
        self.sock: object = SocketHolder(sock)
        self._sock = sock
        self._stderr = stderr
        self._ended = ended
        self._status = status
        self._open = True
        self._read: dict[int, bytes] = {}

    def is_open(self) -> bool:
        """Whether the other side has neither closed nor been closed."""
        return self._open

    def update(self, timeout: float = 0) -> None:  # noqa: ARG002 - the client library's name
        """Read what has arrived."""
        if not self._open:
            return
        if self._stderr is not None:
            with contextlib.suppress(BlockingIOError):
                self._keep(STDERR, self._stderr.recv(1 << 16, socket.MSG_DONTWAIT))
        with contextlib.suppress(BlockingIOError):
            data = self._sock.recv(1 << 18, socket.MSG_DONTWAIT)
            self._keep(STDOUT, data)
            if not data:
                self._open = False
                self._keep(STATUS, self._status())

    def read_channel(self, channel: int, timeout: float = 0) -> bytes:
        """The data that arrived on a channel since it was last read."""
        if channel not in self._read:
            self.update(timeout)
        return self._read.pop(channel, b"")

    def write_stdin(self, data: bytes) -> None:
        """Write to the bridge, waiting for room."""
        self._sock.sendall(data)

    def close(self) -> None:
        """End the stream."""
        ended, self._ended = self._ended, lambda: None
        self._open = False
        self._sock.close()
        if self._stderr is not None:
            self._stderr.close()
        ended()

    def _keep(self, channel: int, data: bytes) -> None:
        if data:
            self._read[channel] = self._read.get(channel, b"") + data


class FarEnd:
    """The pod's end of a local stream, where a test simulates the agent."""

    def __init__(self, sock: socket.socket, stderr: socket.socket) -> None:
        sock.settimeout(10)
        self._sock = sock
        self._stderr = stderr
        self._lines = sock.makefile("rb")
        self.key = ""
        self.token: tuple[str, float | None] = ("", None)

    def hear(self) -> tuple[int, object]:
        """The next request with its number."""
        value = protocol.decode_line(self._lines.readline())
        self.key = str(value.get("key", ""))
        self.token = protocol.decode_token(value)
        return value["id"], protocol.decode_request(value)

    def say(self, data: bytes) -> None:
        """Write to standard output."""
        self._sock.sendall(data)

    def answer(self, number: int, message: object) -> None:
        """Answer a request."""
        self.say(protocol.encode_answer(number, message))

    def complain(self, text: str) -> None:
        """Write to standard error."""
        self._stderr.sendall(text.encode())

    def close(self) -> None:
        """End, as a container does."""
        self._lines.close()
        self._sock.close()
        self._stderr.close()


def pair(status: bytes = b"") -> tuple[LocalStream, FarEnd]:
    """A stream and its far end."""
    ours, theirs = socket.socketpair()
    said, stderr = socket.socketpair()
    return LocalStream(ours, said, status=lambda: status), FarEnd(theirs, stderr)
