"""Pages: whole answers of HTTP servers, with bounds; nothing else is taken for one."""

from __future__ import annotations

from typing import cast

import pytest

from sixproof.agent import protocol
from sixproof.agent.client.batch import Batch
from sixproof.agent.client.pages import PAGES
from sixproof.agent.control.agent import Agent
from sixproof.agent.protocol import Event, Get, Page
from sixproof.agent.server.ports import Server
from sixproof.model import Family
from tests.unit.agent.agents_on_loopback import LOOPBACK, Talk, free_port, run, speaking

OK = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n"


def get(family: Family, port: int, path: str = "/metrics", timeout: float = 5.0) -> Get:
    """A request to loopback."""
    return Get("tcp", LOOPBACK[family], port, "0123456789abcdef", timeout, path=path)


async def got(*gets: Get) -> list[Page]:
    """The pages of a batch."""
    return cast(list[Page], await Batch(gets, PAGES).run())


def fetched(talk: Talk, family: Family = Family.IPV6, path: str = "/metrics") -> Page:
    """What a server's answer comes to."""

    async def scenario() -> Page:
        async with speaking(family, talk) as port:
            return (await got(get(family, port, path)))[0]

    return run(scenario())


@pytest.mark.parametrize("family", Family, ids=str)
def test_a_page_comes_whole(family: Family) -> None:
    heard: list[bytes] = []

    def talk(line: bytes) -> list[bytes]:
        heard.append(line)
        return [OK, b"felix_resync_state 3\n", b"more\n"]

    page = fetched(talk, family)
    assert heard == [b"GET /metrics HTTP/1.0\r\n"]
    assert (page.event, page.status, page.cut) == (Event.ANSWERED, 200, False)
    assert page.body == "felix_resync_state 3\nmore\n"
    assert page.latency is not None


def test_a_refusal_is_an_answer() -> None:
    page = fetched(lambda _: [b"HTTP/1.1 503 Service Unavailable\r\n\r\nnot ready"])
    assert (page.event, page.status, page.body) == (Event.ANSWERED, 503, "not ready")


def test_a_long_page_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "PAGE_LIMIT", 100)
    page = fetched(lambda _: [OK, b"x" * 5000])
    assert (page.event, page.cut) == (Event.ANSWERED, True)
    assert len(page.body) == 100 - len(OK)


@pytest.mark.parametrize(
    ("said", "event"),
    [
        ([], Event.CLOSED),
        ([b"SSH-2.0-OpenSSH_9.6\r\n\r\n"], Event.CORRUPTED),
        ([b"\r\n\r\n"], Event.CORRUPTED),
        ([b"HTTP/1.0 200 OK\r\nContent-Type"], Event.CORRUPTED),
        ([b"HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\n12345"], Event.CLOSED),
    ],
)
def test_what_is_no_whole_answer_is_none(said: list[bytes], event: str) -> None:
    assert fetched(lambda _: said).event == event


@pytest.mark.parametrize("status", [b"2 00", b"abc", b"9" * 5000])
def test_an_odd_status_is_none(status: bytes) -> None:
    assert fetched(lambda _: [b"HTTP/1.0 " + status + b" OK\r\n\r\n"]).status == 0


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert fetched(lambda _: [OK, b"\xff\x00"]).body == "\ufffd\x00"


@pytest.mark.parametrize("path", ["metrics", "/a b", "/a\r\nHost: b", "/\u00e4", "/" + "a" * 200])
def test_a_path_that_cannot_be_is_refused(path: str) -> None:
    page = fetched(lambda _: [OK], path=path)
    assert (page.event, page.error) == (Event.FAILED, "EINVAL")


def test_nobody_there_is_a_reset() -> None:
    async def scenario() -> Page:
        return (await got(get(Family.IPV6, free_port())))[0]

    assert run(scenario()).event == Event.RESET


def test_an_agent_fetches_few_at_a_time() -> None:
    async def scenario() -> protocol.Fetched:
        async with speaking(Family.IPV4, lambda _: [OK, b"here"]) as port:
            agent = Agent(Server())
            many = protocol.Fetch([get(Family.IPV4, port)] * (protocol.PAGES + 1))
            with pytest.raises(ValueError, match="at most 8"):
                await agent.answer(many)
            few = protocol.Fetch([get(Family.IPV4, port), get(Family.IPV4, free_port())])
            answer = await agent.answer(few)
            assert isinstance(answer, protocol.Fetched)
            return answer

    found = run(scenario())
    assert [page.event for page in found.pages] == [Event.ANSWERED, Event.RESET]
    assert found.pages[0].body == "here"
