"""The agent: server, client and witness in one unprivileged process of a probe pod.

Standard library only, Python 3.10; delivered by ConfigMap beside protocol.py and wire.py, and by
Secret beside the run's key, without which it does not serve. It runs as any user with every
capability dropped and a read-only root:

``agent.py serve SOCKET PORT...``
    answers probes on ports such as ``tcp/8080`` in both families (``tcp4/8080`` and ``tcp6/8080``:
    in one), keeps the arrival log, and obeys requests that come over the Unix socket.

bridge.py connects an exec stream to that socket, which is there once every port listens. The
agent opens no network port for control, executes no command and reads only files named in this
source. What it says and answers on the ports is in wire.py; probes without the run's tag are
counted and not answered.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import dataclasses
import errno
import ipaddress
import os
import random
import resource
import signal
import socket
import struct
import sys
import threading
import time
import typing

if not __package__:  # in the pod: asyncio without ssl takes 5 MB less
    sys.modules.setdefault("ssl", typing.cast(typing.Any, None))
import asyncio

if __package__:
    from sixproof.agent import protocol, wire
else:  # in the pod
    import protocol  # type: ignore[import-not-found,no-redef]
    import wire  # type: ignore[import-not-found,no-redef]

FOREIGN = b"HEAD / HTTP/1.0\r\n\r\n"
"""What a server that is no agent is asked; HTTPS servers answer it too, with a refusal in clear."""
LOG_LIMIT = 16_384  # arrivals; a batch brings one server some hundred and asks for them at its end
IDLE_LIMIT = 120.0
"""Seconds that a server connection may last."""
ATTEMPT_LIMIT = 1000
FILE_LIMIT = 16384

IP_RECVERR, IPV6_RECVERR = 11, 25
IP_PKTINFO, IPV6_RECVPKTINFO, IPV6_PKTINFO = 8, 49, 50
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_WANT, PMTUDISC_DO = 10, 23, 1, 2
IP_MTU, IPV6_MTU = 14, 24
ICMP_ECHO, ICMP_ECHO_REPLY, ICMPV6_ECHO, ICMPV6_ECHO_REPLY = 8, 0, 128, 129
TCP_SYN_RECV = "03"
NO_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
"""What a kernel says of a family that it does not have."""


def plain(address: str) -> str:
    """An address as text without zone."""
    return address.split("%", 1)[0]


def family_of(address: str) -> int:
    """AF_INET or AF_INET6 of a literal."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


# ---- the server


class Log:
    """The arrival log, bounded; the oldest entry goes first. What is not of this run is no more
    than counted: `foreign` by tcp and udp."""

    def __init__(self) -> None:
        self._arrivals: dict[str, protocol.Arrival] = {}
        self.foreign: collections.Counter[str] = collections.Counter()

    def note(self, nonce: str, name: str, peer: typing.Any, local: typing.Any) -> None:
        """Remember that a nonce arrived; the first arrival counts."""
        if nonce in self._arrivals:
            return
        if len(self._arrivals) >= LOG_LIMIT:
            del self._arrivals[next(iter(self._arrivals))]
        self._arrivals[nonce] = protocol.Arrival(
            nonce=nonce,
            protocol=name,
            peer=sys.intern(plain(peer[0])),
            peer_port=peer[1],
            local=sys.intern(plain(local[0])),
            local_port=local[1],
            at=time.monotonic(),
        )

    def of(self, nonces: typing.Iterable[str]) -> list[protocol.Arrival]:
        """The arrivals among these nonces."""
        return [self._arrivals[n] for n in nonces if n in self._arrivals]


def answer_line(header: wire.Header, intact: bool, peer: typing.Any, download: int) -> bytes:
    """The first line of an answer."""
    word = b"ok" if intact else b"bad"
    host = HOST.encode() or b"-"
    return b"SIX1 %s %s %s %d %s %d\n" % (
        header.nonce.encode(),
        word,
        plain(peer[0]).encode(),
        peer[1],
        host,
        download,
    )


