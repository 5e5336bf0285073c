"""Health ports of daemons on loopback: is the process there, and does it answer?"""

from __future__ import annotations

import asyncio
import contextlib
import os
import typing

from sixproof.agent import protocol

PATIENCE = 2.0
"""Seconds that one may take: a process that stands still takes connections and answers none."""
LONGEST = 4000
"""Bytes of an answer that are taken."""
LOOPBACK = ("127.0.0.1", "::1")
MOST = 16


async def health(asked: typing.Sequence[str]) -> list[protocol.HealthSeen]:
    """Ask each (``10256/healthz``), side by side."""
    if len(asked) > MOST:
        raise ValueError(f"{len(asked)} health ports, at most {MOST} are asked")
    return await asyncio.gather(*map(one, asked))


async def one(asked: str) -> protocol.HealthSeen:
    """One port, over the first loopback address that takes the connection."""
    port, _, path = asked.partition("/")
    problem = ""
    for address in LOOPBACK:
        try:
            answer = await asyncio.wait_for(get(address, int(port), path), PATIENCE)
        except TimeoutError:
            return protocol.HealthSeen(asked, 0, error=f"no answer within {PATIENCE:g} s")
        except OSError as error:
            problem = problem or (os.strerror(error.errno) if error.errno else str(error))
            continue
        head, _, body = answer.partition("\r\n\r\n")
        words = head.split(None, 2)
        status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        return protocol.HealthSeen(asked, status, body.strip(), "" if status else "no HTTP")
    return protocol.HealthSeen(asked, 0, error=problem)


async def get(address: str, port: int, path: str) -> str:
    """What an HTTP server says, from its status line on."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(f"GET /{path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        data = b""
        while len(data) < LONGEST and (more := await reader.read(LONGEST - len(data))):
            data += more
        return data.decode(errors="replace")
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
