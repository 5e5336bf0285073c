"""The pod's own resolver."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import socket
import threading
import time
import typing

from sixproof.agent import protocol
from sixproof.agent.addresses import plain

RESOLVER_THREADS = 16
LOOKUP_LIMIT = 5000
RESOLVER_FAMILIES = {"any": socket.AF_UNSPEC, "IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}
RESOLVER_ERRORS = {getattr(socket, name): name for name in dir(socket) if name.startswith("EAI_")}
OWN_TROUBLE = ("EAI_MEMORY", "EAI_SYSTEM")
"""Errors that concern this process: out of memory, out of files."""


def looked_up(lookup: protocol.Lookup) -> protocol.Found:
    """One call of getaddrinfo, from a thread; errors are returned as results."""

    def found(event: str, **fields: typing.Any) -> protocol.Found:
        fields.setdefault("addresses", [])
        return protocol.Found(lookup.name, lookup.family, event, **fields)

    name = lookup.name
    if not (name.isascii() and name.isprintable() and 0 < len(name) <= 512 and " " not in name):
        return found(protocol.Event.FAILED, error="EINVAL", detail="no name that can be asked for")
    if lookup.family not in RESOLVER_FAMILIES:
        known = ", ".join(RESOLVER_FAMILIES)
        detail = f"family {lookup.family[:20]!r} is none of {known}"
        return found(protocol.Event.FAILED, error="EINVAL", detail=detail)
    begun = time.monotonic()
    try:
        answers = socket.getaddrinfo(
            name.encode(), None, RESOLVER_FAMILIES[lookup.family], socket.SOCK_STREAM
        )
    except socket.gaierror as error:
        said = RESOLVER_ERRORS.get(error.errno or 0, str(error.errno))
        event = protocol.Event.FAILED if said in OWN_TROUBLE else protocol.Event.ANSWERED
        latency = time.monotonic() - begun
        return found(event, error=said, detail=str(error.strerror), latency=latency)
    except (OSError, ValueError) as error:
        return found(protocol.Event.FAILED, error=type(error).__name__, detail=str(error))
    latency = time.monotonic() - begun
    addresses = list(dict.fromkeys(plain(str(answer[4][0])) for answer in answers))
    return found(protocol.Event.ANSWERED, addresses=addresses, latency=latency)


class Resolver:
    """getaddrinfo blocks and cannot be cancelled: it runs in a few threads that are left to end."""

    def __init__(self) -> None:
        self.busy = 0

    async def run(self, request: protocol.Resolve) -> list[protocol.Found]:
        """Results in the order of the lookups, at the latest when the time is up."""
        if len(request.lookups) > LOOKUP_LIMIT:
            raise ValueError(f"{len(request.lookups)} lookups, at most {LOOKUP_LIMIT} are taken")
        loop = asyncio.get_running_loop()
        results: dict[int, protocol.Found] = {}
        waiting = collections.deque(enumerate(request.lookups))
        begun: set[int] = set()
        finished = asyncio.Event()

        def note(index: int, result: protocol.Found) -> None:
            results[index] = result
            if len(results) == len(request.lookups):
                finished.set()

        def ended() -> None:
            self.busy -= 1

        def work() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nothing waits any more
                while waiting:
                    try:
                        index, lookup = waiting.popleft()
                    except IndexError:
                        break
                    begun.add(index)
                    loop.call_soon_threadsafe(note, index, looked_up(lookup))
                loop.call_soon_threadsafe(ended)

        threads = 0
        for _ in range(min(request.threads, RESOLVER_THREADS - self.busy, len(waiting))):
            try:
                threading.Thread(target=work, name="resolver", daemon=True).start()
            except RuntimeError:  # no more threads for this process
                break
            threads += 1
            self.busy += 1
        if threads:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(finished.wait(), request.timeout)
        waiting.clear()
        return [
            results.get(index) or self.unfinished(lookup, index in begun)
            for index, lookup in enumerate(request.lookups)
        ]

    def unfinished(self, lookup: protocol.Lookup, begun: bool) -> protocol.Found:
        """A lookup that did not return, or that no thread came to."""
        event = protocol.Event.SILENT if begun else protocol.Event.FAILED
        detail = "" if begun else f"no thread came to it in time ({self.busy} are busy)"
        return protocol.Found(lookup.name, lookup.family, event, [], detail=detail)
