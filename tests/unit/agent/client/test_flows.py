"""Flows of the agent's client on loopback: what it makes of servers good, bad and absent."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import os
import resource
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from sixproof.agent import identity, protocol, wire
from sixproof.agent.client.attempt import SOURCE_PORTS, Attempt, SourcePorts
from sixproof.agent.client.batch import ATTEMPTS, Batch
from sixproof.agent.client.datagrams import (
    ICMP_ECHO_REPLY,
    ICMPV6_ECHO_REPLY,
    DatagramAttempt,
    IcmpAttempt,
    UdpAttempt,
    checksum,
)
from sixproof.agent.client.tcp import TcpAttempt
from sixproof.agent.control.serve import FILE_LIMIT, allow_more_files
from sixproof.agent.protocol import Event, FlowResult, IcmpSeen
from sixproof.model import Family
from tests.unit.agent.agents_on_loopback import (
    LOOPBACK,
    Talk,
    babbling,
    free_port,
    run,
    serving,
    speaking,
    spec,
    tried,
)

families = pytest.mark.parametrize("ip_family", Family, ids=str)
both = pytest.mark.parametrize("name", ["tcp", "udp"])


# ---- a server of ours


@families
@both
@pytest.mark.parametrize(("upload", "download"), [(0, 0), (1, 1), (1000, 700), (60_000, 60_000)])
def test_echo_carries_payload(ip_family: Family, name: str, upload: int, download: int) -> None:
    """The answer says who answered, what the server saw, and how long it took."""

    async def scenario() -> FlowResult:
        port = free_port()
        async with serving(f"{name}/{port}"):
            return (await tried(spec(name, ip_family, port, upload=upload, download=download)))[0]

    result = run(scenario())

    assert (result.event, result.detail, result.stage) == (Event.ECHOED, "", "exchange")
    assert (result.peer_saw, result.peer_port) == (LOOPBACK[ip_family], result.local_port)
    assert (result.answered_by, result.local) == (identity.HOST, LOOPBACK[ip_family])
    assert result.latency is not None
    assert 0 < result.latency <= result.elapsed


@families
def test_tcp_carries_more_than_any_buffer(ip_family: Family) -> None:
    """Uploads wait for room, downloads come in pieces."""

    async def scenario() -> FlowResult:
        port, size = free_port(), 8_000_000
        async with serving(f"tcp/{port}"):
            return (await tried(spec("tcp", ip_family, port, upload=size, download=size)))[0]

    assert run(scenario()).event == Event.ECHOED


@families
def test_tcp_connection_can_be_held_open(ip_family: Family) -> None:
    """Its last byte is sent late, and answered; a datagram is not held."""
    times = {"hold": 0.4, "upload": 10}

    async def scenario() -> list[FlowResult]:
        ports = free_port(), free_port()
        port_specs = dict(zip(("tcp", "udp"), ports, strict=True))
        async with serving(*(f"{name}/{port}" for name, port in port_specs.items())):
            return await tried(*(spec(n, ip_family, p, **times) for n, p in port_specs.items()))

    held, quick = run(scenario())

    assert (held.event, quick.event) == (Event.ECHOED, Event.ECHOED)
    assert held.latency is not None
    assert held.latency >= 0.4 > quick.elapsed


@families
def test_udp_answer_is_no_larger_than_its_question(ip_family: Family) -> None:
    """A server that answered a small datagram with a large one would amplify attacks."""

    async def scenario() -> FlowResult:
        port = free_port()
        async with serving(f"udp/{port}"):
            return (await tried(spec("udp", ip_family, port, upload=10, download=10_000)))[0]

    assert run(scenario()).event == Event.ECHOED


@families
@both
def test_source_port_can_be_chosen(ip_family: Family, name: str) -> None:
    """The server sees it."""
    port, own = free_port(), free_port()

    async def scenario() -> FlowResult:
        async with serving(f"{name}/{port}"):
            return (await tried(spec(name, ip_family, port, source_port=own)))[0]

    result = run(scenario())

    assert (result.event, result.peer_port, result.local_port) == (Event.ECHOED, own, own)


@families
@both
def test_flows_take_source_ports_in_turn(ip_family: Family, name: str) -> None:
    """One that connection tracking may still know does not come again for long."""
    port, times = free_port(), 300

    async def scenario() -> list[FlowResult]:
        async with serving(f"{name}/{port}"):
            return await tried(*(spec(name, ip_family, port) for _ in range(times)))

    ports = SOURCE_PORTS
    began = ports.next
    used = [result.local_port for result in run(scenario())]

    assert len(set(used)) == times
    turns = [(p - began) % (ports.last - ports.first + 1) for p in used]
    assert max(turns) < 2 * times


@families
def test_source_ports_in_use_are_passed_over(
    ip_family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever holds them; and after the last comes the first."""
    family = socket.AF_INET if ip_family is Family.IPV4 else socket.AF_INET6
    ports = SourcePorts()
    monkeypatch.setattr(ports, "first", ports.last - 40)
    monkeypatch.setattr(ports, "next", ports.last - 1)
    taken = []
    for _ in range(4):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        ports.bind(sock)
        taken.append(sock)
    numbers = [sock.getsockname()[1] for sock in taken]
    ports.next = numbers[0]
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        ports.bind(sock)
        late = sock.getsockname()[1]
    for sock in taken:
        sock.close()

    assert len(set(numbers)) == 4
    assert late not in numbers
    assert all(ports.first <= number <= ports.last for number in (*numbers, late))


