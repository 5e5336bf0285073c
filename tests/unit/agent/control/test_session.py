"""The runner on the agent's Unix socket: requests side by side, and whatever else it may send."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sixproof.agent import identity, protocol
from sixproof.agent.control.serve import main, serve
from sixproof.agent.control.session import Session
from sixproof.agent.files import read
from sixproof.agent.protocol import Event
from sixproof.agent.server.ports import Server
from sixproof.agent.wire import Seal
from sixproof.agent.witness.facts import inspected, rss_kib
from sixproof.model import Family
from tests.unit.agent.agents_on_loopback import babbling, free_port, run, spec, tried


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the agent listens for its runner."""
    return tmp_path / "agent.sock"


class Runner:
    """A connection to the agent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.number = 0

    def send(self, request: object) -> int:
        """Send a request; its number."""
        self.number += 1
        self.writer.write(protocol.encode_request(self.number, request))
        return self.number

    async def heard(self) -> dict[str, Any]:
        """The next line of the agent."""
        return protocol.decode_line(await self.reader.readline())

    async def ask(self, request: object, kind: type[Any]) -> Any:
        """One request and its answer."""
        number = self.send(request)
        value = await self.heard()
        assert (value["id"], "error" in value) == (number, False), value
        return protocol.decode(kind, value["ok"])


@contextlib.asynccontextmanager
async def an_agent(path: Path, *port_specs: str) -> AsyncIterator[Runner]:
    """An agent that serves, stopped as kubelet stops it, and a runner connected to it."""
    stops: list[Any] = []
    loop: Any = asyncio.get_running_loop()
    loop.add_signal_handler = lambda _, stop: stops.append(stop)
    serving = asyncio.ensure_future(serve(str(path), port_specs))
    while not stops:
        await asyncio.sleep(0.001)
        if serving.done():
            serving.result()
    reader, writer = await asyncio.open_unix_connection(str(path), limit=1 << 24)
    try:
        yield Runner(reader, writer)
    finally:
        writer.close()
        stops[0]()
        await serving
        await asyncio.sleep(0.01)


def test_agent_introduces_itself(path: Path) -> None:
    """Who, where, since when, how large, and on which ports it serves."""
    port = free_port()

    async def scenario() -> protocol.Welcome:
        async with an_agent(path, f"tcp6/{port}") as runner:
            return await runner.ask(protocol.Hello(), protocol.Welcome)  # type: ignore[no-any-return]

    welcome = run(scenario())

    assert (welcome.host, welcome.pid) == (identity.HOST, os.getpid())
    assert welcome.listening == [f"tcp/[::]:{port}"]
    assert welcome.rss_kib > 1000
    assert 0 <= welcome.uptime < 20


def test_socket_is_there_once_every_port_listens(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever finds it, as kubelet's hook does, finds all ports open: ready means listening."""
    there: list[bool] = []
    listen = Server._listen

    async def watched(server: Server, *arguments: Any) -> None:
        await listen(server, *arguments)
        there.append(path.exists())

    monkeypatch.setattr(Server, "_listen", watched)

    async def scenario() -> None:
        async with an_agent(path, f"tcp/{free_port()}", f"udp/{free_port()}"):
            there.append(path.exists())

    run(scenario())

    assert there == [False] * 4 + [True]


def test_request_with_another_key_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them: an agent that ignores the run's probes has nothing to testify."""

    async def scenario() -> str:
        async with an_agent(path) as runner:
            monkeypatch.setattr("sixproof.agent.identity.SEAL", Seal(b"another"))
            runner.send(protocol.Ping())
            return str((await runner.heard())["error"])

    assert "another key" in run(scenario())


def test_heart_beat_reports_what_was_ignored(path: Path) -> None:
    """Datagrams and connections, since the agent began."""
    port = free_port()

    async def scenario() -> protocol.Pong:
        async with an_agent(path, f"udp/{port}") as runner:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                sock.sendto(b"noise", ("::1", port))
            await tried(spec("udp", Family.IPV6, port))
            return await runner.ask(protocol.Ping(), protocol.Pong)  # type: ignore[no-any-return]

    pong = run(scenario())

    assert (pong.foreign_datagrams, pong.foreign_connections) == (1, 0)


