"""Exec streams: the websocket takes the same way as requests, and every failure is one line."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import shutil
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sixproof.errors import ApiError, NoAnswer
from sixproof.kube.api.client import Cluster
from sixproof.kube.channel import exec_stream
from sixproof.kube.channel.channel import STATUS, STDERR, STDOUT, Stream
from tests.unit.kube.access.authority import Authority
from tests.unit.kube.access.proxy import played
from tests.unit.kube.channel.listener import Listener
from tests.unit.kube.server import kubeconfig

VERSION = json.dumps({"gitVersion": "v1.34.1"}).encode()


class PlayedPod(Listener):
    """An API server that knows its version and one pod, which echoes its standard input.

    `refusals` are answers to exec that come before it agrees.
    """

    def __init__(self, tls: ssl.SSLContext | None, refusals: list[bytes]) -> None:
        self.heads: list[str] = []
        self.refusals = refusals
        self._tls = tls
        super().__init__("https" if tls else "http")

    def serve(self, taken: socket.socket) -> None:
        """Answer a request, or become a stream."""
        taken.settimeout(10)
        with contextlib.suppress(OSError), taken:
            if self._tls:
                taken = self._tls.wrap_socket(taken, server_side=True)
            with taken, taken.makefile("rb") as lines:
                head = "".join(iter(lambda: lines.readline().decode(), "\r\n"))
                self.heads.append(head)
                if "/version" in head:
                    taken.sendall(_answer(b"200 OK", VERSION))
                elif self.refusals:
                    answer = self.refusals.pop(0)
                    if answer:
                        taken.sendall(answer)
                    else:
                        lines.read(1)  # silent until the other side hangs up
                else:
                    self._echo(taken, lines, head)

    def _echo(self, taken: socket.socket, lines: Any, head: str) -> None:
        key = next(h for h in head.split("\r\n") if h.lower().startswith("sec-websocket-key"))
        magic = key.partition(":")[2].strip() + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(magic.encode()).digest()).decode()  # noqa: S324
        taken.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n"
            + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
            + _frame(b"\1hello ") + _frame(b"\1there") + _frame(b"\2careful") + _frame(b"\xff\0")
        )  # fmt: skip
        while frame := _read_frame(lines):
            opcode, data = frame
            if opcode == 8:
                return
            if data[1:] == b"bye":
                taken.sendall(_frame(b'\3{"status":"Success"}') + _frame(b"", 8))
            else:
                taken.sendall(_frame(b"\1" + data[1:]))


def _answer(status: bytes, body: bytes) -> bytes:
    length = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    return b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\n" + length + body


def _frame(data: bytes, opcode: int = 2) -> bytes:
    return struct.pack("!BBH", 0x80 | opcode, 126, len(data)) + data


def _read_frame(lines: Any) -> tuple[int, bytes] | None:
    head = lines.read(2)
    if len(head) < 2:
        return None
    size = head[1] & 0x7F
    if size == 126:
        size = struct.unpack("!H", lines.read(2))[0]
    mask = lines.read(4)
    return head[0] & 0x0F, bytes(b ^ mask[i % 4] for i, b in enumerate(lines.read(size)))


@contextlib.contextmanager
def pod(tls: ssl.SSLContext | None = None, *refusals: bytes) -> Iterator[PlayedPod]:
    server = PlayedPod(tls, list(refusals))
    try:
        yield server
    finally:
        server.close()


def open_stream(cluster: Cluster, timeout: float = 10.0) -> Stream:
    return exec_stream.opener(cluster, "agent", ("python3", "-m", "x"), timeout)("web", "echo")


def hear(stream: Stream, channel: int, wanted: bytes) -> bytes:
    """What comes on a channel until it is as long as wanted."""
    data = b""
    deadline = time.monotonic() + 10
    while len(data) < len(wanted) and time.monotonic() < deadline:
        stream.update(timeout=0.1)
        data += stream.read_channel(channel)
    return data


def converse(cluster: Cluster) -> None:
    stream = open_stream(cluster)
    try:
        assert hear(stream, STDOUT, b"hello there") == b"hello there"
        assert hear(stream, STDERR, b"careful") == b"careful"
        stream.write_stdin(b"x" * 30000)
        assert hear(stream, STDOUT, b"x" * 30000) == b"x" * 30000
        assert stream.is_open()
        stream.write_stdin(b"bye")
        assert b"Success" in hear(stream, STATUS, b'{"status":"Success"}')
        stream.update(timeout=1)
        assert not stream.is_open()
    finally:
        stream.close()


def test_stream_carries_each_channel(tmp_path: Path) -> None:
    """Standard input, output, error and status; the command and the token are in the request."""
    with pod() as server, Cluster.connect(kubeconfig(tmp_path / "k", server.url)) as cluster:
        converse(cluster)
    assert "Authorization: Bearer t0ken" in server.heads[1]
    assert "/pods/echo/exec?container=agent&stdin=true" in server.heads[1]
    assert "command=python3&command=-m&command=x" in server.heads[1]
    assert "v5.channel.k8s.io,v4.channel.k8s.io" in server.heads[1]


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_stream_goes_through_the_proxy(tmp_path: Path, tls: bool) -> None:
    """With its login, as requests do."""
    if tls and not shutil.which("openssl"):
        pytest.skip("needs openssl")
    cluster_entry: dict[str, Any] = {}
    context = None
    if tls:
        ours = Authority(tmp_path / "ca", "ours")
        context = ours.server(addresses="DNS:api.example")
        cluster_entry = {
            "certificate-authority": str(ours.certificate),
            "tls-server-name": "api.example",
        }
    with pod(context) as server, played() as proxy:
        cluster_entry["proxy-url"] = proxy.url.replace("://", "://joe:a%2Bb@")
        path = kubeconfig(tmp_path / "k", server.url, cluster=cluster_entry)
        with Cluster.connect(path) as cluster:
            converse(cluster)
    assert proxy.heads[-1].startswith(b"CONNECT 127.0.0.1:")
    login = base64.b64encode(b"joe:a+b").lower()
    assert b"proxy-authorization: basic " + login in proxy.heads[-1].lower()


def test_stream_to_a_server_that_need_not_prove_itself(tmp_path: Path) -> None:
    """insecure-skip-tls-verify holds for both."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    context = Authority(tmp_path / "ca", "ours").server(addresses="DNS:other.example")
    with pod(context) as server:
        path = kubeconfig(tmp_path / "k", server.url, cluster={"insecure-skip-tls-verify": True})
        with Cluster.connect(path) as cluster:
            converse(cluster)


