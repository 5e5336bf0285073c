"""The agent's server: ports, families, the arrival log, and clients that are none of ours."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import pytest

from sixproof.agent import identity
from sixproof.agent.server.echo import EchoDatagrams
from sixproof.agent.server.log import Log
from sixproof.agent.server.ports import Server
from sixproof.model import Family
from tests.unit.agent.agents_on_loopback import LOOPBACK, free_port, run, serving, spec, tried

NONCE = "0123456789abcdef"

families = pytest.mark.parametrize("ip_family", Family, ids=str)


@pytest.mark.parametrize(
    ("port_spec", "listening"),
    [
        ("tcp", ["tcp/0.0.0.0:{}", "tcp/[::]:{}"]),
        ("udp", ["udp/0.0.0.0:{}", "udp/[::]:{}"]),
        ("tcp4", ["tcp/0.0.0.0:{}"]),
        ("udp6", ["udp/[::]:{}"]),
    ],
)
def test_port_opens_in_its_families(port_spec: str, listening: list[str]) -> None:
    """Both, or the one that is named."""
    port = free_port()

    async def scenario() -> list[str]:
        async with serving(f"{port_spec}/{port}") as server:
            return server.listening

    assert run(scenario()) == [text.format(port) for text in listening]


@families
@pytest.mark.parametrize("name", ["tcp", "udp"])
def test_server_of_one_family_refuses_the_other(ip_family: Family, name: str) -> None:
    """As an application does that listens on one address only."""
    port = free_port()

    async def scenario() -> list[str]:
        async with serving(f"{name}{ip_family.version}/{port}"):
            flows = [spec(name, family, port) for family in (ip_family, ip_family.other)]
            return [r.event for r in await tried(*flows)]

    assert run(scenario()) == ["echoed", "reset"]


def test_port_that_stays_in_use_leaves_the_server_incomplete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever holds it would be taken for the agent."""
    monkeypatch.setattr("sixproof.agent.server.ports.TAKEN", 0.2)

    async def scenario() -> tuple[list[str], list[str], bool]:
        with socket.socket(socket.AF_INET) as taken:
            taken.bind(("0.0.0.0", 0))  # noqa: S104 - as the server does
            taken.listen()
            port = taken.getsockname()[1]
            async with serving(f"tcp/{port}") as server:
                problems = [p.replace(str(port), "PORT") for p in server.problems]
                return server.listening, problems, server.complete

    listening, problems, complete = run(scenario())

    assert (len(listening), complete) == (1, False)
    assert problems == ["tcp/PORT on 0.0.0.0: Address already in use"]


def test_port_that_becomes_free_is_served() -> None:
    """As where the agent of a run that is just over ends a moment later."""

    async def scenario() -> tuple[list[str], bool]:
        taken = socket.socket(socket.AF_INET6)
        taken.bind(("::", 0))
        taken.listen()
        port = taken.getsockname()[1]
        asyncio.get_running_loop().call_later(0.3, taken.close)
        async with serving(f"tcp6/{port}") as server:
            return [name.replace(str(port), "PORT") for name in server.listening], server.complete

    assert run(scenario()) == (["tcp/[::]:PORT"], True)


def test_protocol_that_is_not_served_leaves_the_server_incomplete() -> None:
    """It is named, with those that are."""

    async def scenario() -> tuple[list[str], list[str], bool]:
        async with serving("sctp/8080", "tcp5/8080") as server:
            return server.listening, server.problems, server.complete

    assert run(scenario()) == (
        [],
        [
            "sctp/8080: protocol 'sctp' is none of tcp, udp",
            "tcp5/8080: protocol 'tcp5' is none of tcp, udp",
        ],
        False,
    )


