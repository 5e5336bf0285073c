"""Datagrams of exact sizes: what a path carries, as the kernel reports it."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import typing

from sixproof.agent import identity, protocol, wire
from sixproof.agent.addresses import family_of, plain
from sixproof.agent.client import sockets

SIZED_LIMIT, SIZED_DIGITS = 64, 5


class SizedSender:
    """Datagrams of exact sizes to one address, each waiting for its echo or its ICMP error."""

    def __init__(self, spec: protocol.SizedSpec) -> None:
        self.spec = spec
        self.loop = asyncio.get_running_loop()

    async def run(self) -> protocol.SizedSeen:
        """Send all; a socket that cannot even be opened fails every one of them."""
        spec = self.spec
        ipaddress.ip_address(spec.address)  # a name here would ask the resolver
        if len(spec.sizes) > SIZED_LIMIT:
            raise ValueError(f"{len(spec.sizes)} sizes, at most {SIZED_LIMIT} are taken")
        sock = socket.socket(family_of(spec.address), socket.SOCK_DGRAM)
        with contextlib.closing(sock):
            try:
                self.prepare(sock)
                sock.connect((spec.address, spec.port))
            except OSError as error:
                event = sockets.event_of(error.errno or 0, False)
                sends = [
                    protocol.Sized(size, event, sockets.error_name(error)) for size in spec.sizes
                ]
                return protocol.SizedSeen(spec.nonce, 0, sends)
            begun = sockets.path_mtu(sock)
            sends = [await self.one(sock, index, size) for index, size in enumerate(spec.sizes)]
            local = sock.getsockname()
        return protocol.SizedSeen(spec.nonce, begun, sends, plain(local[0]), local[1])

    def prepare(self, sock: socket.socket) -> None:
        """Set what decides about fragments, and have ICMP errors kept."""
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
        how = sockets.PMTUDISC_WANT if self.spec.fragment else sockets.PMTUDISC_DO
        sockets.discover(sock, how)
        sockets.keep_errors(sock, True)

    def datagram(self, nonce: str, size: int) -> bytes:
        """A probe that makes an IP packet of `size` bytes; leading zeros keep its line's length."""
        headers = (40 if ":" in self.spec.address else 20) + 8
        upload = size - headers - len(identity.SEAL.line(nonce, 0, 0, SIZED_DIGITS))
        if not 0 <= upload <= 65535 - headers:
            raise ValueError(f"a probe of {size} bytes cannot be")
        return identity.SEAL.line(nonce, upload, 0, SIZED_DIGITS) + wire.payload(
            nonce, "up", upload
        )

    async def one(self, sock: socket.socket, index: int, size: int) -> protocol.Sized:
        """Send one and wait."""
        nonce = f"{self.spec.nonce}{index:02x}"
        data = self.datagram(nonce, size)
        begun, sent = self.loop.time(), False
        fields: dict[str, typing.Any] = {}
        try:
            sock.send(data)
            sent = True
            await asyncio.wait_for(self.echo(sock, nonce), self.spec.patience)
            event, fields["latency"] = protocol.Event.ECHOED, self.loop.time() - begun
        except asyncio.TimeoutError:  # noqa: UP041 - another class in Python 3.10
            event = protocol.Event.SILENT
        except OSError as error:
            event, fields["error"] = (
                sockets.event_of(error.errno or 0, sent),
                sockets.error_name(error),
            )
            fields["icmp"] = self.kept(sock)
        return protocol.Sized(size, event, mtu=sockets.path_mtu(sock), **fields)

    async def echo(self, sock: socket.socket, nonce: str) -> None:
        """Wait for the answer to one; answers to earlier ones are let pass."""
        while True:
            line = (await self.loop.sock_recv(sock, 65535)).partition(b"\n")[0]
            answer = wire.Answer.read(line)
            if answer is not None and answer.nonce == nonce:
                return

    def kept(self, sock: socket.socket) -> protocol.IcmpSeen | None:
        """The last ICMP error of the queue, which is emptied for the next datagram."""
        told = None
        with contextlib.suppress(OSError):
            while True:
                told = sockets.told_by(sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)[1]) or told
        return told