STATUS_403 = json.dumps(
    {"kind": "Status", "reason": "Forbidden", "message": 'cannot create "pods/exec"'}
).encode()


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (_answer(b"403 Forbidden", STATUS_403), 403, '403: cannot create "pods/exec"'),
        (_answer(b"401 Unauthorized", b"{}"), 401, "401"),
        (_answer(b"502 Bad", b"<html><title>Bad</title>"), 502, "the web page 'Bad'"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", 0, "edirect"),
        (b"junk\r\n\r\n", 0, "no answer"),
        (b"", 0, "silent for 0.3 s"),
    ],
    ids=["403", "401", "page", "redirect", "junk", "silent"],
)
def test_stream_that_is_refused(tmp_path: Path, answer: bytes, status: int, words: str) -> None:
    """It says what was wanted and why it failed, in a bounded time."""
    with (
        pod(None, answer) as server,
        Cluster.connect(kubeconfig(tmp_path / "k", server.url)) as cluster,
        pytest.raises(ApiError) as caught,
    ):
        open_stream(cluster, 10.0 if answer else 0.3)
    message = str(caught.value)
    assert message.startswith("exec into web/echo: ")
    assert words in message
    assert "\n" not in message
    assert caught.value.status == status
    assert not isinstance(caught.value, NoAnswer) or caught.value.behind, "a kubelet's, it may be"


def test_nothing_listens_any_more(tmp_path: Path) -> None:
    """A server that has gone."""
    with pod() as server:
        cluster = Cluster.connect(kubeconfig(tmp_path / "k", server.url))
    with cluster, pytest.raises(ApiError, match=r"exec into web/echo: .* connection refused"):
        open_stream(cluster)


def test_token_that_is_refused_is_renewed_for_streams_too(tmp_path: Path) -> None:
    """A tokenFile that was replaced meanwhile."""
    (tmp_path / "token").write_text("first\n")
    with pod(None, _answer(b"401 Unauthorized", b"{}")) as server:
        path = kubeconfig(tmp_path / "k", server.url, user={"tokenFile": "token"})
        with Cluster.connect(path) as cluster:
            (tmp_path / "token").write_text("second\n")
            converse(cluster)
    assert ["first" in h for h in server.heads] == [True, True, False]
    assert "Authorization: Bearer second" in server.heads[2]