def test_what_is_not_served_is_reported(
    path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In Welcome and in the container's log."""
    port = free_port()
    listen = Server._listen

    async def without(server: Server, name: str, family: int, *more: Any) -> None:
        if family == socket.AF_INET:
            raise OSError(errno.EAFNOSUPPORT, "no such family")
        await listen(server, name, family, *more)

    monkeypatch.setattr(Server, "_listen", without)

    async def scenario() -> protocol.Welcome:
        async with an_agent(path, f"tcp/{port}") as runner:
            return await runner.ask(protocol.Hello(), protocol.Welcome)  # type: ignore[no-any-return]

    (served, problem) = run(scenario()).listening

    assert (served, problem.startswith("not tcp/")) == (f"tcp/[::]:{port}", True)
    assert "not serving tcp/" in capfd.readouterr().err


def test_port_in_other_hands_ends_the_agent(
    path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Before it opens its socket: its pod is never ready, and its last words say why."""
    monkeypatch.setattr("sixproof.agent.identity.SEAL", Seal(b"a key"))
    monkeypatch.setattr("sixproof.agent.server.ports.TAKEN", 0.2)
    with socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::", 0))
        taken.listen()
        port_spec = f"tcp6/{taken.getsockname()[1]}"

        assert main(["serve", str(path), port_spec]) == 1
    assert not path.exists()
    assert f"not serving {port_spec} on ::: Address already in use" in capfd.readouterr().err


def test_batch_is_probed_and_its_arrivals_are_evidence(path: Path) -> None:
    """The agent as client and as witness of the same flows."""
    port = free_port()
    flows = [spec(name, family, port) for family in Family for name in ("tcp", "udp")]
    controls = [protocol.Control(f.protocol, f.address, f.port) for f in flows]
    closed = protocol.Control("tcp", "::1", free_port())

    async def scenario() -> tuple[protocol.Probed, protocol.EvidenceFound]:
        async with an_agent(path, f"tcp/{port}", f"udp/{port}") as runner:
            probed = await runner.ask(protocol.Probe(flows), protocol.Probed)
            nonces = [f.nonce for f in flows] + ["unseen"]
            question = protocol.Evidence(nonces, [*controls, closed], 1.0)
            return probed, await runner.ask(question, protocol.EvidenceFound)

    probed, found = run(scenario())

    assert {r.event for r in probed.results} == {Event.ECHOED}
    assert [a.nonce for a in found.arrivals] == [f.nonce for f in flows]
    assert [(c.answered, c.failure) for c in found.controls] == [
        (True, ""),
        (True, ""),
        (True, ""),
        (True, ""),
        (False, "reset ECONNREFUSED"),
    ]
    assert (found.half_open, 0 <= found.uptime < 20) == ([], True)


def test_evidence_reports_a_stall_anywhere_in_its_window(path: Path) -> None:
    """A server that slept before it was asked has slept all the same."""

    async def scenario() -> tuple[float, float]:
        async with an_agent(path) as runner:
            await asyncio.sleep(0.1)
            time.sleep(0.4)  # the stall
            await asyncio.sleep(0.2)
            now = await runner.ask(protocol.Evidence([], [], 0.0), protocol.EvidenceFound)
            window = await runner.ask(protocol.Evidence([], [], 5.0), protocol.EvidenceFound)
            return now.lag, window.lag

    now, window = run(scenario())

    assert now < 0.3 < window


def test_heart_beat_reports_the_lag_since_the_last(path: Path) -> None:
    """Each stall once."""

    async def scenario() -> list[float]:
        async with an_agent(path) as runner:
            await asyncio.sleep(0.1)
            time.sleep(0.4)  # the stall
            await asyncio.sleep(0.2)
            return [(await runner.ask(protocol.Ping(), protocol.Pong)).lag for _ in range(2)]

    first, second = run(scenario())

    assert second < 0.3 < first


def test_requests_work_side_by_side(path: Path) -> None:
    """A quick one does not wait for a slow one."""

    async def scenario() -> list[int]:
        async with an_agent(path) as runner, babbling(Family.IPV6, lambda _: []) as port:
            slow = runner.send(protocol.Probe([spec("udp", Family.IPV6, port, 0.5)]))
            quick = runner.send(protocol.Ping())
            numbers = [(await runner.heard())["id"] for _ in range(2)]
            assert numbers == [quick, slow]
            return numbers

    assert run(scenario()) == [2, 1]


def test_more_requests_than_places_are_all_answered(path: Path) -> None:
    """The rest waits to be read."""

    async def scenario() -> int:
        async with an_agent(path) as runner, babbling(Family.IPV6, lambda _: []) as port:
            wanted = 2 * Session.IN_FLIGHT
            for _ in range(wanted):
                runner.send(protocol.Probe([spec("udp", Family.IPV6, port, 0.2)]))
            return len({(await runner.heard())["id"] for _ in range(wanted)})

    assert run(scenario()) == 2 * Session.IN_FLIGHT


@pytest.mark.parametrize(
    ("line", "number", "reason"),
    [
        (b"hello\n", 0, "not JSON"),
        (b'{"v":9,"id":4,"do":"ping"}\n', 0, "protocol version 9"),
        (b'{"v":1,"id":4,"do":"exec"}\n', 4, "unknown request 'exec'"),
        (b'{"v":1,"id":4,"do":"probe","flows":7}\n', 4, "flows: expected a list"),
    ],
    ids=["no JSON", "version", "unknown", "malformed"],
)
def test_foreign_line_is_answered_with_an_error(
    path: Path, line: bytes, number: int, reason: str
) -> None:
    """And the session goes on."""

    async def scenario() -> tuple[int, str, Any]:
        async with an_agent(path) as runner:
            runner.writer.write(line)
            value = await runner.heard()
            runner.number = 10
            return value["id"], value["error"], await runner.ask(protocol.Ping(), protocol.Pong)

    said = run(scenario())

    assert (said[0], reason in said[1]) == (number, True), said[1]


def test_line_without_end_ends_the_session(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a word to the runner; the agent lives on."""
    monkeypatch.setattr(protocol, "LINE_LIMIT", 1000)

    async def scenario() -> tuple[dict[str, Any], bytes, Any]:
        async with an_agent(path) as runner:
            runner.writer.write(b"x" * 5000 + b"\n")
            value, end = await runner.heard(), await runner.reader.read()
            reader, writer = await asyncio.open_unix_connection(str(path))
            answer = await Runner(reader, writer).ask(protocol.Ping(), protocol.Pong)
            writer.close()
            return value, end, answer

    value, end, _ = run(scenario())

    assert (value["id"], value["error"], end) == (0, "line too long", b"")


def test_trouble_within_a_request_is_an_error_of_that_request(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the end of the agent."""

    def broken() -> protocol.Inspected:
        raise ValueError("a line of /proc that nobody knows")

    monkeypatch.setattr("sixproof.agent.witness.facts.inspected", broken)

    async def scenario() -> str:
        async with an_agent(path) as runner:
            runner.send(protocol.Inspect())
            return str((await runner.heard())["error"])

    assert run(scenario()) == "ValueError: a line of /proc that nobody knows"


def test_unforeseen_trouble_is_printed(
    path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The container's log holds it; the request stays unanswered and the session goes on."""

    def broken() -> protocol.Inspected:
        raise RuntimeError("never seen before")

    monkeypatch.setattr("sixproof.agent.witness.facts.inspected", broken)

    async def scenario() -> protocol.Pong:
        async with an_agent(path) as runner:
            runner.send(protocol.Inspect())
            return await runner.ask(protocol.Ping(), protocol.Pong)  # type: ignore[no-any-return]

    run(scenario())

    assert "agent: RuntimeError('never seen before')" in capfd.readouterr().err


def test_runner_that_goes_leaves_nothing_running(path: Path) -> None:
    """What it asked is dropped, and the next runner is served."""

    async def scenario() -> tuple[int, Any]:
        async with an_agent(path) as runner, babbling(Family.IPV6, lambda _: []) as port:
            before = len(asyncio.all_tasks())
            reader, writer = await asyncio.open_unix_connection(str(path))
            other = Runner(reader, writer)
            other.send(protocol.Probe([spec("udp", Family.IPV6, port, 0.3)]))
            await asyncio.sleep(0.1)
            during = len(asyncio.all_tasks())
            writer.close()
            await asyncio.sleep(0.1)
            left = during - len(asyncio.all_tasks())
            assert before < during
            answer = await runner.ask(protocol.Ping(), protocol.Pong)
            await asyncio.sleep(0.3)
            return left, answer

    assert run(scenario())[0] >= 1


def test_socket_of_a_dead_agent_is_replaced(path: Path) -> None:
    """A restarted container finds the file of its predecessor; only the owner may connect."""
    path.touch()

    async def scenario() -> int:
        async with an_agent(path) as runner:
            await runner.ask(protocol.Ping(), protocol.Pong)
            return stat.S_IMODE(path.stat().st_mode)

    assert run(scenario()) == 0o600


IF_INET6 = """\
20010db8000000000000000000000001 02 40 00 c8     eth0
fe800000000000000000000000000001 02 40 20 80     eth0
"""


def test_pod_s_own_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses with their flags by name, MTUs, counters, sysctls and resolver."""
    files = {
        "/proc/net/if_inet6": IF_INET6,
        "/proc/net/snmp6": "Ip6InReceives \t 42\nIp6OutNoRoutes 7\nodd line here\n",
        "/sys/class/net/eth0/mtu": "1430\n",
        "/sys/class/net/lo/mtu": "",
        "/proc/sys/net/ipv6/conf/all/disable_ipv6": "0\n",
        "/etc/resolv.conf": "nameserver 2001:db8::53\n",
    }
    monkeypatch.setattr("sixproof.agent.files.read", lambda path: files.get(path, ""))
    monkeypatch.setattr(os, "listdir", lambda _: ["lo", "eth0"])

    facts = inspected()

    assert [(a.address, a.prefix, a.flags) for a in facts.ipv6] == [
        ("2001:db8::1", 64, ["dadfailed", "tentative", "permanent"]),
        ("fe80::1", 64, ["permanent"]),
    ]
    assert (facts.mtus, facts.counters) == (
        {"eth0": 1430},
        {"Ip6InReceives": 42, "Ip6OutNoRoutes": 7},
    )
    assert facts.sysctls["net/ipv6/conf/all/disable_ipv6"] == "0"
    assert facts.resolv_conf == "nameserver 2001:db8::53\n"


def test_pod_without_any_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """No IPv6 in the kernel, no /sys: empty, not an error."""

    def nothing(_: str) -> list[str]:
        raise FileNotFoundError

    monkeypatch.setattr("sixproof.agent.files.read", lambda _: "")
    monkeypatch.setattr(os, "listdir", nothing)

    facts = inspected()

    assert (facts.mtus, facts.ipv6, facts.counters, rss_kib()) == ({}, [], {}, 0)


def test_file_that_cannot_be_read_is_empty(tmp_path: Path) -> None:
    """Read as text whatever it holds."""
    (tmp_path / "odd").write_bytes(b"\xff1500")

    assert (read(str(tmp_path / "none")), read(str(tmp_path / "odd"))) == ("", "�1500")


def test_wrong_call_shows_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """The container ends with status 2."""
    assert main(["listen"]) == 2
    assert "usage: python3 -m sixproof.agent serve SOCKET PORT..." in capsys.readouterr().err
