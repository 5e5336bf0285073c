"""What a flow carries: transport protocols and ICMP."""

from __future__ import annotations

import enum

from sixproof.model.family import Family


class Protocol(enum.StrEnum):
    """What a flow carries. ``ICMP`` means ICMP over IPv4 and ICMPv6 over IPv6 (echo)."""

    TCP = "TCP"
    UDP = "UDP"
    SCTP = "SCTP"
    ICMP = "ICMP"

    @property
    def has_ports(self) -> bool:
        """Whether flows of this protocol have a port."""
        return self is not Protocol.ICMP

    def named_for(self, family: Family) -> str:
        """The protocol's name on the wire of a family: ``ICMPv6`` for ICMP over IPv6."""
        if self is Protocol.ICMP and family is Family.IPV6:
            return "ICMPv6"
        return self.value
