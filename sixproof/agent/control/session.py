"""A session: one runner on the agent's Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from sixproof.agent import identity, protocol
from sixproof.agent.control.agent import Agent

OTHER_KEY = "this agent holds another key than its runner: what it leaves unanswered proves nothing"


class Session:
    """One runner on the Unix socket: requests work side by side, answers carry their number."""

    IN_FLIGHT = 64

    def __init__(
        self, agent: Agent, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.agent = agent
        self.reader = reader
        self.writer = writer
        self.places = asyncio.Semaphore(self.IN_FLIGHT)
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Read requests until the runner goes; what has a token goes on for a while."""
        try:
            while line := await self.line():
                await self.places.acquire()
                task = asyncio.ensure_future(self.work(line))
                self.tasks.add(task)
                task.add_done_callback(self.finished)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            for task in self.tasks:
                task.cancel()
            self.writer.close()

    async def line(self) -> bytes:
        """The next line, empty at the end; one that is too long ends the session with an error."""
        try:
            return await self.reader.readline()
        except ValueError:
            await self.send(protocol.encode_error(0, "line too long"))
            return b""

    def finished(self, task: asyncio.Task[None]) -> None:
        """A request is answered."""
        self.tasks.discard(task)
        self.places.release()
        if not task.cancelled() and task.exception():
            print(f"agent: {task.exception()!r}", file=sys.stderr)  # noqa: T201

    async def work(self, line: bytes) -> None:
        """Answer one line, whatever it holds."""
        number = 0
        try:
            value = protocol.decode_line(line)
            number = value["id"]
            if value.get("key", "") != identity.SEAL.mark:
                raise protocol.ProtocolError(OTHER_KEY)
            token, age = protocol.decode_token(value)
            request = protocol.decode_request(value)
            if token:
                kept = await self.agent.requests.answer(token, age, lambda: self.carry_out(request))
                data = protocol.renumbered(kept, number)
            else:
                data = protocol.renumbered(await self.carry_out(request), number)
        except protocol.ProtocolError as error:
            data = protocol.encode_error(number, str(error))
        await self.send(data)

    async def carry_out(self, request: object) -> bytes:
        """The line that answers a request, without its number."""
        try:
            return protocol.encode_answer(0, await self.agent.answer(request))
        except protocol.ProtocolError as error:
            return protocol.encode_error(0, str(error))
        except (OSError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            return protocol.encode_error(0, f"{type(error).__name__}: {error}")

    async def send(self, data: bytes) -> None:
        """Write with back-pressure."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()
