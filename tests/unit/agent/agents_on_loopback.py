"""The agent's parts on the loopback of this machine, inside one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from sixproof.agent import protocol
from sixproof.agent.client.batch import Batch
from sixproof.agent.server.ports import Server
from sixproof.model import Family

T = TypeVar("T")

LOOPBACK = {Family.IPV4: "127.0.0.1", Family.IPV6: "::1"}
DOMAIN = {Family.IPV4: socket.AF_INET, Family.IPV6: socket.AF_INET6}


def run(scenario: Coroutine[Any, Any, T]) -> T:
    """Run a scenario to its end, within bounds."""
    return asyncio.run(asyncio.wait_for(scenario, 20))


def free_port() -> int:
    """A port that is free for TCP and UDP in both families."""
    while True:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            port = 0
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                for family in Family:
                    sock = stack.enter_context(socket.socket(DOMAIN[family], kind))
                    sock.bind((LOOPBACK[family], port))
                    port = sock.getsockname()[1]
            return port


@contextlib.asynccontextmanager
async def serving(*port_specs: str) -> AsyncIterator[Server]:
    """The agent's server, closed afterwards."""
    server = Server()
    await server.listen(port_specs)
    try:
        yield server
    finally:
        server.close()
        await asyncio.sleep(0)


Talk = Callable[[bytes], list[bytes]]
"""From what a client said to what it is answered, in pieces; then the connection ends."""


@contextlib.asynccontextmanager
async def speaking(family: Family, talk: Talk) -> AsyncIterator[int]:
    """A TCP server that is no agent, or a broken one; gives its port."""

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in talk(await reader.readline()):
            writer.write(piece)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(met, LOOPBACK[family], 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


class Datagrams(asyncio.DatagramProtocol):
    """A UDP server that is no agent, or a broken one."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Answer as scripted."""
        for piece in self.talk(data):
            self.transport.sendto(piece, addr)


@contextlib.asynccontextmanager
async def babbling(family: Family, talk: Talk) -> AsyncIterator[int]:
    """Such a UDP server; gives its port."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: Datagrams(talk), (LOOPBACK[family], 0)
    )
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def spec(
    name: str, family: Family, port: int, timeout: float = 5.0, **fields: Any
) -> protocol.FlowSpec:
    """A flow to loopback."""
    nonce = fields.pop("nonce", secrets.token_hex(8))
    address = fields.pop("address", LOOPBACK[family])
    return protocol.FlowSpec(name, address, port, nonce, timeout, **fields)


async def tried(*flows: protocol.FlowSpec) -> list[protocol.FlowResult]:
    """The results of a batch."""
    return await Batch(flows).run()
