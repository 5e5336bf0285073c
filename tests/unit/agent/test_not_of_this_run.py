"""What is not of this run: it gets no answer, costs next to nothing, and is counted."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ipaddress
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixproof.agent import identity, protocol, wire
from sixproof.agent.control.serve import main
from sixproof.agent.wire import Header, Seal
from sixproof.errors import AgentError
from sixproof.kube.channel.agents import Agents
from sixproof.kube.channel.channel import Stream
from sixproof.model import Endpoint, EndpointKind, Family, Flow, Outcome, Protocol
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions
from sixproof.workloads.probe_pods import delivery, outside
from sixproof.workloads.probe_pods.outside import OutsideLauncher, OutsidePlace
from sixproof.workloads.probe_pods.ports import PortSpec
from tests.delivered import deliver
from tests.unit.agent.agents_on_loopback import (
    DOMAIN,
    LOOPBACK,
    free_port,
    run,
    serving,
    spec,
    tried,
)

OURS, OTHERS = Seal(b"the key of this run"), Seal(b"the key of another run")
CLAIM = b"SIX1 abcdefgh00 67108864 0\n"
families = pytest.mark.parametrize("ip_family", Family, ids=str)
both = pytest.mark.parametrize("name", ["tcp", "udp"])


# ---- the tag


@given(st.text("abc0189", min_size=8, max_size=64), st.integers(0, 9999), st.integers(0, 9999))
def test_a_line_is_read_by_who_holds_its_key(nonce: str, upload: int, download: int) -> None:
    """And by nobody else."""
    line = OURS.line(nonce, upload, download, digits=5)

    assert OURS.header(line[:-1]) == Header(nonce, upload, download)
    assert OTHERS.header(line[:-1]) is None


@given(st.integers(0, 50), st.integers(1, 255))
def test_a_tag_covers_the_whole_line(place: int, change: int) -> None:
    """Nonce, sizes and tag: not one bit of them may differ."""
    line = bytearray(OURS.line("0123456789abcdef", 10, 20)[:-1])
    line[place % len(line)] ^= change

    assert OURS.header(bytes(line)) is None


@given(st.binary(max_size=300))
def test_no_bytes_pass_for_a_probe(line: bytes) -> None:
    """Nor do they break the reader."""
    assert OURS.header(line) is None


def test_the_mark_distinguishes_keys_and_gives_none_away() -> None:
    """The runner and an agent compare it; it is no tag of any line."""
    assert OURS.mark != OTHERS.mark
    assert Seal().mark == ""
    assert OURS.header(b" " + OURS.mark.encode()) is None


# ---- the server


async def sent(family: Family, port: int, data: bytes) -> None:
    """One datagram, and a probe whose answer shows that it has been read."""
    with socket.socket(DOMAIN[family], socket.SOCK_DGRAM) as sock:
        sock.sendto(data, (LOOPBACK[family], port))
        assert (await tried(spec("udp", family, port)))[0].event == protocol.Event.ECHOED
        sock.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            sock.recv(1000)


@families
@pytest.mark.parametrize("tagged", [False, True], ids=["foreign", "of this run"])
def test_nothing_is_made_of_what_a_datagram_claims(
    ip_family: Family, tagged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The payload that the header claims is compared by its length first: 64 MiB that have not come
    are not made."""
    line = identity.SEAL.line("abcdefgh00", protocol.PAYLOAD_LIMIT, 0) if tagged else CLAIM
    made: list[int] = []
    real = wire.payload

    def watched(nonce: str, side: str, size: int) -> bytes:
        made.append(size)
        return real(nonce, side, size)

    port = free_port()

    async def scenario() -> None:
        async with serving(f"udp/{port}"):
            monkeypatch.setattr(wire, "payload", watched)
            await sent(ip_family, port, line)

    run(scenario())

    assert max(made) == 0


