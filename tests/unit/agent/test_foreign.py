"""Servers that are no agents: what they say is their answer, and silence is not."""

from __future__ import annotations

import pytest

from sixproof.agent.client.attempt import FOREIGN
from sixproof.agent.protocol import Event, FlowResult
from sixproof.model import Family
from tests.unit.agent.agents_on_loopback import Talk, free_port, run, speaking, spec, tried

REFUSAL = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"


def asked(family: Family, talk: Talk, *, connect_only: bool = False) -> FlowResult:
    """What a foreign server's answer is taken for."""

    async def scenario() -> FlowResult:
        async with speaking(family, talk) as port:
            flow = spec("tcp", family, port, foreign=True, connect_only=connect_only)
            return (await tried(flow))[0]

    return run(scenario())


@pytest.mark.parametrize("family", Family, ids=str)
def test_whatever_it_says_is_its_answer(family: Family) -> None:
    heard: list[bytes] = []

    def talk(line: bytes) -> list[bytes]:
        heard.append(line)
        return [REFUSAL]

    result = asked(family, talk)

    assert heard == [FOREIGN.splitlines(keepends=True)[0]]
    assert (result.event, result.detail) == (Event.ECHOED, "b'HTTP/1.0 400 Bad Request'")
    assert (result.answered_by, result.peer_saw) == ("", "")


def test_an_agent_s_peer_is_held_to_the_protocol() -> None:
    async def scenario() -> FlowResult:
        async with speaking(Family.IPV6, lambda _: [REFUSAL]) as port:
            return (await tried(spec("tcp", Family.IPV6, port)))[0]

    assert run(scenario()).event == Event.CORRUPTED


def test_closing_without_a_word_is_no_answer() -> None:
    assert asked(Family.IPV6, lambda _: []).event == Event.CLOSED


@pytest.mark.parametrize("connect_only", [False, True])
def test_nobody_there_is_a_reset(connect_only: bool) -> None:
    async def scenario() -> FlowResult:
        flow = spec("tcp", Family.IPV6, free_port(), foreign=True, connect_only=connect_only)
        return (await tried(flow))[0]

    assert run(scenario()).event == Event.RESET


@pytest.mark.parametrize("family", Family, ids=str)
def test_where_a_connection_is_all_that_is_asked_nothing_is_sent(family: Family) -> None:
    """That it is accepted is the answer, whatever the server would say or not."""
    heard: list[bytes] = []

    def talk(line: bytes) -> list[bytes]:
        heard.append(line)
        return [REFUSAL]

    result = asked(family, talk, connect_only=True)

    assert (result.event, result.detail) == (Event.ECHOED, "")
    assert result.latency is not None
    assert not any(heard)
