"""Requests by their token: each is worked on once, however many streams ask for it."""

from __future__ import annotations

import asyncio
import collections
import time
import typing

from sixproof.agent import protocol

LINGER = 30.0
"""Seconds that work goes on whose runner is gone, for one that comes back on another stream."""
MOST_BYTES = 4 << 20
"""Answers kept for runners that may not have got them; the newest is kept whatever its size."""
MOST_TOKENS = 10_000
"""Tokens remembered whose answers are no longer kept."""
FORGOTTEN = "its answer is no longer kept"
RESTARTED = "the agent was started after it was asked"

Work = typing.Callable[[], typing.Awaitable[bytes]]


class KnownRequests:
    """What was asked of this agent, with what became of it.

    A load balancer or a restart of the API server cuts exec streams. What was in flight goes on
    here, and the runner asks for it again by its token: a second measurement would be another one.
    """

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.working: dict[str, asyncio.Task[bytes]] = {}
        self.waiting: collections.Counter[str] = collections.Counter()
        self.answered: collections.OrderedDict[str, bytes] = collections.OrderedDict()
        self.held = 0
        self.gone: collections.OrderedDict[str, None] = collections.OrderedDict()

    async def answer(self, token: str, age: float | None, work: Work) -> bytes:
        """The answer to a request. `age` is how many seconds ago it was first asked, None where
        this is the first time.

        Raises:
            ProtocolError: it was asked before, and what became of it is not known here.
        """
        if token in self.answered:
            return self.answered[token]
        task = self.working.get(token)
        if task is None:
            if age is not None:
                self.require_unknown(token, age)
            task = self.working[token] = asyncio.ensure_future(work())
            task.add_done_callback(lambda done: self.keep(token, done))
        self.waiting[token] += 1
        try:
            return await asyncio.shield(task)
        finally:
            self.waiting[token] -= 1
            if not self.waiting[token]:
                del self.waiting[token]
                if not task.done():
                    asyncio.get_running_loop().call_later(LINGER, self.give_up, token, task)

    def require_unknown(self, token: str, age: float) -> None:
        """A request that never came may be worked on.

        Raises:
            ProtocolError: it may have come.
        """
        if token in self.gone:
            raise protocol.ProtocolError(FORGOTTEN)
        if time.monotonic() - self.started < age:
            raise protocol.ProtocolError(RESTARTED)

    def keep(self, token: str, task: asyncio.Task[bytes]) -> None:
        """Work has ended: its answer is kept for a while, older ones make room."""
        self.working.pop(token, None)
        if task.cancelled() or task.exception():
            self.forget(token)
            return
        self.answered[token] = task.result()
        self.held += len(task.result())
        while self.held > MOST_BYTES and len(self.answered) > 1:
            oldest, data = self.answered.popitem(last=False)
            self.held -= len(data)
            self.forget(oldest)

    def forget(self, token: str) -> None:
        """Remember that it was worked on, and no more."""
        self.gone[token] = None
        while len(self.gone) > MOST_TOKENS:
            self.gone.popitem(last=False)

    def give_up(self, token: str, task: asyncio.Task[bytes]) -> None:
        """Nobody came back for it."""
        if not self.waiting[token]:
            task.cancel()