@families
@both
def test_closed_port_resets(ip_family: Family, name: str) -> None:
    """At once, and not by silence."""
    result = run(tried(spec(name, ip_family, free_port())))[0]

    assert (result.event, result.error) == (Event.RESET, "ECONNREFUSED")
    assert result.elapsed < 4.0


@families
def test_udp_reset_names_its_sender(ip_family: Family) -> None:
    """Type, code and source of the ICMP error."""
    result = run(tried(spec("udp", ip_family, free_port())))[0]

    numbers = (3, 3) if ip_family is Family.IPV4 else (1, 4)
    assert result.icmp == IcmpSeen(*numbers, LOOPBACK[ip_family])


@families
def test_datagram_beyond_any_limit_is_too_big(ip_family: Family) -> None:
    """The kernel refuses it; no attempt is left to learn from."""
    flow = spec("udp", ip_family, free_port(), upload=70_000, dont_fragment=True)

    result = run(tried(flow))[0]

    assert (result.event, result.error, result.sent) == (Event.TOO_BIG, "EMSGSIZE", 0)


@families
def test_icmp_echo_or_why_not(ip_family: Family) -> None:
    """Where `net.ipv4.ping_group_range` leaves this process out, no network is to blame."""
    result = run(tried(spec("icmp", ip_family, 0, upload=100)))[0]

    assert (result.event, result.error) in [(Event.ECHOED, ""), (Event.FAILED, "EACCES")]


# ---- servers that are none of ours, or broken


def answer(line: bytes, **changes: object) -> bytes:
    """The right answer to a header line, with some words changed."""
    _, nonce, _, download, _ = line.split()
    words: dict[str, object] = {
        "magic": "SIX1",
        "nonce": nonce.decode(),
        "word": "ok",
        "peer": "192.0.2.7",
        "port": 4242,
        "host": "echo",
        "download": int(download),
    }
    return (" ".join(str(w) for w in (words | changes).values()) + "\n").encode()


def body(line: bytes) -> bytes:
    """The right download."""
    _, nonce, _, download, _ = line.split()
    return wire.payload(nonce.decode(), "down", int(download))


