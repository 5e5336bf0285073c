"""The arrival log: which probes of the run reached this server."""

from __future__ import annotations

import collections
import sys
import time
import typing

from sixproof.agent import protocol
from sixproof.agent.addresses import plain

LOG_LIMIT = 16_384  # arrivals; a batch brings one server some hundred and asks for them at its end


class Log:
    """The arrival log, bounded; the oldest entry goes first. What is not of this run is only
    counted: `foreign` by tcp and udp."""

    def __init__(self) -> None:
        self._arrivals: dict[str, protocol.Arrival] = {}
        self.foreign: collections.Counter[str] = collections.Counter()

    def note(self, nonce: str, name: str, peer: typing.Any, local: typing.Any) -> None:
        """Remember that a nonce arrived; the first arrival counts."""
        if nonce in self._arrivals:
            return
        if len(self._arrivals) >= LOG_LIMIT:
            del self._arrivals[next(iter(self._arrivals))]
        self._arrivals[nonce] = protocol.Arrival(
            nonce=nonce,
            protocol=name,
            peer=sys.intern(plain(peer[0])),
            peer_port=peer[1],
            local=sys.intern(plain(local[0])),
            local_port=local[1],
            at=time.monotonic(),
        )

    def of(self, nonces: typing.Iterable[str]) -> list[protocol.Arrival]:
        """The arrivals among these nonces."""
        return [self._arrivals[n] for n in nonces if n in self._arrivals]
