"""The server's ports, each in both families unless configured otherwise."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
import typing

from sixproof.agent.server.echo import EchoDatagrams, EchoPort, EchoStreams
from sixproof.agent.server.log import Log

NO_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
"""What a kernel says of a family that it does not have."""
TAKEN = 5.0
"""Seconds for which ports that are taken are tried again: on a node they are until the agent of a
run that is just over has ended, too."""
SERVED: typing.Mapping[str, type[EchoPort]] = {"tcp": EchoStreams, "udp": EchoDatagrams}
"""How a port is served, by its protocol."""
ANY_ADDRESS = {
    "4": (socket.AF_INET, "0.0.0.0"),  # noqa: S104 - a pod's every address
    "6": (socket.AF_INET6, "::"),
}
"""A family and all its addresses, by its digit in ``tcp6/8080``."""


class Server:
    """All ports of the server, in both families."""

    def __init__(self) -> None:
        self.log = Log()
        self.listening: list[str] = []
        self.problems: list[str] = []
        self.complete = True
        self._open: list[EchoPort] = []

    async def listen(self, port_specs: typing.Iterable[str]) -> None:
        """Open ports such as ``tcp/8080``. A family that the pod lacks is noted; a port that cannot
        be had for another reason leaves this server incomplete."""
        deadline = time.monotonic() + TAKEN
        for port_spec in port_specs:
            name, _, port = port_spec.partition("/")
            protocol = name.rstrip("".join(ANY_ADDRESS))
            if protocol not in SERVED:
                known = ", ".join(SERVED)
                self.problems.append(f"{port_spec}: protocol {protocol!r} is none of {known}")
                self.complete = False
                continue
            wanted = name[len(protocol) :]
            for digit, (family, any_address) in ANY_ADDRESS.items():
                if wanted not in ("", digit):
                    continue
                try:
                    await self._listen(protocol, family, any_address, int(port), deadline)
                except OSError as error:
                    self.problems.append(f"{port_spec} on {any_address}: {error.strerror}")
                    self.complete &= error.errno in NO_FAMILY

    async def _listen(
        self, protocol: str, family: int, any_address: str, port: int, deadline: float
    ) -> None:
        while True:
            try:
                await self._open_port(protocol, family, any_address, port)
                return
            except OSError as error:
                if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.1)

    async def _open_port(self, protocol: str, family: int, any_address: str, port: int) -> None:
        kind = SERVED[protocol]
        sock = socket.socket(family, kind.KIND)
        try:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind.REUSED)
            sock.bind((any_address, port))
        except OSError:
            sock.close()
            raise
        opened = kind(self.log, sock)
        await opened.open()
        self._open.append(opened)
        shown = f"[{any_address}]" if family == socket.AF_INET6 else any_address
        self.listening.append(f"{protocol}/{shown}:{port}")

    def close(self) -> None:
        """Close every port."""
        for port in self._open:
            port.close()