class EchoStream(asyncio.Protocol):
    """One TCP connection of the server."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.buffer = bytearray()
        self.header: wire.Header | None = None
        self.transport: typing.Any = None
        self.watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the idle clock."""
        self.transport = transport
        self.watch = asyncio.get_running_loop().call_later(IDLE_LIMIT, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        """Stop the idle clock."""
        if self.watch:
            self.watch.cancel()

    def data_received(self, data: bytes) -> None:
        """Collect the header, then the upload, then answer once."""
        self.buffer += data
        if self.header is None:
            end = self.buffer.find(b"\n", 0, wire.LINE_LIMIT)
            if end < 0:
                if len(self.buffer) >= wire.LINE_LIMIT:
                    self.refuse()
                return
            self.header = SEAL.header(bytes(self.buffer[:end]))
            if self.header is None:
                self.refuse()
                return
            del self.buffer[: end + 1]
            peer, local = (self.transport.get_extra_info(n) for n in ("peername", "sockname"))
            self.log.note(self.header.nonce, "tcp", peer, local)
        if len(self.buffer) >= self.header.upload:
            self.reply(self.header)

    def refuse(self) -> None:
        """Cut off what is not of this run."""
        self.log.foreign["tcp"] += 1
        self.transport.abort()

    def reply(self, header: wire.Header) -> None:
        """Answer and close; the client has all it needs."""
        intact = wire.is_payload(self.buffer, header.nonce, "up", header.upload)
        peer = self.transport.get_extra_info("peername")
        self.transport.write(answer_line(header, intact, peer, header.download))
        if header.download:
            self.transport.write(wire.payload(header.nonce, "down", header.download))
        self.transport.close()


class EchoDatagrams:
    """One UDP port of the server, answering from the address that was asked (RFC 1122 4.1.3.5)."""

    def __init__(self, log: Log, sock: socket.socket) -> None:
        self.log = log
        self.sock = sock
        self.six = sock.family == socket.AF_INET6

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
        header = SEAL.header(data[:end]) if end > 0 else None
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


class Server:
    """All ports of the server, in both families."""

    def __init__(self) -> None:
        self.log = Log()
        self.listening: list[str] = []
        self.problems: list[str] = []
        self.complete = True
        self._open: list[typing.Any] = []

    async def listen(self, port_specs: typing.Iterable[str]) -> None:
        """Open ports such as ``tcp/8080``. A family that the pod lacks is noted; a port that cannot
        be had for another reason leaves this server incomplete."""
        for port_spec in port_specs:
            name, _, port = port_spec.partition("/")
            for digit, family, any_address in (
                ("4", socket.AF_INET, "0.0.0.0"),  # noqa: S104 - a pod's every address
                ("6", socket.AF_INET6, "::"),
            ):
                if name[3:] not in ("", digit):
                    continue
                try:
                    await self._listen(name[:3], family, any_address, int(port))
                except OSError as error:
                    self.problems.append(f"{port_spec} on {any_address}: {error.strerror}")
                    self.complete &= error.errno in NO_FAMILY

    async def _listen(self, name: str, family: int, any_address: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        kind = socket.SOCK_STREAM if name == "tcp" else socket.SOCK_DGRAM
        sock = socket.socket(family, kind)
        try:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setblocking(False)
            if name == "tcp":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((any_address, port))
        except OSError:
            sock.close()
            raise
        if name == "tcp":
            server = await loop.create_server(lambda: EchoStream(self.log), sock=sock, backlog=1024)
            self._open.append(server)
        else:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            loop.add_reader(sock, EchoDatagrams(self.log, sock).readable)
            self._open.append(sock)
        shown = f"[{any_address}]" if family == socket.AF_INET6 else any_address
        self.listening.append(f"{name}/{shown}:{port}")

    def close(self) -> None:
        """Close every port."""
        for item in self._open:
            if isinstance(item, socket.socket):
                asyncio.get_running_loop().remove_reader(item)
            item.close()


# ---- the client


def read(path: str) -> str:
    """A small file, empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read(1 << 20)
    except OSError:
        return ""


class SourcePorts:
    """Source ports of TCP and UDP flows: each in its turn, so that one comes again only after all
    others.

    A kernel gives a random one. Connection tracking takes a flow from the port of an earlier one
    to the same server for that earlier one: it lets it through whatever policy says by then, and
    leaves untranslated what met a service before the node had its rules.
    """

    TRIES = 100

    def __init__(self) -> None:
        found = read("/proc/sys/net/ipv4/ip_local_port_range").split()
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
        self.noted: dict[str, str] = {}
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
            event = event_of(number, self.sent > 0)
        self.finish(event, error=error_name(error), detail=self.icmp_error())

    def note(self, error: OSError) -> None:
        """Keep an error that another attempt may survive.

        A filter of this host that rejects refuses the sending (EPERM) and answers it with an ICMP
        error, which stays in the queue: `readable` takes it for the answer that it is.
        """
        detail = "" if error.errno == errno.EPERM else self.icmp_error()
        self.noted = {"error": error_name(error), "detail": detail}

    def keep_errors(self, keep: bool) -> None:
        """Whether the kernel keeps ICMP errors for `icmp_error`, and reports soft ones too."""
        sock = typing.cast(socket.socket, self.sock)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, keep)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, keep)

    def icmp_error(self) -> str:
        """Which ICMP error came from whom; TCP sockets keep it since Linux 5.9."""
        if self.sock is None:
            return ""
        try:
            _, ancillary, _, _ = self.sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)
        except OSError:
            return ""
        return told_by(ancillary)

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
        return SEAL.line(self.spec.nonce, self.spec.upload, self.spec.download)

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
            if family == socket.AF_INET6:
                self.sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DO)
            else:
                self.sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DO)
        return self.sock


class TcpAttempt(Attempt):
    """Connect, send, receive to the end, compare."""

    def open(self) -> None:
        """Start to connect."""
        sock = self.new_socket(socket.SOCK_STREAM)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.keep_errors(True)
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
            self.keep_errors(False)  # TCP outlives an ICMP error once it is connected
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

    def readable(self) -> None:
        """Collect the answer; it is complete when the announced download is there."""
        sock = typing.cast(socket.socket, self.sock)
        try:
            data = sock.recv(1 << 18)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.fail(error)
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


class DatagramAttempt(Attempt):
    """What UDP and ICMP share: a connected socket, several sends, answers known by their nonce."""

    def open_connected(self, number: int = 0) -> socket.socket:
        """A datagram socket connected to the target, with its ICMP errors kept by the kernel."""
        sock = self.new_socket(socket.SOCK_DGRAM, number)
        self.keep_errors(True)
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

        EPERM is the client's own filter eating what it sends, to be judged like any other silence.
        EMSGSIZE without DF tells a path MTU to which the kernel fragments the next attempt.
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


def error_name(error: OSError) -> str:
    """The symbol of an error: ``ECONNREFUSED``."""
    number = error.errno or 0
    return errno.errorcode.get(number, str(number))


def told_by(ancillary: typing.Any) -> str:
    """The ICMP error in a message of a socket's error queue, empty for an error of the kernel."""
    for _, _, data in ancillary:
        if len(data) < 16:
            continue
        number, origin, kind, code, _, info, _ = struct.unpack("=IBBBBII", data[:16])
        if origin not in (2, 3):  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6
            continue
        name = "ICMP" if origin == 2 else "ICMPv6"
        more = f", MTU {info}" if number == errno.EMSGSIZE else ""
        return f"{name} type {kind} code {code} from {offender(data[16:])}{more}"
    return ""


def offender(data: bytes) -> str:
    """The address in a sockaddr that follows a struct sock_extended_err."""
    family = struct.unpack("=H", data[:2])[0] if len(data) >= 2 else 0
    if family == socket.AF_INET6 and len(data) >= 24:
        return socket.inet_ntop(socket.AF_INET6, data[8:24])
    if family == socket.AF_INET and len(data) >= 8:
        return socket.inet_ntop(socket.AF_INET, data[4:8])
    return "an unknown sender"


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


class UdpExchange(UdpAttempt):
    """A datagram of the runner's and the first datagram that the server sends back."""

    RESULT = protocol.Reply

    def check(self) -> None:
        """Any bytes may be sent."""
        self.message = message_of(self.spec)

    def packet(self) -> bytes:
        """The runner's datagram."""
        return self.message

    def answered(self, data: bytes) -> None:
        """A datagram of the server's."""
        latency = self.loop.time() - self.started
        answer = base64.b64encode(data).decode()
        self.finish(protocol.Event.ANSWERED, latency=latency, payload=answer)


class TcpExchange(TcpAttempt):
    """A message of the runner's over a connection of its own, and the message that answers it."""

    RESULT = protocol.Reply

    def check(self) -> None:
        """Any bytes may be sent."""
        self.message = message_of(self.spec)

    def request(self) -> bytes:
        """The message behind its length."""
        return struct.pack("!H", len(self.message)) + self.message

    def readable(self) -> None:
        """Collect the answer; it is complete when it is as long as it said."""
        try:
            data = typing.cast(socket.socket, self.sock).recv(1 << 16)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.fail(error)
            return
        self.buffer += data
        size = struct.unpack("!H", self.buffer[:2])[0] if len(self.buffer) >= 2 else None
        if size is not None and len(self.buffer) >= size + 2:
            latency = self.loop.time() - self.started
            answer = base64.b64encode(self.buffer[2 : size + 2]).decode()
            self.finish(protocol.Event.ANSWERED, latency=latency, payload=answer)
        elif not data:
            detail = f"{len(self.buffer)} bytes of an answer before the end"
            self.finish(protocol.Event.CLOSED, detail=detail)


def message_of(spec: protocol.FlowSpec) -> bytes:
    """The bytes that the runner wants sent; raises ValueError for what cannot be."""
    data = base64.b64decode(typing.cast(protocol.Message, spec).payload, validate=True)
    if not 1 <= len(data) <= 65535 or spec.attempts > ATTEMPT_LIMIT:
        raise ValueError(f"a message of {len(data)} bytes, sent {spec.attempts} times")
    return data


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def event_of(number: int, sent: bool) -> str:
    """The event that an errno stands for; `sent` tells whether anything left the socket before."""
    if number in (errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE):
        return protocol.Event.RESET
    if number == errno.EMSGSIZE:
        return protocol.Event.TOO_BIG
    if number in (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EACCES):
        # EACCES is ICMPv6 "administratively prohibited", or a prohibit route of the pod itself
        return protocol.Event.UNREACHABLE if sent else protocol.Event.NO_ROUTE
    if number in (errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENOPROTOOPT, errno.EPROTO):
        return protocol.Event.UNREACHABLE
    if number == errno.EINVAL and not sent:  # a blackhole route of the pod itself
        return protocol.Event.NO_ROUTE
    if number == errno.ETIMEDOUT:
        return protocol.Event.SILENT
    return protocol.Event.FAILED


Attempts = typing.Mapping[str, type[Attempt]]
ATTEMPTS: Attempts = {"tcp": TcpAttempt, "udp": UdpAttempt, "icmp": IcmpAttempt}
EXCHANGES: Attempts = {"tcp": TcpExchange, "udp": UdpExchange}


class Batch:
    """Many flows at once: all that fit the file limit, the rest as places become free."""

    def __init__(
        self, flows: typing.Sequence[protocol.FlowSpec], kinds: Attempts = ATTEMPTS
    ) -> None:
        self.kinds = kinds
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.room = max(16, min(4000, limit // 2))
        self.results: list[protocol.FlowResult | None] = [None] * len(flows)
        self.waiting = list(reversed(list(enumerate(flows))))
        self.under_way = 0
        self.finished = asyncio.get_running_loop().create_future()

    async def run(self) -> list[protocol.FlowResult]:
        """Results in the order of the flows."""
        self.fill()
        try:
            await self.finished
        finally:
            self.waiting.clear()  # cancelled: nobody waits for what has not been tried
        return typing.cast(list[protocol.FlowResult], self.results)

    def fill(self) -> None:
        """Start as many as there is room for."""
        started = 0
        while self.waiting and self.under_way < self.room and started < 64:
            index, spec = self.waiting.pop()
            self.under_way += 1
            started += 1
            self.start(index, spec)
        if self.waiting and self.under_way < self.room:
            asyncio.get_running_loop().call_soon(self.fill)
        elif not self.waiting and not self.under_way and not self.finished.done():
            self.finished.set_result(None)

    def start(self, index: int, spec: protocol.FlowSpec) -> None:
        """Start one flow."""

        def done(attempt: Attempt) -> None:
            self.results[index] = attempt.result
            self.under_way -= 1
            if self.waiting or not self.under_way:
                asyncio.get_running_loop().call_soon(self.fill)

        kind = self.kinds.get(spec.protocol)
        if kind is None:
            self.results[index] = protocol.FlowResult(
                nonce=spec.nonce,
                event=protocol.Event.FAILED,
                detail=f"protocol {spec.protocol!r} is none of {', '.join(self.kinds)}",
            )
            self.under_way -= 1
            return
        kind(spec, done).start()


# ---- path MTU: what the kernel tells an unprivileged process

TCP_INFO_WORDS = {"offered": 84, "pmtu": 60, "retransmits": 100}
TCP_INFO_COUNTS = {"acknowledged": 120, "received": 128}
"""Offsets into struct tcp_info (include/uapi/linux/tcp.h), 32 and 64 bits wide."""
TCPI_OPT_TIMESTAMPS, TIMESTAMPS = 1, 12
"""The flag in tcpi_options, and the option's bytes in every segment."""
SIZED_LIMIT, SIZED_DIGITS = 64, 5


class TcpBulk(TcpAttempt):
    """A TCP flow that is watched: how long it stood still, and what its socket knew at the end."""

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


TRANSFERS: Attempts = {"tcp": TcpBulk}


def tcp_info(sock: socket.socket) -> dict[str, int]:
    """Some fields of TCP_INFO, 0 where the kernel is too old to tell."""
    data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256).ljust(256, b"\0")
    words = {name: struct.unpack_from("=I", data, at)[0] for name, at in TCP_INFO_WORDS.items()}
    counts = {name: struct.unpack_from("=Q", data, at)[0] for name, at in TCP_INFO_COUNTS.items()}
    return words | counts


def path_mtu(sock: socket.socket) -> int:
    """The path MTU of a connected socket, by its kernel."""
    if sock.family == socket.AF_INET6:
        return sock.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU)
    return sock.getsockopt(socket.IPPROTO_IP, IP_MTU)


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
                event = event_of(error.errno or 0, False)
                sends = [protocol.Sized(size, event, error_name(error)) for size in spec.sizes]
                return protocol.SizedSeen(spec.nonce, 0, sends)
            begun = path_mtu(sock)
            sends = [await self.one(sock, index, size) for index, size in enumerate(spec.sizes)]
            local = sock.getsockname()
        return protocol.SizedSeen(spec.nonce, begun, sends, plain(local[0]), local[1])

    def prepare(self, sock: socket.socket) -> None:
        """Set what decides about fragments, and have ICMP errors kept."""
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
        discover = PMTUDISC_WANT if self.spec.fragment else PMTUDISC_DO
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, discover)
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, discover)
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)

    def datagram(self, nonce: str, size: int) -> bytes:
        """A probe that makes an IP packet of `size` bytes; leading zeros keep its line's length."""
        headers = (40 if ":" in self.spec.address else 20) + 8
        upload = size - headers - len(SEAL.line(nonce, 0, 0, SIZED_DIGITS))
        if not 0 <= upload <= 65535 - headers:
            raise ValueError(f"a probe of {size} bytes cannot be")
        return SEAL.line(nonce, upload, 0, SIZED_DIGITS) + wire.payload(nonce, "up", upload)

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
            event, fields["error"] = event_of(error.errno or 0, sent), error_name(error)
            fields["detail"] = self.kept(sock)
        return protocol.Sized(size, event, mtu=path_mtu(sock), **fields)

    async def echo(self, sock: socket.socket, nonce: str) -> None:
        """Wait for the answer to one; answers to earlier ones are let pass."""
        while True:
            line = (await self.loop.sock_recv(sock, 65535)).partition(b"\n")[0]
            answer = wire.Answer.read(line)
            if answer is not None and answer.nonce == nonce:
                return

    def kept(self, sock: socket.socket) -> str:
        """The last ICMP error of the queue, which is emptied for the next datagram."""
        told = ""
        with contextlib.suppress(OSError):
            while True:
                told = told_by(sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)[1]) or told
        return told