def test_family_that_the_pod_lacks_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one is served, and nothing is missing."""
    port, listen = free_port(), Server._listen

    async def without(server: Server, name: str, family: int, *more: Any) -> None:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        await listen(server, name, family, *more)

    monkeypatch.setattr(Server, "_listen", without)

    async def scenario() -> tuple[list[str], int, bool]:
        async with serving(f"udp/{port}") as server:
            return server.listening, len(server.problems), server.complete

    assert run(scenario()) == ([f"udp/0.0.0.0:{port}"], 1, True)


@families
@pytest.mark.parametrize("name", ["tcp", "udp"])
def test_arrivals_are_logged_with_both_ends(ip_family: Family, name: str) -> None:
    """From where, at which local address and port."""
    port = free_port()

    async def scenario() -> list[object]:
        async with serving(f"{name}/{port}") as server:
            flow = spec(name, ip_family, port)
            (result,) = await tried(flow)
            (arrival,) = server.log.of([flow.nonce, "another"])
            return [
                arrival.protocol == name,
                (arrival.peer, arrival.peer_port) == (result.local, result.local_port),
                (arrival.local, arrival.local_port) == (LOOPBACK[ip_family], port),
            ]

    assert run(scenario()) == [True, True, True]


async def said(family: Family, port: int, data: bytes) -> bytes:
    """What a TCP client that says something gets back until the end."""
    reader, writer = await asyncio.open_connection(LOOPBACK[family], port)
    try:
        writer.write(data)
        await writer.drain()
        writer.write_eof()
        return await reader.read()
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()


@families
@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"SIX1 0123456789abcdef 0 1e9\n",
        b"SIX1 0123456789abcdef 0 99999999999\n",
        b"x" * 1000,
        b"x" * 1000 + b"\n",
        b"\n",
    ],
    ids=["HTTP", "no number", "too much", "no end", "late end", "empty"],
)
def test_foreign_tcp_client_is_cut_off(ip_family: Family, data: bytes) -> None:
    """Without an answer and without an entry in the log."""
    port = free_port()

    async def scenario() -> tuple[bytes, int]:
        async with serving(f"tcp/{port}") as server:
            return await said(ip_family, port, data), len(server.log._arrivals)

    answer, arrivals = run(scenario())

    assert (answer in (b"", b"reset"), arrivals) == (True, 0)


@families
def test_upload_that_differs_is_reported(ip_family: Family) -> None:
    """The server knows what must arrive."""
    port = free_port()

    async def scenario() -> bytes:
        async with serving(f"tcp/{port}"):
            return await said(ip_family, port, identity.SEAL.line(NONCE, 4, 0) + b"evil")

    assert run(scenario()).split()[2] == b"bad"


@families
def test_connection_does_not_last_for_ever(
    ip_family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that says nothing is dropped, so that nothing piles up."""
    monkeypatch.setattr("sixproof.agent.server.echo.IDLE_LIMIT", 0.1)
    port = free_port()

    async def scenario() -> bytes:
        async with serving(f"tcp/{port}"):
            reader, writer = await asyncio.open_connection(LOOPBACK[ip_family], port)
            try:
                return await reader.read()
            except ConnectionError:
                return b""
            finally:
                writer.close()

    assert run(scenario()) == b""


@families
def test_of_too_many_silent_connections_the_oldest_ends(
    ip_family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A held connection of this run, which has said who it is, is none of them."""
    monkeypatch.setattr("sixproof.agent.server.echo.MOST_UNIDENTIFIED", 2)
    port = free_port()

    async def scenario() -> tuple[list[bytes], int]:
        async with serving(f"tcp/{port}") as server:
            held_reader, held = await asyncio.open_connection(LOOPBACK[ip_family], port)
            held.write(identity.SEAL.line(NONCE, 1, 0))
            while not server.log.of([NONCE]):
                await asyncio.sleep(0.01)
            strangers = [await asyncio.open_connection(LOOPBACK[ip_family], port) for _ in range(3)]
            first = await strangers[0][0].read(1)
            held.write(b"x")
            answer = await held_reader.read()
            late = await said(ip_family, port, identity.SEAL.line(NONCE[::-1], 0, 0))
            for _, writer in [*strangers, (held_reader, held)]:
                writer.close()
            return [first, answer.split()[0], late.split()[0]], server.log.foreign["tcp"]

    assert run(scenario()) == ([b"", b"SIX1", b"SIX1"], 2)


@families
@pytest.mark.parametrize(
    "data", [b"", b"noise", b"SIX1 short 0 0\n", b"\n", b"x" * 1000 + b"\n"], ids=range(5)
)
def test_foreign_datagram_is_not_answered(ip_family: Family, data: bytes) -> None:
    """Nor logged."""
    port = free_port()

    async def scenario() -> int:
        async with serving(f"udp/{port}") as server:
            kind = socket.AF_INET6 if ip_family is Family.IPV6 else socket.AF_INET
            with socket.socket(kind, socket.SOCK_DGRAM) as sock:
                sock.sendto(data, (LOOPBACK[ip_family], port))
                await tried(spec("udp", ip_family, port))  # by its answer the first was read
                sock.settimeout(0)
                with pytest.raises(BlockingIOError):
                    sock.recv(100)
            return len(server.log._arrivals)

    assert run(scenario()) == 1


class Datagrams:
    """A socket of the server that first fails, then has a datagram, then nothing."""

    family = socket.AF_INET6

    def __init__(self, errors: list[Exception]) -> None:
        self.errors = errors
        self.sent: list[object] = []

    def recvmsg(self, *_: object) -> tuple[bytes, list[object], int, tuple[str, int]]:
        """The next thing that happens."""
        if self.errors:
            raise self.errors.pop(0)
        self.errors = [BlockingIOError()]
        return identity.SEAL.line(NONCE, 0, 0), [], 0, ("::1", 4242)

    def sendmsg(self, *arguments: object) -> None:
        """An answer that cannot be sent."""
        self.sent.append(arguments)
        raise OSError

    def getsockname(self) -> tuple[str, int]:
        """Where it listens."""
        return "::", 8080


def test_error_of_an_earlier_answer_does_not_stop_the_server() -> None:
    """Nor does an answer that cannot be sent; the arrival is logged all the same."""
    log = Log()
    sock = Datagrams([OSError()])

    EchoDatagrams(log, sock).readable()  # type: ignore[arg-type]

    assert (len(sock.sent), [a.local for a in log.of([NONCE])]) == (1, [""])


def test_flood_does_not_keep_the_server_from_its_other_work() -> None:
    """A bounded number of datagrams at a time."""
    sock = Datagrams([OSError() for _ in range(1000)])

    EchoDatagrams(Log(), sock).readable()  # type: ignore[arg-type]

    assert len(sock.errors) == 1000 - 64
