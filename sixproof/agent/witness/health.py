"""Health ports, on loopback and elsewhere: is the process there, and what does it say?"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import typing

from sixproof.agent import protocol

PATIENCE = 2.0
"""Seconds that one may take: a process that hangs accepts connections and answers none."""
LONGEST = 4000
"""Bytes of an answer that are taken."""
LOOPBACK = ("127.0.0.1", "::1")
MOST = 16
MOST_ELSEWHERE = 200
LONGEST_PATH = 200


async def health(asked: typing.Sequence[str]) -> list[protocol.HealthSeen]:
    """Ask each (``10256/healthz``), side by side."""
    if len(asked) > MOST:
        raise ValueError(f"{len(asked)} health ports, at most {MOST} are asked")
    return await asyncio.gather(*map(one, asked))


async def elsewhere(
    asked: typing.Sequence[protocol.ServerAsked],
) -> list[protocol.HealthSeen]:
    """Ask each server at its own address, side by side."""
    if len(asked) > MOST_ELSEWHERE:
        raise ValueError(f"{len(asked)} servers, at most {MOST_ELSEWHERE} are asked")
    for server in asked:
        ipaddress.ip_address(server.address)
        if not 1 <= server.port <= 65535:
            raise ValueError(f"{server.port} is no port")
        if len(server.path) > LONGEST_PATH or not all("!" <= c <= "~" for c in server.path):
            raise ValueError(f"{server.path[:40]!r} is no path of a request")
    return await asyncio.gather(
        *(first(f"{s.address} port {s.port}", [s.address], s.port, s.path) for s in asked)
    )


async def one(asked: str) -> protocol.HealthSeen:
    """One port, over the first loopback address that takes the connection."""
    port, _, path = asked.partition("/")
    return await first(asked, LOOPBACK, int(port), path)


async def first(
    asked: str, addresses: typing.Sequence[str], port: int, path: str
) -> protocol.HealthSeen:
    """The answer at the first of these addresses that takes the connection."""
    problem = ""
    for address in addresses:
        try:
            answer = await asyncio.wait_for(get(address, port, path), PATIENCE)
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
