"""A filter of the client's own host: what it eats is silence, what it refuses is refused."""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Any

import pytest

from sixproof.agent.client.datagrams import UdpAttempt
from sixproof.agent.protocol import Event, FlowResult
from sixproof.model import Family
from tests.unit.agent.agents_on_loopback import run, spec

UNREACHABLE = {Family.IPV6: (3, 1, 4), Family.IPV4: (2, 3, 3)}  # origin, ICMP type and code


class Filtered:
    """A socket whose every datagram the host's own filter stops, with an ICMP error or without."""

    def __init__(self, family: Family, answers: bool) -> None:
        self.family = socket.AF_INET6 if family is Family.IPV6 else socket.AF_INET
        self.answers = answers
        self.queue: list[bytes] = []
        self.error = 0

    def send(self, _: bytes) -> int:
        """Stopped; a filter that rejects also answers."""
        if self.answers:
            ip = Family.IPV6 if self.family == socket.AF_INET6 else Family.IPV4
            origin, kind, code = UNREACHABLE[ip]
            self.error = errno.ECONNREFUSED
            self.queue.append(
                struct.pack("=IBBBBII", errno.ECONNREFUSED, origin, kind, code, 0, 0, 0)
            )
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    def recv(self, _: int) -> bytes:
        """The pending error, once."""
        number, self.error = self.error or errno.EAGAIN, 0
        raise OSError(number, os.strerror(number))

    def recvmsg(self, *_: object) -> Any:
        """The error queue; who empties it takes the pending error with it, as in the kernel."""
        if not self.queue:
            raise BlockingIOError
        self.error = 0
        return b"", [(0, 0, self.queue.pop())], 0, None

    def fileno(self) -> int:
        """No descriptor of its own."""
        return 0

    def getsockname(self) -> tuple[str, int]:
        """An address."""
        return "::1", 1

    def close(self) -> None:
        """Nothing to close."""


def met(family: Family, answers: bool) -> FlowResult:
    """What comes of one datagram, its error waiting to be read."""

    async def scenario() -> FlowResult | None:
        made = UdpAttempt(spec("udp", family, 9), lambda _: None)
        made.left = 1
        sock: Any = Filtered(family, answers)
        made.sock = sock
        made.again()
        if sock.error and made.result is None:
            made.readable()
        made.silent()
        return made.result

    result = run(scenario())
    assert result is not None
    return result


@pytest.mark.parametrize("family", Family, ids=str)
def test_a_filter_that_rejects_is_a_refusal(family: Family) -> None:
    """kube-proxy's REJECT on the client's own node: EPERM for the sender, then port unreachable."""
    result = met(family, answers=True)
    assert (result.event, result.error) == (Event.RESET, "ECONNREFUSED")
    assert result.icmp is not None
    assert (result.icmp.type, result.icmp.code) == UNREACHABLE[family][1:]


@pytest.mark.parametrize("family", Family, ids=str)
def test_a_filter_that_drops_is_silence(family: Family) -> None:
    result = met(family, answers=False)
    assert (result.event, result.error) == (Event.SILENT, "EPERM")