TALKS: dict[str, tuple[Talk, str, str]] = {
    "right": (lambda q: [answer(q), body(q)], Event.ECHOED, ""),
    "right, in pieces": (
        lambda q: [answer(q)[:5], answer(q)[5:], body(q)[:3], body(q)[3:]],
        Event.ECHOED,
        "",
    ),
    "says the upload was bad": (
        lambda q: [answer(q, word="bad"), body(q)],
        Event.CORRUPTED,
        "the upload arrived changed",
    ),
    "changes the download": (
        lambda q: [answer(q), b"x" * 50],
        Event.CORRUPTED,
        "the download arrived changed",
    ),
    "announces another size": (
        lambda q: [answer(q, download=49), body(q)[:49]],
        Event.CORRUPTED,
        "the download arrived changed",
    ),
    "announces nothing": (
        lambda q: [answer(q, download=0)],
        Event.CORRUPTED,
        "the download arrived changed",
    ),
    "sends more than announced": (
        lambda q: [answer(q) + body(q) + b"!"],
        Event.CORRUPTED,
        "the download arrived changed",
    ),
    "answers another probe": (
        lambda q: [answer(q, nonce="fedcba9876543210")],
        Event.CORRUPTED,
        "not of this probe",
    ),
    "gives a port that is none": (
        lambda q: [answer(q, port="x")],
        Event.CORRUPTED,
        "not of this probe",
    ),
    "speaks HTTP": (
        lambda _: [b"HTTP/1.1 400 Bad Request\r\n"],
        Event.CORRUPTED,
        "not of this probe",
    ),
    "echoes": (lambda q: [q], Event.CORRUPTED, "not of this probe"),
    "talks without end": (lambda _: [b"x" * 300], Event.CORRUPTED, "not of this probe"),
    "closes at once": (lambda _: [], Event.CLOSED, "0 bytes of an answer"),
    "closes within the line": (lambda q: [answer(q)[:9]], Event.CLOSED, "9 bytes of an answer"),
    "closes within the download": (
        lambda q: [answer(q), body(q)[:10]],
        Event.CLOSED,
        "bytes of an answer before the end",
    ),
}


@families
@pytest.mark.parametrize(("talk", "event", "detail"), TALKS.values(), ids=list(TALKS))
def test_tcp_server_that(ip_family: Family, talk: Talk, event: str, detail: str) -> None:
    """Whatever a server says is distinguished from the right answer, and never hangs the flow."""

    async def scenario() -> FlowResult:
        async with speaking(ip_family, talk) as port:
            return (await tried(spec("tcp", ip_family, port, upload=0, download=50)))[0]

    result = run(scenario())

    assert (result.event, detail in result.detail) == (event, True), result.detail


def line_of(datagram: bytes) -> bytes:
    """The header line of a UDP probe."""
    return datagram.partition(b"\n")[0]


DATAGRAMS: dict[str, tuple[Talk, str]] = {
    "right": (lambda q: [answer(line_of(q), download=5) + body(line_of(q))[:0]], Event.CORRUPTED),
    "right, after noise": (
        lambda q: [b"noise", b"SIX1 other x\n", answer(line_of(q), download=0)],
        Event.ECHOED,
    ),
    "says the upload was bad": (
        lambda q: [answer(line_of(q), word="bad", download=0)],
        Event.CORRUPTED,
    ),
    "echoes": (lambda q: [q], Event.CORRUPTED),
    "announces a gigabyte": (
        lambda q: [answer(line_of(q), download=999_999_999)],
        Event.CORRUPTED,
    ),
    "says nothing of this probe": (lambda _: [b"noise"], Event.SILENT),
    "says nothing": (lambda _: [], Event.SILENT),
}


@families
@pytest.mark.parametrize(("talk", "event"), DATAGRAMS.values(), ids=list(DATAGRAMS))
def test_udp_server_that(ip_family: Family, talk: Talk, event: str) -> None:
    """The same for datagrams; what bears another nonce is noise of an earlier use of the port."""

    async def scenario() -> FlowResult:
        async with babbling(ip_family, talk) as port:
            wait = 0.1 if event == Event.SILENT else 5.0
            return (await tried(spec("udp", ip_family, port, wait, download=5)))[0]

    assert run(scenario()).event == event


@families
def test_tcp_server_that_never_answers_is_silent(ip_family: Family) -> None:
    """The handshake completed: the stage says so."""

    async def scenario() -> FlowResult:
        with socket.create_server((LOOPBACK[ip_family], 0), family=FAMILIES[ip_family]) as server:
            port = server.getsockname()[1]
            return (await tried(spec("tcp", ip_family, port, 0.1)))[0]

    result = run(scenario())

    assert (result.event, result.stage, result.sent) == (Event.SILENT, "exchange", 1)
    assert result.elapsed >= 0.1


FAMILIES = {Family.IPV4: socket.AF_INET, Family.IPV6: socket.AF_INET6}


