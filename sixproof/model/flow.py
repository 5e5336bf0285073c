"""Flows: one source, one destination, one family, one protocol, one port."""

from __future__ import annotations

import dataclasses

from sixproof.model.endpoint import Endpoint
from sixproof.model.family import Family, IPAddress, host_literal
from sixproof.model.protocol import Protocol


@dataclasses.dataclass(frozen=True, slots=True)
class Flow:
    """The question of one probe: can `source` reach `destination` this way?

    `address` is the address that the client dials (a clusterIP differs from the backend's address);
    `port` is the port it dials, None for ICMP echo. `question` is what is asked beyond whether the
    flow is carried (``1430 bytes``, a name to resolve), "" for nothing. `about` is the family that
    such a question concerns if it differs from that of the address: AAAA records queried over IPv4.
    """

    source: Endpoint
    destination: Endpoint
    address: IPAddress
    protocol: Protocol
    port: int | None = None
    question: str = ""
    about: Family | None = None

    @property
    def family(self) -> Family:
        """The family in question: that of the dialled address unless `about` is set."""
        return self.about or Family.of(self.address)

    @property
    def port_spec(self) -> str:
        """Protocol and port as one word: ``tcp/8080``, ``udp/8081``, ``icmpv6``."""
        name = self.protocol.named_for(self.family).lower()
        return name if self.port is None else f"{name}/{self.port}"

    @property
    def asked(self) -> str:
        """The port and the question: ``udp/53 web.shop.svc``."""
        return f"{self.port_spec} {self.question}" if self.question else self.port_spec

    @property
    def crosses_nodes(self) -> bool:
        """Whether source and destination are on different, known nodes."""
        known = bool(self.source.node and self.destination.node)
        return known and self.source.node != self.destination.node

    def __str__(self) -> str:
        return (
            f"{self.source.name} -> {self.destination.name} over {self.family} {self.asked} "
            f"({host_literal(self.address, self.port)})"
        )
