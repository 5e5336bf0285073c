"""Source ports of TCP and UDP flows."""

from __future__ import annotations

import errno
import random
import socket

from sixproof.agent import files


class SourcePorts:
    """Source ports of TCP and UDP flows: each in its turn, so that one comes again only after all
    others.

    A kernel gives a random one. Connection tracking takes a flow from the port of an earlier one
    to the same server for that earlier one: it lets it through whatever policy says by then, and
    leaves untranslated what met a service before the node had its rules.
    """

    TRIES = 100

    def __init__(self) -> None:
        found = files.read("/proc/sys/net/ipv4/ip_local_port_range").split()
        self.first, self.last = map(int, found) if len(found) == 2 else (32768, 60999)
        self.next = random.randint(self.first, self.last)  # noqa: S311

    def bind(self, sock: socket.socket) -> None:
        """Bind to the next port that is free; where so many are taken, the kernel may choose."""
        any_address = "::" if sock.family == socket.AF_INET6 else ""
        for _ in range(self.TRIES):
            port = self.next
            self.next = port + 1 if port < self.last else self.first
            try:
                sock.bind((any_address, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return


SOURCE_PORTS = SourcePorts()
