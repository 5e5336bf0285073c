"""A played HTTP proxy on loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from tests.unit.kube.channel.listener import Listener


class PlayedProxy(Listener):
    """A proxy that tunnels and forwards; it keeps the heads that it was sent."""

    def __init__(self, answer: bytes = b"") -> None:
        self.heads: list[bytes] = []
        self._answer = answer
        super().__init__()

    def serve(self, taken: socket.socket) -> None:
        """Lead the connection on."""
        with taken:
            self._tunnel(taken)

    def _tunnel(self, taken: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head and (data := taken.recv(4096)):
            head += data
        self.heads.append(head)
        method, target, _ = head.split(b" ", 2)
        if self._answer:
            taken.sendall(self._answer)
            return
        address = target if method == b"CONNECT" else target.split(b"/")[2]
        host, _, port = address.decode().rpartition(":")
        far = socket.create_connection((host, int(port)))
        if method == b"CONNECT":
            taken.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            far.sendall(head)
        back = threading.Thread(target=_pump, args=(far, taken), daemon=True)
        back.start()
        _pump(taken, far)
        back.join()
        far.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def played(answer: bytes = b"") -> Iterator[PlayedProxy]:
    proxy = PlayedProxy(answer)
    try:
        yield proxy
    finally:
        proxy.close()
