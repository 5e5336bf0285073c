"""Exec streams: how the control channel enters a pod."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from sixproof.errors import InfrastructureError
from sixproof.kube.channel import Opener, Stream

if TYPE_CHECKING:
    from kubernetes.stream.ws_client import WSClient

    from sixproof.kube.client import Cluster


class ExecStream:
    """The client library's exec websocket, closed without waiting for the other side's farewell."""

    def __init__(self, client: WSClient) -> None:
        self._client = client
        self.sock = client.sock

    def is_open(self) -> bool:
        """Whether the stream is still connected."""
        return bool(self._client.is_open())  # type: ignore[no-untyped-call]

    def update(self, timeout: float = 0) -> None:
        """Read the frames that have come."""
        self._client.update(timeout)  # type: ignore[no-untyped-call]

    def read_channel(self, channel: int, timeout: float = 0) -> bytes:
        """What has come on a channel since the last call."""
        data = self._client.read_channel(channel, timeout)  # type: ignore[no-untyped-call]
        return cast(bytes, data)

    def write_stdin(self, data: bytes) -> None:
        """Send to the process in the pod."""
        self._client.write_stdin(data)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Say goodbye and hang up; the library's own close waits 3 s for an answer."""
        with contextlib.suppress(Exception):
            self.sock.send_close()
        self.sock.shutdown()


CONNECT_TIMEOUT = 20.0
"""Seconds that opening a stream, or one read or write on it, may take."""


def opener(cluster: Cluster, container: str, command: Sequence[str]) -> Opener:
    """An opener that starts `command` in a container of the pod it is asked for.

    The client library's `stream()` swaps a method of the shared ApiClient for the time of a call
    and keeps all output for ever, so its websocket class is used directly.
    """

    def open_stream(namespace: str, pod: str) -> Stream:
        from kubernetes.client.exceptions import ApiException
        from kubernetes.stream import ws_client

        configuration = cluster.exec_client().configuration
        query = [("container", container), ("stdin", "true"), ("stdout", "true")]
        query += [("stderr", "true"), ("tty", "false"), *(("command", word) for word in command)]
        path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/exec"
        url = ws_client.get_websocket_url(f"{configuration.host}{path}", query)  # type: ignore[no-untyped-call]
        headers = {
            setting["key"].lower(): setting["value"]
            for setting in configuration.auth_settings().values()
            if setting["in"] == "header" and setting["value"]
        }
        try:
            stream = ws_client.WSClient(  # type: ignore[no-untyped-call]
                configuration, url, headers, capture_all=False, binary=True
            )
        except (OSError, ValueError, ApiException) as error:
            raise InfrastructureError(f"exec into {namespace}/{pod}: {error}") from error
        except Exception as error:  # WebSocketException derives from Exception alone
            if type(error).__module__.partition(".")[0] != "websocket":
                raise
            raise InfrastructureError(f"exec into {namespace}/{pod}: {error}") from error
        stream.sock.settimeout(CONNECT_TIMEOUT)
        return ExecStream(stream)

    return open_stream
