"""Batches: many flows at once, and by which protocols they may be tried."""

from __future__ import annotations

import asyncio
import resource
import typing

from sixproof.agent import protocol
from sixproof.agent.client.attempt import Attempt
from sixproof.agent.client.bulk import TcpBulk
from sixproof.agent.client.datagrams import IcmpAttempt, UdpAttempt
from sixproof.agent.client.exchange import TcpExchange, UdpExchange
from sixproof.agent.client.tcp import TcpAttempt

Attempts = typing.Mapping[str, type[Attempt]]
"""How a flow is tried, by its protocol."""
ATTEMPTS: Attempts = {"tcp": TcpAttempt, "udp": UdpAttempt, "icmp": IcmpAttempt}
EXCHANGES: Attempts = {"tcp": TcpExchange, "udp": UdpExchange}
TRANSFERS: Attempts = {"tcp": TcpBulk}


class Batch:
    """Many flows at once: all that fit the file limit, the rest as places become free."""

    def __init__(
        self, flows: typing.Sequence[protocol.FlowSpec], kinds: Attempts = ATTEMPTS
    ) -> None:
        self.kinds = kinds
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.room = max(16, min(4000, limit // 2))
        self.results: list[protocol.FlowResult | None] = [None] * len(flows)
        self.waiting = list(reversed(list(enumerate(flows))))
        self.under_way = 0
        self.finished = asyncio.get_running_loop().create_future()

    async def run(self) -> list[protocol.FlowResult]:
        """Results in the order of the flows."""
        self.fill()
        try:
            await self.finished
        finally:
            self.waiting.clear()  # cancelled: what has not been tried is dropped
        return typing.cast(list[protocol.FlowResult], self.results)

    def fill(self) -> None:
        """Start as many as there is room for."""
        started = 0
        while self.waiting and self.under_way < self.room and started < 64:
            index, spec = self.waiting.pop()
            self.under_way += 1
            started += 1
            self.start(index, spec)
        if self.waiting and self.under_way < self.room:
            asyncio.get_running_loop().call_soon(self.fill)
        elif not self.waiting and not self.under_way and not self.finished.done():
            self.finished.set_result(None)

    def start(self, index: int, spec: protocol.FlowSpec) -> None:
        """Start one flow."""

        def done(attempt: Attempt) -> None:
            self.results[index] = attempt.result
            self.under_way -= 1
            if self.waiting or not self.under_way:
                asyncio.get_running_loop().call_soon(self.fill)

        kind = self.kinds.get(spec.protocol)
        if kind is None:
            self.results[index] = protocol.FlowResult(
                nonce=spec.nonce,
                event=protocol.Event.FAILED,
                detail=f"protocol {spec.protocol!r} is none of {', '.join(self.kinds)}",
            )
            self.under_way -= 1
            return
        kind(spec, done).start()
