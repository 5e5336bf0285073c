"""Flows over TCP."""

from __future__ import annotations

import errno
import os
import socket
import typing

from sixproof.agent import protocol, wire
from sixproof.agent.client import sockets
from sixproof.agent.client.attempt import Attempt


class TcpAttempt(Attempt):
    """Connect, send, receive to the end, compare."""

    def open(self) -> None:
        """Start to connect."""
        sock = self.new_socket(socket.SOCK_STREAM)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets.keep_errors(sock, True)
        request = memoryview(self.request())
        end = len(request) - 1 if self.spec.hold > 0 else len(request)
        self.pending, self.kept = request[:end], request[end:]
        self.buffer = bytearray()
        number = sock.connect_ex((self.spec.address, self.spec.port))
        if number not in (0, errno.EINPROGRESS):
            raise OSError(number, os.strerror(number))
        self.sent = 1
        self.loop.add_writer(sock, self.writable)

    def writable(self) -> None:
        """Connected or failed, or room for more of the upload."""
        sock = typing.cast(socket.socket, self.sock)
        if self.stage == "connect":
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                self.fail(OSError(number, os.strerror(number)))
                return
            self.stage = "exchange"
            if self.spec.connect_only:
                self.finish(protocol.Event.ECHOED, latency=self.loop.time() - self.started)
                return
            sockets.keep_errors(sock, False)  # TCP outlives an ICMP error once it is connected
            self.loop.add_reader(sock, self.readable)
        try:
            self.pending = self.pending[sock.send(self.pending) :]
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.fail(error)
            return
        if not self.pending:
            self.loop.remove_writer(sock)
            if self.kept:
                self.timers.append(self.loop.call_later(self.spec.hold, self.release))

    def release(self) -> None:
        """The connection was held open long enough: send what is left."""
        self.pending, self.kept = self.kept, self.kept[:0]
        self.loop.add_writer(typing.cast(socket.socket, self.sock), self.writable)

    def received(self, size: int) -> bytes | None:
        """What the peer sent, at most so many bytes, b"" for its end; None where there is nothing
        to take: nothing came yet, or the attempt has failed."""
        try:
            return typing.cast(socket.socket, self.sock).recv(size)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            self.fail(error)
            return None

    def readable(self) -> None:
        """Collect the answer; it is complete when the announced download is there."""
        data = self.received(1 << 18)
        if data is None:
            return
        if self.spec.foreign and data:
            said = ascii(data[:80].split(b"\r\n")[0])
            self.finish(protocol.Event.ECHOED, latency=self.loop.time() - self.started, detail=said)
            return
        self.buffer += data
        end = self.buffer.find(b"\n", 0, wire.LINE_LIMIT)
        answer = wire.Answer.read(bytes(self.buffer[:end])) if end >= 0 else None
        ours = answer is not None and answer.nonce == self.spec.nonce
        over = end >= 0 or len(self.buffer) >= wire.LINE_LIMIT
        if over and not (ours and answer and len(self.buffer) - end - 1 < answer.download):
            self.judge(answer, bytes(self.buffer[end + 1 :]), self.spec.download)
        elif not data:
            detail = f"{len(self.buffer)} bytes of an answer before the end"
            self.finish(protocol.Event.CLOSED, detail=detail)
