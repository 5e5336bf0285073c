"""Pages over HTTP/1.0: whole answers of servers that are no agents, with bounds."""

from __future__ import annotations

import typing

from sixproof.agent import protocol
from sixproof.agent.client.tcp import TcpAttempt

PATH_LIMIT = 200
"""Characters of a path."""


class PageAttempt(TcpAttempt):
    """A GET, and all that the server says until it closes."""

    RESULT = protocol.Page

    def check(self) -> None:
        """Raise ValueError for a path that cannot be asked for."""
        path = typing.cast(protocol.Get, self.spec).path
        plain = path.isascii() and path.isprintable() and " " not in path
        if not (plain and path.startswith("/") and len(path) <= PATH_LIMIT):
            raise ValueError("no path that can be asked for")

    def request(self) -> bytes:
        """The request; a server of HTTP/1.0 closes when it has answered."""
        path = typing.cast(protocol.Get, self.spec).path
        return f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode()

    def readable(self) -> None:
        """Collect the answer to its end, or as much as is taken."""
        data = self.received(1 << 16)
        if data is None:
            return
        self.buffer += data
        if len(self.buffer) >= protocol.PAGE_LIMIT:
            del self.buffer[protocol.PAGE_LIMIT :]
            self.said(cut=True)
        elif not data:
            self.said(cut=False)

    def said(self, *, cut: bool) -> None:
        """Judge what came: an answer of HTTP, its beginning, or something else."""
        head, end, body = bytes(self.buffer).partition(b"\r\n\r\n")
        words = head.split(None, 2)
        if not end or len(words) < 2 or not words[0].startswith(b"HTTP/"):
            event = protocol.Event.CORRUPTED if self.buffer else protocol.Event.CLOSED
            self.finish(event, detail=f"{len(self.buffer)} bytes, no answer of HTTP")
            return
        promised = length(head)
        if not cut and len(body) < promised:
            detail = f"{len(body)} bytes of {promised} before the end"
            self.finish(protocol.Event.CLOSED, detail=detail)
            return
        self.finish(
            protocol.Event.ANSWERED,
            latency=self.loop.time() - self.started,
            status=int(words[1]) if words[1].isdigit() and len(words[1]) == 3 else 0,
            body=body.decode(errors="replace"),
            cut=cut,
        )


def length(head: bytes) -> int:
    """The Content-Length of a head, 0 without one."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        number = value.strip()
        if name.strip().lower() == b"content-length" and number.isdigit() and len(number) < 12:
            return int(number)
    return 0


PAGES = {"tcp": PageAttempt}
"""How a page is fetched, by its protocol."""