@families
def test_udp_repeats_itself(ip_family: Family) -> None:
    """A lost datagram is not a verdict: attempts are spread over the first half of the wait."""
    heard: list[float] = []

    def third_time(_: bytes) -> list[bytes]:
        heard.append(asyncio.get_running_loop().time())
        return []

    async def scenario() -> FlowResult:
        async with babbling(ip_family, third_time) as port:
            return (await tried(spec("udp", ip_family, port, 0.3, attempts=3)))[0]

    result = run(scenario())

    assert (result.event, result.sent, len(heard)) == (Event.SILENT, 3, 3)


# ---- what this process cannot do


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"address": "echo.example"}, "does not appear to be an IPv4 or IPv6 address"),
        ({"nonce": "short"}, "no server would answer"),
        ({"nonce": "0123456789 abcdef"}, "no server would answer"),
        ({"nonce": "0123456789abcdef\ud800"}, "surrogates"),
        ({"upload": -1}, "no server would answer"),
        ({"download": protocol.PAYLOAD_LIMIT + 1}, "no server would answer"),
        ({"attempts": 1001}, "no server would answer"),
        ({"port": 70_000}, "port must be 0-65535"),
        ({"protocol": "sctp"}, "protocol 'sctp' is none of tcp, udp, icmp"),
    ],
    ids=["name", "short", "space", "surrogate", "minus", "too much", "often", "port", "protocol"],
)
def test_flow_that_cannot_be_is_failed(changes: dict[str, Any], said: str) -> None:
    """A mistake of the runner is reported as such before anything is sent."""
    plain = spec("tcp", Family.IPV6, 8080)
    flow = dataclasses.replace(plain, **changes)

    result = run(tried(flow))[0]

    assert (result.event, said in result.detail, result.sent) == (Event.FAILED, True, 0)


@pytest.mark.parametrize(
    ("number", "event"),
    [
        (errno.EMFILE, Event.FAILED),
        (errno.EACCES, Event.FAILED),
        (errno.EAFNOSUPPORT, Event.NO_ROUTE),
    ],
    ids=["EMFILE", "EACCES", "EAFNOSUPPORT"],
)
def test_process_without_a_socket_blames_no_network(
    monkeypatch: pytest.MonkeyPatch, number: int, event: str
) -> None:
    """Only a kernel without the family says something: it has no route."""

    def refuse(*_: object) -> socket.socket:
        raise OSError(number, os.strerror(number))

    async def scenario() -> FlowResult:
        flow = spec("udp", Family.IPV6, 8080)
        monkeypatch.setattr(socket, "socket", refuse)
        return (await tried(flow))[0]

    result = run(scenario())

    assert (result.event, result.error) == (event, errno.errorcode[number])


def attempt(kind: type[DatagramAttempt], flow: protocol.FlowSpec) -> DatagramAttempt:
    """A datagram flow whose socket is ours to play with."""
    made = kind(flow, lambda _: None)
    made.left = flow.attempts
    made.sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    return made


def raising(number: int) -> Callable[..., object]:
    """A socket call that fails."""

    def call(*_: object) -> object:
        raise OSError(number, os.strerror(number))

    return call


class Deaf:
    """A socket whose sends and receives end in one error."""

    def __init__(self, number: int) -> None:
        self.send = self.recv = raising(number)
        self.family = socket.AF_INET6

    def recvmsg(self, *_: object) -> object:
        """No extended error is kept."""
        raise BlockingIOError

    def fileno(self) -> int:
        """No descriptor of its own."""
        return 0

    def getsockname(self) -> tuple[str, int]:
        """An address."""
        return "::1", 1

    def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize(
    ("number", "changes", "event", "error"),
    [
        (errno.EPERM, {}, Event.SILENT, "EPERM"),
        (errno.EMSGSIZE, {}, Event.TOO_BIG, "EMSGSIZE"),
        (errno.EMSGSIZE, {"dont_fragment": True}, Event.TOO_BIG, "EMSGSIZE"),
        (errno.EAGAIN, {}, Event.FAILED, ""),
        (errno.ENOBUFS, {}, Event.FAILED, "ENOBUFS"),
        (errno.ENETUNREACH, {}, Event.NO_ROUTE, "ENETUNREACH"),
    ],
    ids=["own filter", "too big", "forbidden", "no room", "no buffers", "no route"],
)
def test_datagram_that_cannot_be_sent(
    number: int, changes: dict[str, int], event: str, error: str
) -> None:
    """A filter of its own is a silence to be judged; what never left is no silence."""

    async def scenario() -> FlowResult | None:
        made = UdpAttempt(spec("udp", Family.IPV6, 9, **{"attempts": 3, **changes}), DONE)
        made.left = made.spec.attempts
        made.sock = Deaf(number)  # type: ignore[assignment]
        for _ in range(made.spec.attempts):
            if made.result is None:
                made.again()
        if made.result is None:
            made.silent()
        return made.result

    result = run(scenario())

    assert result is not None
    assert (result.event, result.error, result.sent) == (event, error, 0)


