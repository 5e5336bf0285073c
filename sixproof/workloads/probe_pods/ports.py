"""Ports: the ports that probe pods serve."""

from __future__ import annotations

import dataclasses

from sixproof.model import Protocol


@dataclasses.dataclass(frozen=True, slots=True)
class PortSpec:
    """One protocol and port that a probe pod serves; `port` is None for ICMP echo."""

    protocol: Protocol
    port: int | None = None

    def __str__(self) -> str:
        name = self.protocol.value.lower()
        return name if self.port is None else f"{name}/{self.port}"

    @property
    def port_name(self) -> str:
        """The container port's name, an IANA service name (RFC 6335): ``tcp-8080``."""
        return f"{self.protocol.value.lower()}-{self.port}"


TCP, UDP = PortSpec(Protocol.TCP, 8080), PortSpec(Protocol.UDP, 8080)
"""The port of each protocol that is dialled where one is enough."""
POD_PORTS = (TCP, PortSpec(Protocol.TCP, 8081), UDP, PortSpec(Protocol.UDP, 8081))
"""What every probe pod serves."""

HOST_AGENT_PORTS = (PortSpec(Protocol.TCP, 28080), PortSpec(Protocol.UDP, 28080))
"""Ports that a hostNetwork probe pod serves on its node: below the range of NodePorts (30000 to
32767) and that of ephemeral ports (from 32768: a connection of the node's own may hold any)."""

CLOSED_PORT = 8099
"""A port on which no probe pod listens: what REFUSED looks like."""

ICMP = PortSpec(Protocol.ICMP)
"""ICMP echo (IPv4) and ICMPv6 echo (IPv6), answered by the pod's own kernel."""
