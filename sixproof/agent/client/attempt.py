"""An attempt: one flow under way."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import random
import socket
import typing

from sixproof.agent import files, identity, protocol, wire
from sixproof.agent.addresses import family_of, plain
from sixproof.agent.client import sockets

FOREIGN = b"HEAD / HTTP/1.0\r\n\r\n"
"""What a server that is no agent is asked; HTTPS servers answer it too, with a refusal in clear."""
ATTEMPT_LIMIT = 1000


class Attempt:
    """One flow under way: a socket, a deadline and a state, without a task of its own."""

    RESULT: type[protocol.FlowResult] = protocol.FlowResult

    def __init__(self, spec: protocol.FlowSpec, done: typing.Callable[[Attempt], None]) -> None:
        self.spec = spec
        self.done = done
        self.loop = asyncio.get_running_loop()
        self.sock: socket.socket | None = None
        self.stage = "connect"
        self.sent = 0
        self.result: protocol.FlowResult | None = None
        self.noted: dict[str, typing.Any] = {}
        self.timers: list[asyncio.TimerHandle] = []
        self.local: typing.Any = ("", 0)
        self.started = self.loop.time()

    def start(self) -> None:
        """Open the socket and send; every way out goes through `finish`."""
        try:
            ipaddress.ip_address(self.spec.address)  # a name here would ask the resolver
            self.check()
            self.timers.append(self.loop.call_later(self.spec.timeout, self.silent))
            self.open()
        except OSError as error:
            self.fail(error)
        except (ValueError, OverflowError) as error:  # an address or port that cannot be
            self.finish(protocol.Event.FAILED, error="EINVAL", detail=str(error))

    def check(self) -> None:
        """Raise ValueError for what no server would answer."""
        said = self.header()[: -wire.TAG - 2]
        if wire.Header.read(said) is None or self.spec.attempts > ATTEMPT_LIMIT:
            raise ValueError("no server would answer this: its nonce or a number is odd")

    def open(self) -> None:
        """Make the socket and send the first packet."""
        raise NotImplementedError

    def silent(self) -> None:
        """The deadline passed; without a packet that left, the silence is the agent's own."""
        if self.sent or self.noted:
            self.finish(protocol.Event.SILENT, **self.noted)
        else:
            self.finish(protocol.Event.FAILED, detail="nothing could be sent")

    def fail(self, error: OSError) -> None:
        """An error of a socket call, sorted by what it says about the network."""
        number = error.errno or 0
        if self.sock is None and number != errno.EAFNOSUPPORT:
            event = protocol.Event.FAILED  # not even a socket: a limit or a right of this process
        else:
            event = sockets.event_of(number, self.sent > 0)
        self.finish(event, error=sockets.error_name(error), icmp=self.icmp_error())

    def note(self, error: OSError) -> None:
        """Keep an error that another attempt may survive.

        A filter of this host that rejects refuses the sending (EPERM) and answers it with an ICMP
        error, which stays in the queue: `readable` takes it for the answer that it is.
        """
        icmp = None if error.errno == errno.EPERM else self.icmp_error()
        self.noted = {"error": sockets.error_name(error), "icmp": icmp}

    def icmp_error(self) -> protocol.IcmpSeen | None:
        """The ICMP error and its sender; TCP sockets keep it since Linux 5.9."""
        if self.sock is None:
            return None
        try:
            _, ancillary, _, _ = self.sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)
        except OSError:
            return None
        return sockets.told_by(ancillary)

    def finish(self, event: str, **fields: typing.Any) -> None:
        """Close everything and hand in the result, once."""
        if self.result is not None:
            return
        for timer in self.timers:
            timer.cancel()
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.local = self.sock.getsockname()
            self.loop.remove_reader(self.sock)
            self.loop.remove_writer(self.sock)
            self.sock.close()
        self.result = self.RESULT(
            nonce=self.spec.nonce,
            event=event,
            stage=self.stage,
            elapsed=self.loop.time() - self.started,
            sent=self.sent,
            local=plain(self.local[0]),
            local_port=self.local[1],
            **fields,
        )
        self.done(self)

    def judge(self, answer: wire.Answer | None, body: bytes, size: int) -> None:
        """Compare an answer with what was asked; `size` is the download that must come."""
        if answer is None or answer.nonce != self.spec.nonce:
            self.finish(protocol.Event.CORRUPTED, detail="the answer is not of this probe")
            return
        fields = {
            "latency": self.loop.time() - self.started,
            "peer_saw": answer.peer,
            "peer_port": answer.peer_port,
            "answered_by": answer.host,
        }
        if not answer.intact:
            self.finish(protocol.Event.CORRUPTED, detail="the upload arrived changed", **fields)
        elif answer.download != size or not wire.is_payload(body, answer.nonce, "down", size):
            self.finish(protocol.Event.CORRUPTED, detail="the download arrived changed", **fields)
        else:
            self.finish(protocol.Event.ECHOED, **fields)

    def header(self) -> bytes:
        """The first line of the request."""
        return identity.SEAL.line(self.spec.nonce, self.spec.upload, self.spec.download)

    def request(self) -> bytes:
        """The bytes that ask."""
        if self.spec.foreign:
            return FOREIGN
        return self.header() + wire.payload(self.spec.nonce, "up", self.spec.upload)

    def new_socket(self, kind: int, number: int = 0) -> socket.socket:
        """A non-blocking socket of the target's family, bound to the source port that is asked for;
        without one, that of a TCP or UDP flow is the next in turn."""
        family = family_of(self.spec.address)
        self.sock = socket.socket(family, kind, number)
        self.sock.setblocking(False)
        if self.spec.source_port:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.sock.bind(("::" if family == socket.AF_INET6 else "", self.spec.source_port))
        elif not number:
            SOURCE_PORTS.bind(self.sock)
        if self.spec.dont_fragment:
            sockets.discover(self.sock, sockets.PMTUDISC_DO)
        return self.sock


class SourcePorts:
    """Source ports of TCP and UDP flows: each in its turn, so that one comes again only after all
    others.

    A kernel gives a random one. Connection tracking takes a flow from the port of an earlier one
    to the same server for that earlier one: it lets it through whatever policy says by then, and
    leaves untranslated what reached a service before the node had its rules.
    """

    TRIES = 100

    def __init__(self) -> None:
        found = files.read("/proc/sys/net/ipv4/ip_local_port_range").split()
        self.first, self.last = map(int, found) if len(found) == 2 else (32768, 60999)
        self.next = random.randint(self.first, self.last)  # noqa: S311

    def bind(self, sock: socket.socket) -> None:
        """Bind to the next port that is free; where so many are taken, the kernel may choose."""
        any_address = "::" if sock.family == socket.AF_INET6 else ""
        for _ in range(self.TRIES):
            port = self.next
            self.next = port + 1 if port < self.last else self.first
            try:
                sock.bind((any_address, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return


SOURCE_PORTS = SourcePorts()
