"""Echo: how the server answers probes over TCP and UDP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import typing

from sixproof.agent import identity, wire
from sixproof.agent.addresses import plain
from sixproof.agent.server.log import Log

IDLE_LIMIT = 120.0
"""Seconds that a server connection may last."""
MOST_UNIDENTIFIED = 1024
"""Connections of one port that have not sent a line of this run; a probe sends it at once. One more
ends the oldest, so that strangers cannot fill the agent."""
IP_PKTINFO, IPV6_RECVPKTINFO, IPV6_PKTINFO = 8, 49, 50


def answer_line(header: wire.Header, intact: bool, peer: typing.Any, download: int) -> bytes:
    """The first line of an answer."""
    word = b"ok" if intact else b"bad"
    host = identity.HOST.encode() or b"-"
    return b"%s %s %s %s %d %s %d\n" % (
        wire.MAGIC,
        header.nonce.encode(),
        word,
        plain(peer[0]).encode(),
        peer[1],
        host,
        download,
    )


class EchoStream(asyncio.Protocol):
    """One TCP connection of the server."""

    def __init__(self, log: Log, unidentified: dict[EchoStream, None]) -> None:
        self.log = log
        self.unidentified = unidentified
        self.buffer = bytearray()
        self.header: wire.Header | None = None
        self.transport: typing.Any = None
        self.watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the idle clock. Of too many that did not say who they are, the oldest goes."""
        self.transport = transport
        if len(self.unidentified) >= MOST_UNIDENTIFIED:
            oldest = next(iter(self.unidentified))
            del self.unidentified[oldest]
            self.log.foreign["tcp"] += not oldest.buffer  # the others are counted as they end
            oldest.transport.abort()
        self.unidentified[self] = None
        self.watch = asyncio.get_running_loop().call_later(IDLE_LIMIT, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        """Stop the idle clock. Who said something and no line of this run is foreign."""
        if self.watch:
            self.watch.cancel()
        self.unidentified.pop(self, None)
        if self.buffer and self.header is None:
            self.log.foreign["tcp"] += 1

    def data_received(self, data: bytes) -> None:
        """Collect the header, then the upload, then answer once."""
        self.buffer += data
        if self.header is None:
            end = self.buffer.find(b"\n", 0, wire.LINE_LIMIT)
            if end < 0:
                if len(self.buffer) >= wire.LINE_LIMIT:
                    self.transport.abort()
                return
            self.header = identity.SEAL.header(bytes(self.buffer[:end]))
            if self.header is None:
                self.transport.abort()
                return
            self.unidentified.pop(self, None)
            del self.buffer[: end + 1]
            peer, local = (self.transport.get_extra_info(n) for n in ("peername", "sockname"))
            self.log.note(self.header.nonce, "tcp", peer, local)
        if len(self.buffer) >= self.header.upload:
            self.reply(self.header)

    def reply(self, header: wire.Header) -> None:
        """Answer and close; the client has all it needs."""
        intact = wire.is_payload(self.buffer, header.nonce, "up", header.upload)
        peer = self.transport.get_extra_info("peername")
        self.transport.write(answer_line(header, intact, peer, header.download))
        if header.download:
            self.transport.write(wire.payload(header.nonce, "down", header.download))
        self.transport.close()


class EchoPort:
    """One port of the server in one family, on a socket that is bound to it."""

    KIND: socket.SocketKind
    REUSED = False
    """Whether the port may be had while connections of an earlier agent linger on it."""

    def __init__(self, log: Log, sock: socket.socket) -> None:
        self.log = log
        self.sock = sock

    async def open(self) -> None:
        """Begin to answer."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop answering."""
        raise NotImplementedError


class EchoStreams(EchoPort):
    """One TCP port of the server."""

    KIND = socket.SOCK_STREAM
    REUSED = True

    async def open(self) -> None:
        """Accept connections."""
        loop = asyncio.get_running_loop()
        unidentified: dict[EchoStream, None] = {}
        self.server = await loop.create_server(
            lambda: EchoStream(self.log, unidentified), sock=self.sock, backlog=1024
        )

    def close(self) -> None:
        """Stop accepting."""
        self.server.close()


class EchoDatagrams(EchoPort):
    """One UDP port of the server, answering from the address that was asked (RFC 1122 4.1.3.5)."""

    KIND = socket.SOCK_DGRAM

    async def open(self) -> None:
        """Have the kernel report which address was asked, and read."""
        if self.sock.family == socket.AF_INET6:
            self.sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
        else:
            self.sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        asyncio.get_running_loop().add_reader(self.sock, self.readable)

    def close(self) -> None:
        """Stop reading."""
        asyncio.get_running_loop().remove_reader(self.sock)
        self.sock.close()

    def readable(self) -> None:
        """Answer what has come, a bounded number at a time."""
        for _ in range(64):
            try:
                data, ancillary, _, peer = self.sock.recvmsg(65535, 256)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue  # an ICMP error of an earlier answer
            self.answer(data, ancillary, peer)

    def answer(self, data: bytes, ancillary: typing.Any, peer: typing.Any) -> None:
        """Log the nonce and answer it, with no more payload than came: nothing is amplified."""
        end = data.find(b"\n", 0, wire.LINE_LIMIT)
        header = identity.SEAL.header(data[:end]) if end > 0 else None
        if header is None:
            self.log.foreign["udp"] += 1
            return
        local, control = self.own_address(ancillary)
        self.log.note(header.nonce, "udp", peer, (local, self.sock.getsockname()[1]))
        body = data[end + 1 :]
        intact = wire.is_payload(body, header.nonce, "up", header.upload)
        download = min(header.download, len(body))
        answer = [
            answer_line(header, intact, peer, download),
            wire.payload(header.nonce, "down", download),
        ]
        with contextlib.suppress(OSError):
            self.sock.sendmsg(answer, control, 0, peer)

    def own_address(self, ancillary: typing.Any) -> tuple[str, typing.Any]:
        """The address the datagram was sent to, and the control message that answers from it."""
        for level, kind, data in ancillary:
            if level == socket.IPPROTO_IPV6 and kind == IPV6_PKTINFO:
                return socket.inet_ntop(socket.AF_INET6, data[:16]), [(level, kind, data)]
            if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
                answer = struct.pack("=i4s4s", 0, data[8:12], b"\0" * 4)
                return socket.inet_ntop(socket.AF_INET, data[8:12]), [(level, kind, answer)]
        return "", []