@families
def test_foreign_traffic_is_counted_by_kind(ip_family: Family) -> None:
    """And what is of this run is not."""
    port = free_port()

    async def scenario() -> dict[str, int]:
        async with serving(f"udp/{port}", f"tcp/{port}") as server:
            await sent(ip_family, port, CLAIM)
            await sent(ip_family, port, OTHERS.line("0123456789abcdef", 0, 0))
            with socket.create_connection((LOOPBACK[ip_family], port), 5) as sock:
                sock.sendall(OTHERS.line("0123456789abcdef", 0, 0))
                assert (await tried(spec("tcp", ip_family, port)))[0].event == "echoed"
            return dict(server.log.foreign)

    assert run(scenario()) == {"udp": 2, "tcp": 1}


def test_a_stream_that_ends_before_its_line_is_counted() -> None:
    """And one that brings nothing, as a health check does, is not."""

    port = free_port()

    async def scenario() -> dict[str, int]:
        async with serving(f"tcp/{port}") as server:
            for text in (b"", b"GET / HT"):
                _, writer = await asyncio.open_connection("::1", port)
                writer.write(text)
                await writer.drain()
                writer.close()
                await writer.wait_closed()
            for _ in range(100):
                if server.log.foreign["tcp"]:
                    break
                await asyncio.sleep(0.02)
            return dict(server.log.foreign)

    assert run(scenario())["tcp"] == 1


def test_foreign_datagrams_push_nothing_out_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """An arrival that is forgotten would look like one that never was."""
    monkeypatch.setattr("sixproof.agent.server.log.LOG_LIMIT", 4)
    port = free_port()

    async def scenario() -> int:
        async with serving(f"udp/{port}") as server:
            flow = spec("udp", Family.IPV6, port)
            await tried(flow)
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                for number in range(10):
                    sock.sendto(b"SIX1 abcdefgh%02d 0 0\n" % number, ("::1", port))
            await tried(spec("udp", Family.IPV6, port))
            return len(server.log.of([flow.nonce]))

    assert run(scenario()) == 1


# ---- an agent of another run


HERE = OutsidePlace((ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")), ())


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Agents, Endpoint, Endpoint, int]]:
    """A client of this run and a server that holds another key, with its port."""
    port = free_port()
    launchers: list[OutsideLauncher] = []
    for port_specs, key in (((), "ours"), ((Protocol.TCP, Protocol.UDP), "another")):
        monkeypatch.setattr(outside, "POD_PORTS", tuple(PortSpec(p, port) for p in port_specs))
        launchers.append(OutsideLauncher(HERE, key))
    client, server = (
        dataclasses.replace(k.outside.endpoint, name=name, pod=name, kind=EndpointKind.POD)
        for k, name in zip(launchers, ("client", "server"), strict=True)
    )
    bridges = {
        name: k.outside.bridge for k, name in zip(launchers, ("client", "server"), strict=True)
    }

    def opened(_: str, pod: str) -> Stream:
        return outside._bridge(bridges[pod])

    agents = Agents(opened, Seal(b"ours").mark)
    yield agents, client, server, port
    agents.close()
    for launcher in launchers:
        launcher.close()


def test_an_agent_with_another_key_is_never_a_network_that_drops(
    pair: tuple[Agents, Endpoint, Endpoint, int],
) -> None:
    """It ignores this run's probes, and says so on the control channel: UNKNOWN, not DROPPED, and
    not REJECTED either."""
    agents, client, server, port = pair
    flows = [
        Flow(client, server, address, p, port)
        for p in (Protocol.TCP, Protocol.UDP)
        for address in server.addresses
    ]

    seen = ConnectProbe(agents).measure(flows, ProbeOptions(timeout=0.5))

    assert [o.outcome for o in seen] == [Outcome.UNKNOWN] * 4
    assert all("another key" in o.reason for o in seen)
    refused = agents.ask(server, protocol.Ping(), protocol.Pong, 10).exception(10)
    assert isinstance(refused, AgentError)


