"""Exec streams: how the control channel enters a pod."""

from __future__ import annotations

import contextlib
import select
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode

from sixproof.kube.channel.channel import Opener, Stream

if TYPE_CHECKING:
    import websocket

    from sixproof.kube.access.config import Access
    from sixproof.kube.api.client import Cluster

CONNECT_TIMEOUT = 20.0
"""Seconds that opening a stream, or one read or write on it, may take."""
_STDIN = b"\0"
_PROTOCOLS = "v5.channel.k8s.io,v4.channel.k8s.io"
_TEXT, _BINARY, _CLOSE = 1, 2, 8  # opcodes (RFC 6455 section 5.2)
_CLOSED = 255  # of v5: the other side has closed one channel


class ExecStream:
    """An exec websocket: a byte that names the channel, then data (``v4.channel.k8s.io``)."""

    def __init__(self, sock: websocket.WebSocket) -> None:
        self.sock: Any = sock
        self._open = True
        self._read: dict[int, bytes] = {}

    def is_open(self) -> bool:
        """Whether the stream is still connected."""
        return self._open

    def update(self, timeout: float = 0) -> None:
        """Read the frames that have arrived."""
        while self._open and self._readable(timeout):
            timeout = 0
            opcode, frame = self.sock.recv_data_frame(True)
            if opcode == _CLOSE:
                self._open = False
            elif opcode in (_TEXT, _BINARY) and frame.data:
                data = bytes(frame.data)
                if data[0] != _CLOSED and len(data) > 1:
                    self._read[data[0]] = self._read.get(data[0], b"") + data[1:]

    def read_channel(self, channel: int, timeout: float = 0) -> bytes:
        """The data that arrived on a channel since the last call."""
        if channel not in self._read:
            self.update(timeout)
        return self._read.pop(channel, b"")

    def write_stdin(self, data: bytes) -> None:
        """Send to the process in the pod."""
        self.sock.send_binary(_STDIN + data)

    def close(self) -> None:
        """Send a close frame and hang up, without waiting for the other side's."""
        self._open = False
        with contextlib.suppress(Exception):
            self.sock.send_close()
        self.sock.shutdown()

    def _readable(self, timeout: float) -> bool:
        raw: Any = self.sock.sock
        if isinstance(raw, ssl.SSLSocket) and raw.pending():
            return True
        poll = select.poll()  # select() supports no descriptor above 1023
        poll.register(raw, select.POLLIN)
        return bool(poll.poll(timeout * 1000))


def opener(
    cluster: Cluster, container: str, command: Sequence[str], timeout: float = CONNECT_TIMEOUT
) -> Opener:
    """An opener that starts `command` in a container of the pod passed to it, in `timeout` seconds.

    The client library's `stream()` swaps a method of the shared ApiClient during a call, keeps all
    output forever, waits without limit for a silent server, and supports fewer proxies than
    requests do: so the socket is ours, and websocket-client uses it.
    """

    def open_stream(namespace: str, pod: str) -> Stream:
        query = [("container", container), ("stdin", "true"), ("stdout", "true")]
        query += [("stderr", "true"), ("tty", "false"), *(("command", word) for word in command)]
        path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/exec?{urlencode(query)}"
        purpose = f"exec into {namespace}/{pod}"
        access = cluster.access
        return ExecStream(
            cluster.authorized(
                purpose, lambda header: _open(access, path, purpose, header, timeout)
            )
        )

    return open_stream


def _open(
    access: Access, path: str, purpose: str, authorization: str, timeout: float
) -> websocket.WebSocket:
    """Raises: ApiError if no answer comes, or a refusal."""
    # Imported here: the client library takes 0.3 s, which `pytest --help` need not pay.
    import urllib3.exceptions
    import websocket

    from sixproof.kube.access import dial
    from sixproof.kube.api import failures

    headers = [f"Sec-WebSocket-Protocol: {_PROTOCOLS}"]
    headers += [f"Authorization: {authorization}"] if authorization else []
    stream: Any = websocket.WebSocket(skip_utf8_validation=True)
    timeouts = (timeout, timeout)
    try:
        raw = dial.connect(access, timeout)
        stream.connect(
            f"ws{access.server.removeprefix('http')}{path}",
            socket=raw,
            header=headers,
            timeout=timeout,
            redirect_limit=0,
        )
    except websocket.WebSocketBadStatusException as error:
        raise failures.refusal(purpose, error.status_code, error.resp_body or b"") from error
    except websocket.WebSocketTimeoutException as error:
        silence = urllib3.exceptions.ReadTimeoutError(None, None, str(error))  # type: ignore[arg-type]
        raise failures.no_answer(purpose, access, timeouts, silence, behind=True) from error
    except (*failures.FOREIGN, websocket.WebSocketException) as error:
        raise failures.no_answer(purpose, access, timeouts, error, behind=True) from error
    stream.settimeout(CONNECT_TIMEOUT)
    return cast("websocket.WebSocket", stream)
