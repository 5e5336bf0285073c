"""The bridge between an exec stream and the agent's socket."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sixproof.agent import protocol
from sixproof.agent.control import bridge
from sixproof.agent.wire import Seal
from sixproof.workloads.probe_pods import delivery
from tests.delivered import deliver

SOON = 20.0


class Ends:
    """The four ends of a running bridge."""

    def __init__(self) -> None:
        self.agent, inside = socket.socketpair()
        self.stdin, bridge_stdin = socket.socketpair()
        self.stdout, bridge_stdout = socket.socketpair()
        self._inner = (inside, bridge_stdin, bridge_stdout)
        self.thread = threading.Thread(target=self._run)
        for end in (self.agent, self.stdin, self.stdout):
            end.settimeout(SOON)

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            bridge.copy(*(s.fileno() for s in self._inner))
        for sock in self._inner:
            sock.close()

    def close(self) -> None:
        """End everything."""
        for end in (self.agent, self.stdin, self.stdout):
            end.close()
        self.thread.join(SOON)


@pytest.fixture
def ends() -> Iterator[Ends]:
    """A bridge under way."""
    ends = Ends()
    ends.thread.start()
    yield ends
    ends.close()


def read_all(sock: socket.socket, size: int) -> bytes:
    """That many bytes."""
    data = b""
    while len(data) < size:
        data += sock.recv(1 << 20)
    return data


def test_bytes_cross_both_ways(ends: Ends) -> None:
    """Unchanged."""
    ends.stdin.sendall(b"question\n")
    question = read_all(ends.agent, 9)
    ends.agent.sendall(b"answer\n")

    assert (question, read_all(ends.stdout, 7)) == (b"question\n", b"answer\n")


def test_neither_way_waits_for_the_other(ends: Ends) -> None:
    """A runner and an agent that both write megabytes before they read get both through."""
    size = 3_000_000
    question, answer = os.urandom(size), os.urandom(size)
    writers = [
        threading.Thread(target=ends.stdin.sendall, args=(question,)),
        threading.Thread(target=ends.agent.sendall, args=(answer,)),
    ]
    for writer in writers:
        writer.start()

    crossed = read_all(ends.agent, size), read_all(ends.stdout, size)
    for writer in writers:
        writer.join(SOON)

    assert crossed == (question, answer)


def test_full_way_does_not_stop_the_other(ends: Ends) -> None:
    """While nobody reads the answers, questions still reach the agent."""
    flood = threading.Thread(target=ends.agent.sendall, args=(b"x" * 3_000_000,))
    flood.start()
    time.sleep(0.1)

    ends.stdin.sendall(b"question\n")
    question = read_all(ends.agent, 9)
    read_all(ends.stdout, 3_000_000)
    flood.join(SOON)

    assert question == b"question\n"


@pytest.mark.parametrize("side", ["agent", "stdin"])
def test_bridge_ends_when_either_side_does(ends: Ends, side: str) -> None:
    """So that the exec stream shows the runner a dead agent, and nothing stays in the pod."""
    getattr(ends, side).close()
    ends.thread.join(SOON)

    assert not ends.thread.is_alive()


def test_last_words_of_the_agent_arrive(ends: Ends) -> None:
    """What it wrote before it ended."""
    ends.agent.sendall(b"x" * 100_000)
    ends.agent.close()

    assert len(read_all(ends.stdout, 100_000)) == 100_000


def test_write_without_room_keeps_everything() -> None:
    """Nothing is lost between the readiness and the write."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        while not bridge.written(ours.fileno(), b"x" * 100_000):
            pass

        assert bridge.written(ours.fileno(), b"rest") == b"rest"


def test_bridge_waits_for_an_agent_that_is_starting(tmp_path: Path) -> None:
    """A pod is Running before its agent listens."""
    path = str(tmp_path / "agent.sock")
    with socket.socket(socket.AF_UNIX) as server:

        def start() -> None:
            time.sleep(0.1)
            server.bind(path)
            server.listen()

        starting = threading.Thread(target=start)
        starting.start()
        with bridge.connected(path, SOON) as sock:
            peer = sock.getpeername()
        starting.join(SOON)

    assert peer == path


def test_listens_ends_once_the_agent_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a word to it: kubelet waits for this end before it calls the pod ready."""
    path = str(tmp_path / "agent.sock")
    monkeypatch.setattr(sys, "argv", ["bridge.py", path, "listens"])
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()

        assert bridge.main() == 0
        accepted, _ = server.accept()
        with accepted:
            assert accepted.recv(1) == b""


def test_no_agent_is_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the path on standard error, which the channel quotes."""
    monkeypatch.setattr(bridge, "PATIENCE", 0.05)
    monkeypatch.setattr(sys, "argv", ["bridge.py", str(tmp_path / "none.sock")])

    assert bridge.main() == 1
    assert "none.sock: [Errno 2] No such file or directory" in capsys.readouterr().err


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    """What ConfigMap and Secret deliver."""
    deliver(tmp_path, "0123456789abcdef\n")
    return tmp_path


def test_agent_and_bridge_work_as_delivered(pod: Path) -> None:
    """By the commands of a pod, until SIGTERM and the end of standard input."""
    path = str(pod / "agent.sock")
    question = protocol.encode_request(1, protocol.Hello(), Seal(b"0123456789abcdef").mark)
    with subprocess.Popen(
        [sys.executable, *delivery.SERVE[1:], path],
        cwd=pod,
        env={"SIXPROOF_POD": "echo"},
        stderr=subprocess.PIPE,
    ) as agent:
        try:
            with subprocess.Popen(
                [sys.executable, *delivery.bridge(str(pod), path)[1:]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            ) as started:
                assert started.stdin
                assert started.stdout
                started.stdin.write(question)
                started.stdin.flush()
                answer = protocol.decode_line(started.stdout.readline())
                loaded = Path(f"/proc/{agent.pid}/maps").read_text()
                started.stdin.close()
                bridge_status = started.wait(SOON)
        finally:
            agent.terminate()
            agent_status = agent.wait(SOON)

    welcome = protocol.decode(protocol.Welcome, answer["ok"])
    assert (welcome.host, bridge_status, agent_status) == ("echo", 0, 0)
    assert "libssl" not in loaded  # 5 MB for nothing
