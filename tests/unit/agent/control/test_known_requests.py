"""Requests by their token: worked on once, whatever becomes of the streams that they came on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sixproof.agent import protocol
from sixproof.agent.control import known_requests
from sixproof.agent.control.known_requests import FORGOTTEN, RESTARTED, KnownRequests
from tests.unit.agent.agents_on_loopback import run


class Work:
    """Something that takes until it is let go, and counts."""

    def __init__(self, answer: bytes = b"answer") -> None:
        self.times = 0
        self.go = asyncio.Event()
        self._answer = answer

    async def __call__(self) -> bytes:
        self.times += 1
        await self.go.wait()
        return self._answer


def test_a_request_that_comes_again_gets_the_answer_to_the_first() -> None:
    """While it is worked on, and afterwards."""

    async def scenario() -> None:
        known, work = KnownRequests(), Work()
        first = asyncio.ensure_future(known.answer("t", None, work))
        await asyncio.sleep(0)
        first.cancel()  # its stream was cut
        again = asyncio.ensure_future(known.answer("t", 0.0, work))
        await asyncio.sleep(0)
        work.go.set()
        assert await again == b"answer"
        assert await known.answer("t", 0.0, work) == b"answer"
        assert work.times == 1

    run(scenario())


def test_a_request_that_never_came_is_worked_on() -> None:
    """It was lost on its way: nothing was measured yet."""

    async def scenario() -> None:
        work = Work()
        work.go.set()
        assert await KnownRequests().answer("t", 0.0, work) == b"answer"
        assert work.times == 1

    run(scenario())


def refusal(scenario: Callable[[Work], Awaitable[object]]) -> str:
    """Why a request is refused, which must not have been worked on again."""

    async def asked() -> str:
        work = Work(b"x" * 10)
        work.go.set()
        with pytest.raises(protocol.ProtocolError) as refused:
            await scenario(work)
        assert work.times < 3
        return str(refused.value)

    return run(asked())


def test_an_agent_that_was_restarted_does_not_know_what_it_did() -> None:
    """Work may have been done before: it is not done again."""
    assert refusal(lambda work: KnownRequests().answer("t", 60.0, work)) == RESTARTED


def test_answers_make_room_for_later_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was dropped is not worked on again; the newest is kept whatever its size."""
    monkeypatch.setattr(known_requests, "MOST_BYTES", 5)

    async def scenario(work: Work) -> None:
        known = KnownRequests()
        await known.answer("old", None, work)
        await known.answer("new", None, work)
        assert await known.answer("new", 0.0, work) == b"x" * 10
        assert list(known.answered) == ["new"]
        await known.answer("old", 0.0, work)

    assert refusal(scenario) == FORGOTTEN


def test_tokens_are_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded."""
    monkeypatch.setattr(known_requests, "MOST_TOKENS", 3)
    known = KnownRequests()
    for number in range(10):
        known.forget(str(number))
    assert list(known.gone) == ["7", "8", "9"]


def test_work_whose_runner_does_not_come_back_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, and is not begun again."""
    monkeypatch.setattr(known_requests, "LINGER", 0.02)

    async def scenario(work: Work) -> None:
        work.go.clear()
        known = KnownRequests()
        first = asyncio.ensure_future(known.answer("t", None, work))
        await asyncio.sleep(0)
        first.cancel()
        for _ in range(500):
            if "t" in known.gone:
                break
            await asyncio.sleep(0.01)
        assert (known.working, dict(known.waiting)) == ({}, {})
        await known.answer("t", 0.0, work)

    assert refusal(scenario) == FORGOTTEN
