"""Captures: copies of packets, for pods with NET_RAW."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import struct

from sixproof.agent import protocol
from sixproof.agent.protocol import RAW_LIMIT, RAW_SECONDS

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6, PACKET_OUTGOING = 0x0003, 0x0800, 0x86DD, 4
SOL_PACKET, PACKET_STATISTICS = 263, 6
CAPTURE_BYTES = 12 << 20


class Capture:
    """Copies of packets, bounded in time, number and bytes."""

    def __init__(self, seconds: float, limit: int) -> None:
        if not (0 < seconds <= RAW_SECONDS and 0 < limit <= RAW_LIMIT):
            raise ValueError(f"a capture takes {RAW_LIMIT} packets and {RAW_SECONDS:.0f} s at most")
        self.loop = asyncio.get_running_loop()
        self.limit = limit
        self.frames: list[protocol.Frame] = []
        self.held = 0
        self.lost = 0
        self.complete = True
        self.began = self.loop.time()
        kind = socket.ntohs(ETH_P_ALL)
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, kind)
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.loop.add_reader(self.sock, self.readable)
        self.timer = self.loop.call_later(seconds, self.cut_off)

    def readable(self) -> None:
        """Keep what has come."""
        while self.sock.fileno() >= 0:
            try:
                data, (device, kind, direction, *_) = self.sock.recvfrom(65535)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue  # ENETDOWN, reported once
            if kind in (ETH_P_IP, ETH_P_IPV6) and device != "lo":
                self.keep(data, direction == PACKET_OUTGOING)

    def keep(self, data: bytes, outgoing: bool) -> None:
        """Keep one packet, or end where there is no more room."""
        if len(self.frames) >= self.limit or self.held + len(data) > CAPTURE_BYTES:
            self.cut_off()
            return
        self.held += len(data)
        at = round(self.loop.time() - self.began, 6)
        self.frames.append(protocol.Frame(at, outgoing, base64.b64encode(data).decode()))

    def cut_off(self) -> None:
        """The time or the room ran out: what was kept is not all there was."""
        self.complete = False
        self.close()

    def close(self) -> None:
        """Stop, and ask the kernel what it could not hand over."""
        if self.sock.fileno() < 0:
            return
        self.timer.cancel()
        self.loop.remove_reader(self.sock)
        with contextlib.suppress(OSError):
            counted = self.sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
            self.lost = struct.unpack("=II", counted)[1]
        self.sock.close()

    def end(self) -> None:
        """Take what still waits in the socket, then stop."""
        if self.sock.fileno() >= 0:
            self.readable()
        self.close()