@pytest.mark.parametrize(("attempts", "ended"), [(1, True), (2, False)])
def test_path_mtu_learned_gives_the_next_attempt_a_chance(attempts: int, ended: bool) -> None:
    """An ICMP error about the size ends a flow only if nothing will be sent any more."""

    async def scenario() -> bool:
        made = UdpAttempt(spec("udp", Family.IPV6, 9, attempts=attempts), DONE)
        made.left = attempts - 1  # one was sent
        made.sock = Deaf(errno.EMSGSIZE)  # type: ignore[assignment]
        made.readable()
        return made.result is not None

    assert run(scenario()) is ended


def DONE(_: Attempt) -> None:  # noqa: N802 - a constant in the shape of a callback
    """Nobody waits."""


@pytest.mark.parametrize("name", ["tcp", "udp"])
def test_socket_that_has_nothing_yet_is_waited_for(name: str) -> None:
    """A wake-up without data is no end."""

    async def scenario() -> list[FlowResult | None]:
        made = ATTEMPTS[name](spec(name, Family.IPV6, 9), DONE)
        made.sock = Deaf(errno.EAGAIN)  # type: ignore[assignment]
        assert isinstance(made, (TcpAttempt, UdpAttempt))
        made.readable()
        return [made.result]

    assert run(scenario()) == [None]


@pytest.mark.parametrize("call", ["readable", "writable"])
def test_connection_that_breaks_is_reset(call: str) -> None:
    """Whether it shows while sending or while receiving."""

    async def scenario() -> FlowResult | None:
        made = TcpAttempt(spec("tcp", Family.IPV6, 9), DONE)
        made.stage, made.sent = "exchange", 1
        made.pending, made.buffer = memoryview(b"x"), bytearray()
        made.sock = Deaf(errno.ECONNRESET)  # type: ignore[assignment]
        getattr(made, call)()
        made.finish(Event.SILENT)  # too late: a flow ends once
        return made.result

    result = run(scenario())

    assert result is not None
    assert (result.event, result.error, result.stage) == (Event.RESET, "ECONNRESET", "exchange")


# ---- echo requests, without a socket


def reply(data: bytes, kind: int) -> bytes:
    """The echo reply to a request: another type, an identifier of the kernel."""
    return struct.pack("!BB", kind, 0) + data[2:]


@families
@pytest.mark.parametrize(
    ("change", "event"),
    [
        (lambda d: d, Event.ECHOED),
        (lambda d: d[:-1] + bytes([d[-1] ^ 1]), Event.CORRUPTED),
        (lambda d: d[:-1], Event.CORRUPTED),
        (lambda d: d[:7], None),
        (lambda d: b"\x03" + d[1:], None),
        (lambda d: d[:8] + b"x" + d[9:], None),
    ],
    ids=["right", "changed", "cut", "short", "another type", "another's"],
)
def test_echo_reply(ip_family: Family, change: Callable[[bytes], bytes], event: str | None) -> None:
    """Only the own data makes an echo; what is of another is ignored."""
    kind = ICMP_ECHO_REPLY if ip_family is Family.IPV4 else ICMPV6_ECHO_REPLY

    async def scenario() -> str | None:
        made = attempt(IcmpAttempt, spec("icmp", ip_family, 0, upload=20))
        with made.sock or socket.socket():
            made.answered(change(reply(made.packet(), kind)))
        return made.result.event if made.result else None

    assert run(scenario()) == event


def test_echo_request_of_ipv4_has_its_checksum() -> None:
    """The kernel fills it in for ICMPv6 only."""

    async def scenario() -> bytes:
        made = attempt(IcmpAttempt, spec("icmp", Family.IPV4, 0, upload=21))
        with made.sock or socket.socket():
            return made.packet()

    assert checksum(run(scenario())) == 0


