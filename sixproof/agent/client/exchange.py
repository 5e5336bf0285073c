"""Exchanges: messages of the runner's own over UDP and TCP, and what answers them."""

from __future__ import annotations

import base64
import struct
import typing

from sixproof.agent import protocol
from sixproof.agent.client.attempt import ATTEMPT_LIMIT
from sixproof.agent.client.datagrams import UdpAttempt
from sixproof.agent.client.tcp import TcpAttempt


class UdpExchange(UdpAttempt):
    """A datagram of the runner's and the first datagram that the server sends back."""

    RESULT = protocol.Reply

    def check(self) -> None:
        """Any bytes may be sent."""
        self.message = message_of(self.spec)

    def packet(self) -> bytes:
        """The runner's datagram."""
        return self.message

    def answered(self, data: bytes) -> None:
        """A datagram of the server's."""
        latency = self.loop.time() - self.started
        answer = base64.b64encode(data).decode()
        self.finish(protocol.Event.ANSWERED, latency=latency, payload=answer)


class TcpExchange(TcpAttempt):
    """A message of the runner's over a connection of its own, and the message that answers it."""

    RESULT = protocol.Reply

    def check(self) -> None:
        """Any bytes may be sent."""
        self.message = message_of(self.spec)

    def request(self) -> bytes:
        """The message behind its length."""
        return struct.pack("!H", len(self.message)) + self.message

    def readable(self) -> None:
        """Collect the answer; it is complete when it is as long as it said."""
        data = self.received(1 << 16)
        if data is None:
            return
        self.buffer += data
        size = struct.unpack("!H", self.buffer[:2])[0] if len(self.buffer) >= 2 else None
        if size is not None and len(self.buffer) >= size + 2:
            latency = self.loop.time() - self.started
            answer = base64.b64encode(self.buffer[2 : size + 2]).decode()
            self.finish(protocol.Event.ANSWERED, latency=latency, payload=answer)
        elif not data:
            detail = f"{len(self.buffer)} bytes of an answer before the end"
            self.finish(protocol.Event.CLOSED, detail=detail)


def message_of(spec: protocol.FlowSpec) -> bytes:
    """The bytes that the runner wants sent; raises ValueError for what cannot be."""
    data = base64.b64decode(typing.cast(protocol.Message, spec).payload, validate=True)
    if not 1 <= len(data) <= 65535 or spec.attempts > ATTEMPT_LIMIT:
        raise ValueError(f"a message of {len(data)} bytes, sent {spec.attempts} times")
    return data
