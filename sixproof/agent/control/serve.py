"""Serving: from the start of the process to SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
import typing

from sixproof.agent import identity, protocol
from sixproof.agent.control.agent import Agent
from sixproof.agent.control.session import Session
from sixproof.agent.server.ports import Server

FILE_LIMIT = 16384


def allow_more_files() -> None:
    """Raise the soft limit of open files as far as is useful and this process may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILE_LIMIT if hard == resource.RLIM_INFINITY else min(hard, FILE_LIMIT)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def serve(path: str, port_specs: typing.Sequence[str]) -> int:
    """Serve until SIGTERM; the exit status. With a port in other hands nothing is served at all:
    what answers there would be taken for this agent."""
    allow_more_files()
    server = Server()
    await server.listen(port_specs)
    for problem in server.problems:
        print(f"not serving {problem}", file=sys.stderr, flush=True)  # noqa: T201
    if not server.complete:
        server.close()
        return 1
    agent = Agent(server)
    watch = asyncio.ensure_future(agent.lag.watch())
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Session(agent, reader, writer).run()

    control = await asyncio.start_unix_server(session, path, limit=protocol.LINE_LIMIT)
    os.chmod(path, 0o600)  # noqa: PTH101
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    print("serving " + " ".join(server.listening), file=sys.stderr, flush=True)  # noqa: T201
    await stop.wait()
    control.close()
    server.close()
    watch.cancel()
    return 0


def main(arguments: typing.Sequence[str]) -> int:
    """Entry point of the pod."""
    if len(arguments) >= 2 and arguments[0] == "serve":
        if not identity.SEAL.mark:
            print(f"agent: no key in the file {identity.KEY_FILE!r} of its folder", file=sys.stderr)  # noqa: T201
            return 2
        return asyncio.run(serve(arguments[1], arguments[2:]))
    print("usage: python3 -m sixproof.agent serve SOCKET PORT...", file=sys.stderr)  # noqa: T201
    return 2
