"""Where an endpoint of Felix listens, and at which address it is asked. Pure.

Felix hands its setting to Go's net.Listen: no host and an unspecified address (``::``, ``0.0.0.0``)
are every address of both families, ``localhost`` is the first that resolves, IPv4 before IPv6.
"""

from __future__ import annotations

import dataclasses
import ipaddress

from sixproof.kube.api import json_fields
from sixproof.model import Endpoint, Family, IPAddress

_LOCALHOST = "localhost"
_LOOPBACK = ipaddress.ip_address("127.0.0.1")


@dataclasses.dataclass(frozen=True, slots=True)
class Listening:
    """An endpoint's host, as it is set, and its port."""

    host: str
    port: int

    @classmethod
    def of(cls, text: str) -> Listening | None:
        """What ``host:port`` means, None where it is off or has no port."""
        host, _, port = text.rpartition(":")
        if not port.isdigit() or not 0 < int(port) < 65536:
            return None
        return cls(host.removeprefix("[").removesuffix("]"), int(port))

    @property
    def everywhere(self) -> bool:
        """Whether it listens on every address of both families."""
        literal = json_fields.address(self.host)
        return not self.host or (literal is not None and literal.is_unspecified)

    def address(self, family: Family, node: Endpoint) -> IPAddress | None:
        """The address of a family at which it is asked on a node; None where it has none."""
        if self.everywhere:
            return node.address(family)
        literal = _LOOPBACK if self.host == _LOCALHOST else json_fields.address(self.host)
        return literal if literal is not None and Family.of(literal) is family else None

    def __str__(self) -> str:
        return f"{self.host or 'every address'}, port {self.port}"