def test_an_agent_without_a_key_does_not_serve(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would answer anybody who needs none."""
    monkeypatch.setattr("sixproof.agent.identity.SEAL", Seal())

    assert main(["serve", "/nowhere/agent.sock"]) == 2
    assert "no key in the file 'key'" in capsys.readouterr().err


# ---- a flood

SAMPLE = int(os.environ.get("FUZZ", "100000"))
"""Datagrams; a fifth as many streams."""
GROWTH = 8 << 10
"""KiB by which an agent may grow."""
EACH = 0.002
"""Seconds of processor time that a message may take: what a payload of 64 MiB took was 0.25."""


@dataclasses.dataclass
class Served:
    """An agent in a process of its own."""

    pid: int
    port: int

    def kib(self) -> int:
        """Its resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def seconds(self) -> float:
        """The processor time that it took so far."""
        user, system = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def answers(self, family: Family) -> bool:
        """Whether it answers a probe of this run over UDP; asked again where that was lost."""
        with socket.socket(DOMAIN[family], socket.SOCK_DGRAM) as sock:
            sock.settimeout(2)
            for _ in range(5):
                sock.sendto(OURS.line("0123456789abcdef", 0, 0), (LOOPBACK[family], self.port))
                with contextlib.suppress(TimeoutError):
                    return sock.recv(1000).startswith(b"SIX1 0123456789abcdef ok ")
        return False


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """An agent as a pod has it."""
    deliver(tmp_path, "the key of this run")
    port, path = free_port(), tmp_path / "agent.sock"
    command = [sys.executable, *delivery.SERVE[1:], str(path), f"tcp/{port}", f"udp/{port}"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 20
            while not path.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            yield Served(process.pid, port)
        finally:
            process.terminate()


def nonsense(dice: random.Random) -> bytes:
    """Something that is not of this run: from noise to a line that is right but for its tag."""
    size = dice.choice([0, 1, 30, 300, 1400, 9000])
    nonce = dice.randbytes(8).hex()
    line = OURS.line(nonce, size, dice.choice([0, size, 1 << 26]))
    return dice.choice(
        [
            dice.randbytes(size),
            b"\n" * size,
            b"SIX1 " + dice.randbytes(size),
            b"SIX1 %s %d 0\n" % (nonce.encode(), dice.choice([0, size, 1 << 26])),
            b"SIX1 %s %s 0 " % (nonce.encode(), b"9" * 200) + b"\n",
            line[:-3] + b"zz\n" + dice.randbytes(size),
            OTHERS.line(nonce, 1 << 26, 1 << 26) + dice.randbytes(size),
            line[: dice.randrange(len(line) - 1)],
        ]
    )


def test_a_flood_costs_an_agent_neither_memory_nor_time(served: Served) -> None:
    """Datagrams and streams that are not of this run, some of them nearly: it goes on answering
    those that are, grows by less than 8 MiB, and works on each for no time to speak of."""
    dice = random.Random(6)
    assert all(served.answers(family) for family in Family)
    before, worked = served.kib(), served.seconds()
    socks = {f: socket.socket(DOMAIN[f], socket.SOCK_DGRAM) for f in Family}
    with contextlib.ExitStack() as stack:
        for sock in socks.values():
            stack.enter_context(sock)
        for number in range(SAMPLE):
            family = dice.choice(list(Family))
            socks[family].sendto(nonsense(dice), (LOOPBACK[family], served.port))
            if number % 5 == 0:
                stream = socket.create_connection((LOOPBACK[family], served.port), 10)
                with stream, contextlib.suppress(ConnectionError):
                    stream.sendall(nonsense(dice))
            if number % 200 == 0:  # no faster than it reads, or the kernel would drop the rest
                assert served.answers(family), f"no answer after {number}"
        for sock in socks.values():
            sock.settimeout(0)
            with pytest.raises(BlockingIOError):
                sock.recv(100)

    assert served.kib() - before < GROWTH
    assert served.seconds() - worked < 1 + EACH * SAMPLE * 1.2


def test_twenty_datagrams_that_claim_64_mib_cost_nothing(served: Served) -> None:
    """600 bytes in all must not keep an agent busy for seconds."""
    assert served.answers(Family.IPV6)
    before, worked = served.kib(), served.seconds()
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        for _ in range(20):
            sock.sendto(CLAIM, ("::1", served.port))

    assert served.answers(Family.IPV6)
    assert served.kib() - before < GROWTH
    assert served.seconds() - worked < 0.5
