"""A small API server on loopback, for what a real one does rarely: refuse, stall, cut, restart."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclasses.dataclass(frozen=True)
class Reply:
    """One answer. `cut` promises more bytes than it sends, `hang_up` sends none at all; `headers`
    go with it."""

    body: Any = dataclasses.field(default_factory=dict)
    status: int = 200
    delay: float = 0.0
    cut: bool = False
    hang_up: bool = False
    headers: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Seen:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


Responder = Callable[[Seen], Reply]


def refused(status: int, reason: str, message: str) -> Reply:
    """A `Status` object as the API server sends it."""
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message}
    return Reply({**body, "code": status}, status)


def listed(*items: dict[str, Any], more: str = "") -> Reply:
    """A list of objects, or one page of it."""
    return Reply({"kind": "List", "metadata": {"continue": more}, "items": list(items)})


class FakeApi:
    """Answers by method and path; a list of replies is used up, its last one stays."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.stopping = threading.Event()
        self._routes: dict[tuple[str, str], list[Reply] | Responder] = {}
        self._lock = threading.Lock()
        self.on("GET", "/version", Reply({"gitVersion": "v1.34.1"}))

    def on(self, method: str, path: str, *replies: Reply) -> None:
        """Answer a request with these replies, one after the other."""
        self._routes[method, path] = list(replies)

    def compute(self, method: str, path: str, responder: Responder) -> None:
        """Answer a request by a function."""
        self._routes[method, path] = responder

    def answer(self, seen: Seen) -> Reply:
        """The reply to a request; unknown paths are not found."""
        with self._lock:
            self.seen.append(seen)
            route = self._routes.get((seen.method, seen.path))
            if isinstance(route, list):
                return route.pop(0) if len(route) > 1 else route[0]
        if route is not None:
            return route(seen)
        return refused(404, "NotFound", f"the server could not find {seen.path}")

    def upgrade(self, seen: Seen, handler: BaseHTTPRequestHandler) -> None:
        """Become a stream; there is none here."""
        handler.send_error(404, f"no stream at {seen.path}")

    def requests(self, method: str, path: str = "") -> list[Seen]:
        """The requests of a method seen so far, of one path or all."""
        return [s for s in self.seen if s.method == method and path in ("", s.path)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: FakeApi

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        url = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = Seen(
            self.command,
            url.path,
            dict(parse_qsl(url.query)),
            {k.lower(): v for k, v in self.headers.items()},
            json.loads(raw) if raw else None,
        )
        if self.headers.get("Upgrade"):
            self.close_connection = True
            self.api.upgrade(seen, self)
            return
        reply = self.api.answer(seen)
        self.api.stopping.wait(reply.delay)
        if reply.hang_up:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        data = text.encode()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            for name, value in reply.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data) + (100 if reply.cut else 0)))
            self.end_headers()
            self.wfile.write(data)
        self.close_connection = reply.cut

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _serve  # noqa: N815 - the names of http.server


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # with the five of its base, a busy machine leaves dials unanswered

    def __init__(
        self, port: int, handler: type[_Handler], tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self.tls = tls
        self.taken: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        taken, peer = super().get_request()
        if self.tls:
            # The handshake is for the thread that serves: here it would hold up all the others.
            taken = self.tls.wrap_socket(taken, server_side=True, do_handshake_on_connect=False)
        self.taken.append(taken)
        return taken, peer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust us is no news."""
        if not self.tls:
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """End the connections that are kept alive, as a process that ends does."""
        for taken in self.taken:
            with contextlib.suppress(OSError):
                taken.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def serve(api: FakeApi, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve on loopback; gives the URL."""
    handler = type("Handler", (_Handler,), {"api": api})
    server = _Server(port, handler, tls)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    finally:
        api.stopping.set()
        server.shutdown()
        server.server_close()
        server.hang_up()
        thread.join()


def kubeconfig(
    path: Path,
    url: str,
    *,
    contexts: tuple[str, ...] = ("bed",),
    user: dict[str, Any] | None = None,
    cluster: dict[str, Any] | None = None,
) -> Path:
    """A kubeconfig with these contexts, the first current; `cluster` adds to its cluster."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": contexts[0] if contexts else "",
        "clusters": [{"name": "c", "cluster": {"server": url, **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {"token": "t0ken"}}],
        "contexts": [{"name": n, "context": {"cluster": "c", "user": "u"}} for n in contexts],
    }
    path.write_text(json.dumps(config))
    return path


def free_port() -> int:
    """A port on which nothing listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def later(seconds: float, call: Callable[[], object]) -> threading.Thread:
    """Call something after a while, on a thread of its own."""

    def run() -> None:
        time.sleep(seconds)
        call()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
