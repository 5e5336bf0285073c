"""Bulk over TCP, and what the kernel reports about it to an unprivileged process."""

from __future__ import annotations

import socket
import struct
import typing

from sixproof.agent import protocol
from sixproof.agent.client.tcp import TcpAttempt

TCP_INFO_WORDS = {"offered": 84, "pmtu": 60, "retransmits": 100}
TCP_INFO_COUNTS = {"acknowledged": 120, "received": 128}
"""Offsets into struct tcp_info (include/uapi/linux/tcp.h), 32 and 64 bits wide."""
TCPI_OPT_TIMESTAMPS, TIMESTAMPS = 1, 12
"""The flag in tcpi_options, and the option's bytes in every segment."""


class TcpBulk(TcpAttempt):
    """A TCP flow that is watched: how long it stalled, and what its socket knew at the end."""

    RESULT = protocol.Bulk
    LOOK = 0.05

    def open(self) -> None:
        """Start to connect, and to watch."""
        self.progress = -1
        self.moved = self.loop.time()
        self.stall = 0.0
        super().open()
        self.look()

    def look(self) -> None:
        """Has a byte moved since the last look?"""
        now, info = self.loop.time(), tcp_info(typing.cast(socket.socket, self.sock))
        progress = info["acknowledged"] + info["received"]
        self.stall = max(self.stall, now - self.moved)
        if progress != self.progress:
            self.progress, self.moved = progress, now
        self.timers.append(self.loop.call_later(self.LOOK, self.look))

    def finish(self, event: str, **fields: typing.Any) -> None:
        """Hand in what the socket knows beside the result."""
        if self.result is None and self.sock is not None and self.sock.fileno() >= 0:
            fields.update(tcp_info(self.sock))
            self.stall = max(self.stall, self.loop.time() - self.moved)
            fields["segment"] = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
            fields["stall"] = self.stall
            options = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[5]
            fields["timestamps"] = bool(options & TCPI_OPT_TIMESTAMPS)
            if fields["timestamps"]:  # the kernel takes them off once they are agreed on
                fields["offered"] += TIMESTAMPS
        super().finish(event, **fields)


def tcp_info(sock: socket.socket) -> dict[str, int]:
    """Some fields of TCP_INFO, 0 where the kernel is too old to report them."""
    data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256).ljust(256, b"\0")
    words = {name: struct.unpack_from("=I", data, at)[0] for name, at in TCP_INFO_WORDS.items()}
    counts = {name: struct.unpack_from("=Q", data, at)[0] for name, at in TCP_INFO_COUNTS.items()}
    return words | counts
