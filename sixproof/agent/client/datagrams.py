"""Flows of datagrams: UDP, and ICMP echo."""

from __future__ import annotations

import dataclasses
import errno
import socket
import struct
import typing

from sixproof.agent import protocol, wire
from sixproof.agent.client import sockets
from sixproof.agent.client.attempt import Attempt

ICMP_ECHO, ICMP_ECHO_REPLY, ICMPV6_ECHO, ICMPV6_ECHO_REPLY = 8, 0, 128, 129


class DatagramAttempt(Attempt):
    """What UDP and ICMP share: a connected socket, several sends, answers known by their nonce."""

    def open_connected(self, number: int = 0) -> socket.socket:
        """A datagram socket connected to the target, with its ICMP errors kept by the kernel."""
        sock = self.new_socket(socket.SOCK_DGRAM, number)
        sockets.keep_errors(sock, True)
        sock.connect((self.spec.address, self.spec.port))
        self.stage = "exchange"
        self.loop.add_reader(sock, self.readable)
        self.left = max(1, self.spec.attempts)
        for i in range(1, self.left):
            delay = self.spec.timeout * 0.5 * i / (self.left - 1)
            self.timers.append(self.loop.call_later(delay, self.again))
        return sock

    def packet(self) -> bytes:
        """The datagram to send."""
        raise NotImplementedError

    def answered(self, data: bytes) -> None:
        """A datagram came."""
        raise NotImplementedError

    def again(self) -> None:
        """Send once more; a lost datagram is not a verdict."""
        self.left -= 1
        try:
            typing.cast(socket.socket, self.sock).send(self.packet())
            self.sent += 1
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self.suffer(error)

    def suffer(self, error: OSError) -> None:
        """An error that ends the flow, or one that a later attempt may survive.

        EPERM is the client's own filter dropping what it sends, to be judged like any other
        silence. EMSGSIZE without DF reports a path MTU; the kernel fragments the next attempt to
        it.
        """
        fragments = error.errno == errno.EMSGSIZE and self.left and not self.spec.dont_fragment
        if error.errno == errno.EPERM or fragments:
            self.note(error)
        else:
            self.fail(error)

    def readable(self) -> None:
        """An answer, or an ICMP error."""
        try:
            data = typing.cast(socket.socket, self.sock).recv(65535)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.suffer(error)
            return
        self.answered(data)


class UdpAttempt(DatagramAttempt):
    """A datagram with a nonce and its answer."""

    def open(self) -> None:
        """Connect and send."""
        self.open_connected()
        self.again()

    def packet(self) -> bytes:
        """The probe datagram."""
        return self.request()

    def answered(self, data: bytes) -> None:
        """An echo, or noise of an earlier use of this port."""
        line, newline, body = data.partition(b"\n")
        if newline and line.split()[1:2] == [self.spec.nonce.encode()]:
            size = min(self.spec.download, self.spec.upload)
            self.judge(wire.Answer.read(line), body, size)


class IcmpAttempt(DatagramAttempt):
    """ICMP or ICMPv6 echo over an unprivileged ping socket; the kernel owns the identifier."""

    def open(self) -> None:
        """Connect and send."""
        self.spec = dataclasses.replace(self.spec, port=0)
        six = ":" in self.spec.address
        self.open_connected(socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
        self.again()

    def packet(self) -> bytes:
        """An echo request whose data starts with the nonce."""
        kind = ICMPV6_ECHO if ":" in self.spec.address else ICMP_ECHO
        body = self.spec.nonce.encode() + wire.payload(self.spec.nonce, "up", self.spec.upload)
        head = struct.pack("!BBHHH", kind, 0, 0, 0, self.sent)
        if kind == ICMPV6_ECHO:
            return head + body  # the kernel fills in the checksum
        return struct.pack("!BBHHH", kind, 0, checksum(head + body), 0, self.sent) + body

    def answered(self, data: bytes) -> None:
        """An echo reply with our data, or another message."""
        wanted = ICMPV6_ECHO_REPLY if ":" in self.spec.address else ICMP_ECHO_REPLY
        nonce = self.spec.nonce.encode()
        if len(data) < 8 or data[0] != wanted or data[8 : 8 + len(nonce)] != nonce:
            return
        latency = self.loop.time() - self.started
        if data[8 + len(nonce) :] == wire.payload(self.spec.nonce, "up", self.spec.upload):
            self.finish(protocol.Event.ECHOED, latency=latency)
        else:
            self.finish(
                protocol.Event.CORRUPTED, latency=latency, detail="the echo came back changed"
            )


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