# ---- routes, as rtnetlink(7) tells them

NLM_REQUEST, NLMSG_ERROR, RTM_NEWROUTE, RTM_GETROUTE = 1, 2, 24, 26
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PREFSRC, RTA_METRICS, RTA_CACHEINFO = 1, 4, 5, 7, 8, 12
RTAX_MTU = 2
CLOCK_TICKS = 100.0
"""Of rta_expires: USER_HZ, 100 on every architecture of today's nodes."""
ROUTE_LIMIT = 2000


def routes(addresses: typing.Sequence[str]) -> list[protocol.RouteSeen]:
    """Ask the kernel for each of these; it answers at once."""
    if len(addresses) > ROUTE_LIMIT:
        raise ValueError(f"{len(addresses)} routes, at most {ROUTE_LIMIT} are taken")
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    with contextlib.closing(sock):
        sock.settimeout(2.0)
        return [route(sock, address) for address in addresses]


def route(sock: socket.socket, address: str) -> protocol.RouteSeen:
    """What the kernel says of one address."""
    raw = ipaddress.ip_address(address).packed
    family = family_of(address)
    body = struct.pack("=BBBBBBBBI", family, len(raw) * 8, 0, 0, 0, 0, 0, 0, 0)
    body += struct.pack("=HH", 4 + len(raw), RTA_DST) + raw
    sock.send(struct.pack("=IHHII", 16 + len(body), RTM_GETROUTE, NLM_REQUEST, 1, 0) + body)
    answer = sock.recv(1 << 16)
    length, kind = struct.unpack_from("=IH", answer)
    if kind != RTM_NEWROUTE:
        number = -struct.unpack_from("=i", answer, 16)[0] if kind == NLMSG_ERROR else 0
        return protocol.RouteSeen(address, error=errno.errorcode.get(number, str(number)))
    found = attributes(answer[28:length])
    mtu = attributes(found.get(RTA_METRICS, b"")).get(RTAX_MTU, b"")
    index, expires = found.get(RTA_OIF, b""), found.get(RTA_CACHEINFO, b"")
    left = struct.unpack_from("=i", expires, 8)[0] if len(expires) >= 12 else 0
    return protocol.RouteSeen(
        address,
        device=device_name(struct.unpack("=I", index)[0]) if index else "",
        gateway=literal(family, found.get(RTA_GATEWAY)),
        source=literal(family, found.get(RTA_PREFSRC)),
        mtu=struct.unpack("=I", mtu)[0] if mtu else 0,
        expires=left / CLOCK_TICKS if mtu and left > 0 else None,
    )


