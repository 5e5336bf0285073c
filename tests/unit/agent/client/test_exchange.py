"""Messages of the runner's own, which the agent carries there and back without reading them."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest

from sixproof.agent import protocol
from sixproof.agent.client.batch import EXCHANGES, Batch
from sixproof.agent.protocol import Event
from sixproof.model import Family
from tests.unit.agent.agents_on_loopback import LOOPBACK, Talk, babbling, free_port, run, speaking

families = pytest.mark.parametrize("ip_family", Family, ids=str)
QUESTION = b"\x00\xff question\n"


def message(
    name: str, family: Family, port: int, data: bytes = QUESTION, timeout: float = 5.0, **more: Any
) -> protocol.Message:
    """A message to loopback."""
    payload = more.pop("payload", base64.b64encode(data).decode())
    return protocol.Message(name, LOOPBACK[family], port, "n", timeout, payload=payload, **more)


async def exchanged(*messages: protocol.Message) -> list[protocol.Reply]:
    """Their replies."""
    results = await Batch(messages, EXCHANGES).run()
    replies = [r for r in results if isinstance(r, protocol.Reply)]
    assert len(replies) == len(messages)
    return replies


def framed(data: bytes) -> bytes:
    """A message behind its length."""
    return struct.pack("!H", len(data)) + data


@families
def test_datagram_comes_back_as_it_was_sent(ip_family: Family) -> None:
    """The reply is whatever the server says, byte for byte."""
    heard: list[bytes] = []

    def talk(data: bytes) -> list[bytes]:
        heard.append(data)
        return [b"\xff" + data, b"later"]

    async def scenario() -> protocol.Reply:
        async with babbling(ip_family, talk) as port:
            return (await exchanged(message("udp", ip_family, port)))[0]

    reply = run(scenario())

    assert heard == [QUESTION]
    assert (reply.event, base64.b64decode(reply.payload)) == (Event.ANSWERED, b"\xff" + QUESTION)
    assert reply.latency is not None


TALKS: dict[str, tuple[Talk, str, bytes]] = {
    "answers": (lambda q: [framed(q[2:])], Event.ANSWERED, QUESTION),
    "answers in pieces": (
        lambda q: [framed(q[2:])[:1], framed(q[2:])[1:5], framed(q[2:])[5:]],
        Event.ANSWERED,
        QUESTION,
    ),
    "says more than it announced": (lambda _: [framed(b"a") + b"b"], Event.ANSWERED, b"a"),
    "answers with nothing": (lambda _: [framed(b"")], Event.ANSWERED, b""),
    "closes at once": (lambda _: [], Event.CLOSED, b""),
    "closes too early": (lambda _: [framed(b"abc")[:4]], Event.CLOSED, b""),
}


@families
@pytest.mark.parametrize(("talk", "event", "data"), TALKS.values(), ids=list(TALKS))
def test_stream_server_that(ip_family: Family, talk: Talk, event: str, data: bytes) -> None:
    """One message each way, behind its length; an end before that is reported as such."""

    async def scenario() -> protocol.Reply:
        async with speaking(ip_family, talk) as port:
            return (await exchanged(message("tcp", ip_family, port)))[0]

    reply = run(scenario())

    assert (reply.event, base64.b64decode(reply.payload)) == (event, data)


@families
@pytest.mark.parametrize("name", ["tcp", "udp"])
def test_closed_port_resets(ip_family: Family, name: str) -> None:
    """As for any other flow."""
    assert run(exchanged(message(name, ip_family, free_port())))[0].event == Event.RESET


@families
def test_silence_is_silence(ip_family: Family) -> None:
    """With every attempt sent."""

    async def scenario() -> protocol.Reply:
        async with babbling(ip_family, lambda _: []) as port:
            flow = message("udp", ip_family, port, timeout=0.2, attempts=2)
            return (await exchanged(flow))[0]

    reply = run(scenario())

    assert (reply.event, reply.sent) == (Event.SILENT, 2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"payload": ""}, "a message of 0 bytes"),
        ({"payload": "not base64!"}, "base64"),
        ({"data": b"x" * 65_536}, "a message of 65536 bytes"),
        ({"attempts": 5000}, "sent 5000 times"),
    ],
    ids=["empty", "no base64", "too long", "too often"],
)
def test_message_that_cannot_be_is_failed(changes: dict[str, Any], said: str) -> None:
    """Before anything is sent."""
    reply = run(exchanged(message("udp", Family.IPV6, 9, **changes)))[0]

    assert (reply.event, said in reply.detail.lower(), reply.sent) == (Event.FAILED, True, 0)


def test_there_is_no_exchange_over_icmp() -> None:
    """An unknown protocol is an error of the runner."""

    async def scenario() -> list[protocol.FlowResult]:
        return await Batch([message("icmp", Family.IPV6, 0)], EXCHANGES).run()

    (result,) = run(scenario())

    assert (result.event, result.detail) == (Event.FAILED, "protocol 'icmp' is none of tcp, udp")