# ---- ICMP errors that the kernel kept


def extended(origin: int, number: int = errno.EHOSTUNREACH, info: int = 0) -> bytes:
    """An extended error as the kernel hands it out, of a sender 192.0.2.1."""
    sender = struct.pack("=HH4s8x", socket.AF_INET, 0, bytes([192, 0, 2, 1]))
    return struct.pack("=IBBBBII", number, origin, 3, 13, 0, info, 0) + sender


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        ([extended(2)], IcmpSeen(3, 13, "192.0.2.1")),
        ([extended(3)], IcmpSeen(3, 13, "192.0.2.1")),
        ([extended(2, errno.EMSGSIZE, 1400)], IcmpSeen(3, 13, "192.0.2.1", 1400)),
        ([extended(1)], None),
        ([b"short", extended(2)], IcmpSeen(3, 13, "192.0.2.1")),
        ([], None),
    ],
    ids=["ICMP", "ICMPv6", "path MTU", "local", "another message", "none"],
)
def test_icmp_error_is_reported(data: list[bytes], seen: IcmpSeen | None) -> None:
    """Type, code, sender and MTU; errors of the own kernel have none."""

    class Kept(Deaf):
        def recvmsg(self, *_: object) -> object:
            return b"", [(0, 11, d) for d in data], 0, None

    async def scenario() -> IcmpSeen | None:
        made = UdpAttempt(spec("udp", Family.IPV4, 9), DONE)
        made.sock = Kept(0)  # type: ignore[assignment]
        return made.icmp_error()

    assert run(scenario()) == seen


# ---- batches


@families
def test_batch_larger_than_its_room_comes_in_order(ip_family: Family) -> None:
    """Flows beyond the limit of open files wait for a place."""

    async def scenario() -> tuple[list[str], list[FlowResult]]:
        port = free_port()
        async with serving(f"tcp/{port}"):
            flows = [spec("tcp", ip_family, port) for _ in range(200)]
            batch = Batch(flows)
            batch.room = 20
            return [f.nonce for f in flows], await batch.run()

    nonces, results = run(scenario())

    assert [r.nonce for r in results] == nonces
    assert {r.event for r in results} == {Event.ECHOED}


def test_batch_of_nothing_ends_at_once() -> None:
    """And so does one in which nothing can be tried."""
    flows = [spec("sctp", Family.IPV6, 9) for _ in range(100)]

    assert run(tried()) == []
    assert {r.event for r in run(tried(*flows))} == {Event.FAILED}


def test_silences_of_a_batch_wait_together() -> None:
    """200 of them take one wait."""

    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        async with babbling(Family.IPV6, lambda _: []) as port:
            began = loop.time()
            await tried(*(spec("udp", Family.IPV6, port, 0.3) for _ in range(200)))
            return loop.time() - began

    assert run(scenario()) < 2.0


def test_cancelled_batch_tries_nothing_more() -> None:
    """When the runner is gone, what waits is not sent."""

    async def scenario() -> int:
        async with babbling(Family.IPV6, lambda _: []) as port:
            batch = Batch([spec("udp", Family.IPV6, port, 1.0) for _ in range(100)])
            batch.room = 10
            running = asyncio.ensure_future(batch.run())
            await asyncio.sleep(0.05)
            running.cancel()
            await asyncio.sleep(1.4)
            return sum(r is not None for r in batch.results)

    assert run(scenario()) == 10


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 524_288), (FILE_LIMIT, 524_288)),
        ((1024, 4096), (4096, 4096)),
        ((1024, resource.RLIM_INFINITY), (FILE_LIMIT, resource.RLIM_INFINITY)),
        ((1_000_000, 1_000_000), None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None),
    ],
    ids=["containerd 2", "low", "unlimited", "high", "none"],
)
def test_limit_of_files_is_raised_as_far_as_useful(
    monkeypatch: pytest.MonkeyPatch, before: tuple[int, int], after: tuple[int, int] | None
) -> None:
    """Newer container runtimes give 1024 files, which a batch of 600 flows would exceed."""
    changed: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: before)
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: changed.append(limits))

    allow_more_files()

    assert changed == ([after] if after else [])