def attributes(data: bytes) -> dict[int, bytes]:
    """Netlink attributes by their type."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def device_name(index: int) -> str:
    """An interface's name, its number where it has gone meanwhile."""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return f"interface {index}"


def literal(family: int, raw: bytes | None) -> str:
    """An address as text, empty for one that is not there or of another family."""
    if not raw or len(raw) != (16 if family == socket.AF_INET6 else 4):
        return ""
    return socket.inet_ntop(family, raw)


# ---- the pod's own resolver

RESOLVER_THREADS = 16
LOOKUP_LIMIT = 5000
RESOLVER_FAMILIES = {"any": socket.AF_UNSPEC, "IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}
RESOLVER_ERRORS = {getattr(socket, name): name for name in dir(socket) if name.startswith("EAI_")}
OWN_TROUBLE = ("EAI_MEMORY", "EAI_SYSTEM")
"""Errors that speak of this process: out of memory, out of files."""


def looked_up(lookup: protocol.Lookup) -> protocol.Found:
    """One call of getaddrinfo, from a thread; whatever it meets is a result."""

    def found(event: str, **fields: typing.Any) -> protocol.Found:
        fields.setdefault("addresses", [])
        return protocol.Found(lookup.name, lookup.family, event, **fields)

    name = lookup.name
    if not (name.isascii() and name.isprintable() and 0 < len(name) <= 512 and " " not in name):
        return found(protocol.Event.FAILED, error="EINVAL", detail="no name that can be asked for")
    if lookup.family not in RESOLVER_FAMILIES:
        known = ", ".join(RESOLVER_FAMILIES)
        detail = f"family {lookup.family[:20]!r} is none of {known}"
        return found(protocol.Event.FAILED, error="EINVAL", detail=detail)
    begun = time.monotonic()
    try:
        answers = socket.getaddrinfo(
            name.encode(), None, RESOLVER_FAMILIES[lookup.family], socket.SOCK_STREAM
        )
    except socket.gaierror as error:
        said = RESOLVER_ERRORS.get(error.errno or 0, str(error.errno))
        event = protocol.Event.FAILED if said in OWN_TROUBLE else protocol.Event.ANSWERED
        latency = time.monotonic() - begun
        return found(event, error=said, detail=str(error.strerror), latency=latency)
    except (OSError, ValueError) as error:
        return found(protocol.Event.FAILED, error=type(error).__name__, detail=str(error))
    latency = time.monotonic() - begun
    addresses = list(dict.fromkeys(plain(str(answer[4][0])) for answer in answers))
    return found(protocol.Event.ANSWERED, addresses=addresses, latency=latency)


class Resolver:
    """getaddrinfo blocks and cannot be cancelled: it runs in a few threads that are left to end."""

    def __init__(self) -> None:
        self.busy = 0

    async def run(self, request: protocol.Resolve) -> list[protocol.Found]:
        """Results in the order of the lookups, at the latest when the time is up."""
        if len(request.lookups) > LOOKUP_LIMIT:
            raise ValueError(f"{len(request.lookups)} lookups, at most {LOOKUP_LIMIT} are taken")
        loop = asyncio.get_running_loop()
        results: dict[int, protocol.Found] = {}
        waiting = collections.deque(enumerate(request.lookups))
        begun: set[int] = set()
        finished = asyncio.Event()

        def note(index: int, result: protocol.Found) -> None:
            results[index] = result
            if len(results) == len(request.lookups):
                finished.set()

        def ended() -> None:
            self.busy -= 1

        def work() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                while waiting:
                    try:
                        index, lookup = waiting.popleft()
                    except IndexError:
                        break
                    begun.add(index)
                    loop.call_soon_threadsafe(note, index, looked_up(lookup))
                loop.call_soon_threadsafe(ended)

        threads = 0
        for _ in range(min(request.threads, RESOLVER_THREADS - self.busy, len(waiting))):
            try:
                threading.Thread(target=work, name="resolver", daemon=True).start()
            except RuntimeError:  # no more threads for this process
                break
            threads += 1
            self.busy += 1
        if threads:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(finished.wait(), request.timeout)
        waiting.clear()
        return [
            results.get(index) or self.unfinished(lookup, index in begun)
            for index, lookup in enumerate(request.lookups)
        ]

    def unfinished(self, lookup: protocol.Lookup, begun: bool) -> protocol.Found:
        """A lookup that did not return, or that no thread came to."""
        event = protocol.Event.SILENT if begun else protocol.Event.FAILED
        detail = "" if begun else f"no thread came to it in time ({self.busy} are busy)"
        return protocol.Found(lookup.name, lookup.family, event, [], detail=detail)


# ---- whole packets, for pods with NET_RAW

IPPROTO_RAW, IP_NODEFRAG = 255, 22
ETH_P_ALL, ETH_P_IP, ETH_P_IPV6, PACKET_OUTGOING = 0x0003, 0x0800, 0x86DD, 4
SOL_PACKET, PACKET_STATISTICS = 263, 6
RAW_LIMIT, RAW_SECONDS = 5000, 60.0
CAPTURES, CAPTURE_BYTES = 8, 12 << 20


class RawSender:
    """Packets as the runner made them; the kernel finds the way and the neighbour, nothing else."""

    def __init__(self, packets: list[protocol.RawPacket]) -> None:
        if len(packets) > RAW_LIMIT or not 0 <= sum(p.delay for p in packets) <= RAW_SECONDS:
            raise ValueError(f"at most {RAW_LIMIT} packets within {RAW_SECONDS:.0f} s are sent")
        self.packets = [(p.address, self.bytes_of(p), p.delay) for p in packets]

    @staticmethod
    def bytes_of(packet: protocol.RawPacket) -> bytes:
        """The packet, its version checked against the address that it is to go to."""
        data = base64.b64decode(packet.packet, validate=True)
        version = ipaddress.ip_address(packet.address).version  # a name would ask the resolver
        if not 20 <= len(data) <= 65535 or data[0] >> 4 != version or packet.delay < 0:
            raise ValueError(f"{len(data)} bytes are no IPv{version} packet")
        return data

    async def run(self) -> list[protocol.RawResult]:
        """Send all; one that the kernel refuses stops none of the others."""
        results = []
        with contextlib.ExitStack() as stack:
            socks: dict[int, socket.socket] = {}
            for address, data, delay in self.packets:
                await asyncio.sleep(delay)
                family = family_of(address)
                if family not in socks:
                    sock = socket.socket(family, socket.SOCK_RAW, IPPROTO_RAW)
                    socks[family] = stack.enter_context(sock)
                    sock.setblocking(False)
                    if family == socket.AF_INET:  # else connection tracking joins fragments here
                        sock.setsockopt(socket.IPPROTO_IP, IP_NODEFRAG, 1)
                results.append(self.one(socks[family], address, data))
        return results

    def one(self, sock: socket.socket, address: str, data: bytes) -> protocol.RawResult:
        """Hand one packet to the kernel."""
        try:
            sock.sendto(data, (address, 0))
        except OSError as error:
            return protocol.RawResult(error_name(error))
        return protocol.RawResult()


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
                continue  # ENETDOWN, told once
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


# ---- the pod's own facts

SYSCTLS = (
    "net/ipv6/conf/all/disable_ipv6",
    "net/ipv6/conf/all/forwarding",
    "net/ipv6/conf/all/accept_ra",
    "net/ipv6/conf/default/disable_ipv6",
    "net/ipv4/ping_group_range",
    "net/ipv6/route/mtu_expires",
)
IFA_FLAGS = {0x08: "dadfailed", 0x20: "deprecated", 0x40: "tentative", 0x80: "permanent"}


def rss_kib() -> int:
    """This process's resident memory; getrusage would tell the peak of whoever started it."""
    for line in read("/proc/self/status").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def inspected() -> protocol.Inspected:
    """The pod's interfaces, IPv6 addresses, sysctls, counters and resolver."""
    addresses = []
    for line in read("/proc/net/if_inet6").splitlines():
        raw, _, prefix, _, flags, interface = line.split()
        names = [name for bit, name in IFA_FLAGS.items() if int(flags, 16) & bit]
        address = str(ipaddress.IPv6Address(bytes.fromhex(raw)))
        addresses.append(protocol.AddressSeen(interface, address, int(prefix, 16), names))
    try:
        interfaces = sorted(os.listdir("/sys/class/net"))  # noqa: PTH208
    except OSError:
        interfaces = []
    mtus = {name: read(f"/sys/class/net/{name}/mtu").strip() for name in interfaces}
    counters = {}
    for line in read("/proc/net/snmp6").splitlines():
        parts = line.split()
        if len(parts) == 2 and parts[1].isdigit():
            counters[parts[0]] = int(parts[1])
    counters |= counters_v4(read("/proc/net/snmp"))
    return protocol.Inspected(
        mtus={name: int(mtu) for name, mtu in mtus.items() if mtu.isdigit()},
        ipv6=addresses,
        sysctls={name: read(f"/proc/sys/{name}").strip() for name in SYSCTLS},
        resolv_conf=read("/etc/resolv.conf"),
        counters=counters,
    )


def counters_v4(text: str) -> dict[str, int]:
    """The counters of /proc/net/snmp as ``IpFragFails``: a line of names, a line of values."""
    lines = [line.split() for line in text.splitlines()]
    return {
        names[0].rstrip(":") + name: int(value)
        for names, values in zip(lines[::2], lines[1::2], strict=False)
        if names and values and names[0] == values[0]
        for name, value in zip(names[1:], values[1:], strict=False)
        if value.isdigit()
    }


def half_open() -> list[protocol.HalfOpen]:
    """Handshakes that wait for the client's ACK (SYN_RECV in /proc/net/tcp and tcp6)."""
    found = []
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in read(path).splitlines()[1:]:
            parts = line.split()
            if len(parts) > 3 and parts[3] == TCP_SYN_RECV:
                (local, local_port), (peer, peer_port) = map(_proc_address, parts[1:3])
                found.append(protocol.HalfOpen(peer, peer_port, local, local_port))
    return found


def _proc_address(text: str) -> tuple[str, int]:
    raw, port = text.split(":")
    words = [bytes.fromhex(raw[i : i + 8])[::-1] for i in range(0, len(raw), 8)]
    if sys.byteorder == "big":
        words = [word[::-1] for word in words]
    return str(ipaddress.ip_address(b"".join(words))), int(port, 16)


# ---- obeying the runner


class Lag:
    """The worst delay of the event loop: an agent's slowness must not pass for the network's."""

    STEP = 0.05

    def __init__(self) -> None:
        self._samples: collections.deque[tuple[float, float]] = collections.deque(maxlen=2000)

    async def watch(self) -> None:
        """Sample for ever."""
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(self.STEP)
            now = loop.time()
            self._samples.append((now, now - before - self.STEP))

    def since(self, moment: float) -> float:
        """The worst delay in seconds since a moment of the loop's clock."""
        return max((lag for at, lag in self._samples if at >= moment), default=0.0)


class Agent:
    """Carries out requests."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.resolver = Resolver()
        self.lag = Lag()
        self.started = time.monotonic()
        self.last_ping = 0.0
        self.captures: dict[str, Capture] = {}

    async def answer(self, request: object) -> object:
        """The answer to one request."""
        if isinstance(request, protocol.Probe):
            return await self.probe(request)
        if isinstance(request, protocol.Exchange):
            return await self.exchange(request)
        if isinstance(request, protocol.Resolve):
            return await self.resolve(request)
        if isinstance(request, protocol.Evidence):
            return await self.evidence(request)
        if isinstance(request, protocol.Inspect):
            return inspected()
        if isinstance(request, protocol.SendSized):
            return await self.send_sized(request)
        if isinstance(request, protocol.Transfer):
            return await self.transfer(request)
        if isinstance(request, protocol.RouteGet):
            return protocol.Routes(routes(request.addresses))
        if isinstance(request, protocol.SendRaw):
            return await self.send_raw(request)
        if isinstance(request, protocol.StartCapture):
            return self.start_capture(request)
        if isinstance(request, protocol.EndCapture):
            return self.end_capture(request)
        if isinstance(request, protocol.Hello):
            return self.welcome()
        now = asyncio.get_running_loop().time()
        last, self.last_ping = self.last_ping, now
        foreign = self.server.log.foreign
        return protocol.Pong(self.lag.since(last), foreign["udp"], foreign["tcp"])

    def welcome(self) -> protocol.Welcome:
        """Who this is."""
        return protocol.Welcome(
            host=HOST,
            python=sys.version.split()[0],
            pid=os.getpid(),
            uptime=time.monotonic() - self.started,
            rss_kib=rss_kib(),
            listening=self.server.listening + [f"not {p}" for p in self.server.problems],
        )

    async def probe(self, request: protocol.Probe) -> protocol.Probed:
        """Try all flows."""
        since = asyncio.get_running_loop().time()
        results = await Batch(request.flows).run()
        return protocol.Probed(results=results, lag=self.lag.since(since))

    async def exchange(self, request: protocol.Exchange) -> protocol.Exchanged:
        """Send all messages."""
        since = asyncio.get_running_loop().time()
        replies = await Batch(request.messages, EXCHANGES).run()
        return protocol.Exchanged(
            replies=typing.cast(list[protocol.Reply], replies),
            lag=self.lag.since(since),
        )

    async def resolve(self, request: protocol.Resolve) -> protocol.Resolved:
        """Look all names up."""
        since = asyncio.get_running_loop().time()
        found = await self.resolver.run(request)
        return protocol.Resolved(found=found, lag=self.lag.since(since))

    async def send_sized(self, request: protocol.SendSized) -> protocol.SentSized:
        """Send datagrams of exact sizes."""
        since = asyncio.get_running_loop().time()
        seen = await asyncio.gather(*(SizedSender(spec).run() for spec in request.specs))
        return protocol.SentSized(seen=seen, lag=self.lag.since(since))

    async def transfer(self, request: protocol.Transfer) -> protocol.Transferred:
        """Carry bulk."""
        since = asyncio.get_running_loop().time()
        results = await Batch(request.flows, TRANSFERS).run()
        return protocol.Transferred(
            results=typing.cast(list[protocol.Bulk], results),
            lag=self.lag.since(since),
        )

    async def send_raw(self, request: protocol.SendRaw) -> protocol.SentRaw:
        """Send packets as they are."""
        since = asyncio.get_running_loop().time()
        results = await RawSender(request.packets).run()
        return protocol.SentRaw(results=results, lag=self.lag.since(since))

    def start_capture(self, request: protocol.StartCapture) -> protocol.CaptureStarted:
        """Begin to keep packets; captures that nobody fetched make room, the oldest first."""
        if request.name in self.captures:
            raise ValueError(f"there is a capture {request.name[:40]!r} already")
        if len(self.captures) >= CAPTURES:
            over = [n for n, c in self.captures.items() if c.sock.fileno() < 0]
            if not over:
                raise ValueError(f"{CAPTURES} captures are under way, more are not kept")
            del self.captures[over[0]]
        self.captures[request.name] = Capture(request.seconds, request.limit)
        return protocol.CaptureStarted(request.name)

    def end_capture(self, request: protocol.EndCapture) -> protocol.Captured:
        """Hand out what was kept."""
        capture = self.captures.pop(request.name, None)
        if capture is None:
            raise ValueError(f"there is no capture {request.name[:40]!r}")
        capture.end()
        lag = self.lag.since(capture.began)
        return protocol.Captured(capture.frames, capture.lost, capture.complete, lag)

    async def evidence(self, request: protocol.Evidence) -> protocol.EvidenceFound:
        """What arrived, what hangs, and whether the server answers itself."""
        since = asyncio.get_running_loop().time() - request.window
        hanging = half_open() if request.handshakes else []
        flows = [
            protocol.FlowSpec(
                protocol=c.protocol,
                address=c.address,
                port=c.port,
                nonce=f"control{random.getrandbits(64):016x}",
                timeout=1.0,
                attempts=2,
            )
            for c in request.controls
        ]
        results = await Batch(flows).run()
        return protocol.EvidenceFound(
            arrivals=self.server.log.of(request.nonces),
            half_open=hanging,
            controls=[
                protocol.ControlResult(
                    protocol=c.protocol,
                    address=c.address,
                    port=c.port,
                    answered=r.event == protocol.Event.ECHOED,
                    detail=""
                    if r.event == protocol.Event.ECHOED
                    else f"{r.event} {r.error}".strip(),
                )
                for c, r in zip(request.controls, results, strict=True)
            ],
            lag=self.lag.since(since),
            uptime=time.monotonic() - self.started,
        )


class Session:
    """One runner on the Unix socket: requests work side by side, answers carry their number."""

    IN_FLIGHT = 64

    def __init__(
        self, agent: Agent, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.agent = agent
        self.reader = reader
        self.writer = writer
        self.places = asyncio.Semaphore(self.IN_FLIGHT)
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Read requests until the runner goes; then drop what is under way."""
        try:
            while line := await self.line():
                await self.places.acquire()
                task = asyncio.ensure_future(self.work(line))
                self.tasks.add(task)
                task.add_done_callback(self.finished)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            for task in self.tasks:
                task.cancel()
            self.writer.close()

    async def line(self) -> bytes:
        """The next line, empty at the end; one that is too long ends the session with an error."""
        try:
            return await self.reader.readline()
        except ValueError:
            await self.send(protocol.encode_error(0, "line too long"))
            return b""

    def finished(self, task: asyncio.Task[None]) -> None:
        """A request is answered."""
        self.tasks.discard(task)
        self.places.release()
        if not task.cancelled() and task.exception():
            print(f"agent: {task.exception()!r}", file=sys.stderr)  # noqa: T201

    async def work(self, line: bytes) -> None:
        """Answer one line, whatever it holds."""
        number = 0
        try:
            value = protocol.decode_line(line)
            number = value["id"]
            if value.get("key", "") != SEAL.mark:
                raise protocol.ProtocolError(OTHER_KEY)
            answer = await self.agent.answer(protocol.decode_request(value))
            data = protocol.encode_answer(number, answer)
        except protocol.ProtocolError as error:
            data = protocol.encode_error(number, str(error))
        except (OSError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            data = protocol.encode_error(number, f"{type(error).__name__}: {error}")
        await self.send(data)

    async def send(self, data: bytes) -> None:
        """Write with back-pressure."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()


def allow_more_files() -> None:
    """Raise the soft limit of open files as far as is useful and this process may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILE_LIMIT if hard == resource.RLIM_INFINITY else min(hard, FILE_LIMIT)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def serve(path: str, port_specs: typing.Sequence[str]) -> int:
    """Serve until SIGTERM; the exit status. With a port in other hands nothing is served at all:
    what answers there would be taken for this agent."""
    allow_more_files()
    server = Server()
    await server.listen(port_specs)
    for problem in server.problems:
        print(f"not serving {problem}", file=sys.stderr, flush=True)  # noqa: T201
    if not server.complete:
        server.close()
        return 1
    agent = Agent(server)
    watch = asyncio.ensure_future(agent.lag.watch())
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Session(agent, reader, writer).run()

    control = await asyncio.start_unix_server(session, path, limit=protocol.LINE_LIMIT)
    os.chmod(path, 0o600)  # noqa: PTH101
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    print("serving " + " ".join(server.listening), file=sys.stderr, flush=True)  # noqa: T201
    await stop.wait()
    control.close()
    server.close()
    watch.cancel()
    return 0


OTHER_KEY = "this agent holds another key than its runner: what it leaves unanswered proves nothing"
KEY_FILE = "key"
"""Beside this file: the key of the run, as text."""
SEAL = wire.Seal(read(os.path.join(os.path.dirname(__file__), KEY_FILE)).strip().encode())  # noqa: PTH118, PTH120
HOST = os.environ.get("SIXPROOF_POD") or socket.gethostname()
"""The name under which this agent answers; a hostNetwork pod's host name is its node's."""


def main(arguments: typing.Sequence[str]) -> int:
    """Entry point of the pod."""
    if len(arguments) >= 2 and arguments[0] == "serve":
        if not SEAL.mark:
            print(f"agent: no key in the file {KEY_FILE!r} beside this one", file=sys.stderr)  # noqa: T201
            return 2
        return asyncio.run(serve(arguments[1], arguments[2:]))
    print("usage: agent.py serve SOCKET PORT...", file=sys.stderr)  # noqa: T201
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
