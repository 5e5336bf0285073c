"""A played server on loopback that gives each connection a thread."""

from __future__ import annotations

import contextlib
import socket
import threading


class Listener:
    """Takes connections from its making until `close`."""

    def __init__(self, scheme: str = "http") -> None:
        self._serving: list[threading.Thread] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"{scheme}://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def serve(self, taken: socket.socket) -> None:
        """What is done with a connection."""
        raise NotImplementedError

    def close(self) -> None:
        """Take no more; those that are served have ended when this returns."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for serving in self._serving:
            serving.join(5)

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                taken, _ = self._server.accept()
                serving = threading.Thread(target=self.serve, args=(taken,), daemon=True)
                self._serving.append(serving)
                serving.start()
