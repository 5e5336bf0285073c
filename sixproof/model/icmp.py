"""ICMP errors: what a router, a host or a filter reports about a packet, in the words of the RFCs.

An agent sees numbers, type 3 and code 0 from 2001:db8::1; reports show ``ICMPv6 Time Exceeded: hop
limit exceeded in transit, from 2001:db8::1``.
"""

from __future__ import annotations

import dataclasses

from sixproof.model.family import Family
from sixproof.model.protocol import Protocol

_V6 = {
    1: (
        "Destination Unreachable",
        {
            0: "no route to destination",
            1: "administratively prohibited",
            2: "beyond scope of source address",
            3: "address unreachable",
            4: "port unreachable",
            5: "source address failed ingress or egress policy",
            6: "reject route to destination",
            7: "error in source routing header",
        },
    ),
    2: ("Packet Too Big", {}),
    3: (
        "Time Exceeded",
        {0: "hop limit exceeded in transit", 1: "fragment reassembly time exceeded"},
    ),
    4: (
        "Parameter Problem",
        {
            0: "erroneous header field",
            1: "unrecognized Next Header",
            2: "unrecognized IPv6 option",
            3: "first fragment has incomplete header chain",
        },
    ),
}
"""RFC 4443 section 3, RFC 6550 section 20.18 (code 7), RFC 7112 section 5 (code 3)."""
_V4 = {
    3: (
        "Destination Unreachable",
        {
            0: "network unreachable",
            1: "host unreachable",
            2: "protocol unreachable",
            3: "port unreachable",
            4: "fragmentation needed and DF set",
            5: "source route failed",
            6: "destination network unknown",
            7: "destination host unknown",
            8: "source host isolated",
            9: "network administratively prohibited",
            10: "host administratively prohibited",
            11: "network unreachable for type of service",
            12: "host unreachable for type of service",
            13: "administratively prohibited",
            14: "host precedence violation",
            15: "precedence cutoff in effect",
        },
    ),
    4: ("Source Quench", {}),
    5: ("Redirect", {}),
    11: (
        "Time Exceeded",
        {0: "time to live exceeded in transit", 1: "fragment reassembly time exceeded"},
    ),
    12: (
        "Parameter Problem",
        {0: "erroneous header field", 1: "missing a required option", 2: "bad length"},
    ),
}
"""RFC 792, RFC 1122 section 3.2.2, RFC 1812 section 5.2.7.1."""
_TABLES = {Family.IPV6: _V6, Family.IPV4: _V4}
_PROHIBITED = {
    Family.IPV6: frozenset({(1, 1), (1, 5), (1, 6)}),
    Family.IPV4: frozenset({(3, 9), (3, 10), (3, 13)}),
}


@dataclasses.dataclass(frozen=True, slots=True)
class IcmpError:
    """One error. `sender` is an address, empty if unknown; `mtu`, bytes, is set where the message
    contains one."""

    family: Family
    kind: int
    code: int
    sender: str = ""
    mtu: int | None = None

    @property
    def name(self) -> str:
        """Its name: ``ICMPv6 Time Exceeded: hop limit exceeded in transit``. One that no RFC names
        is shown in numbers."""
        protocol = Protocol.ICMP.named_for(self.family)
        if self.kind not in _TABLES[self.family]:
            return f"{protocol} type {self.kind} code {self.code}"
        kind, codes = _TABLES[self.family][self.kind]
        unnamed = f"code {self.code}" if self.code else ""
        return ": ".join(filter(None, (f"{protocol} {kind}", codes.get(self.code, unnamed))))

    @property
    def prohibited(self) -> bool:
        """Whether it comes from a filter (RFC 4443 section 3.1, RFC 1812 section 5.2.7.1)."""
        return (self.kind, self.code) in _PROHIBITED[self.family]

    @property
    def too_big(self) -> bool:
        """Whether it is a Packet Too Big (RFC 4443 section 3.2; over IPv4 RFC 1191 section 4)."""
        return (self.kind, self.code) == ((2, 0) if self.family is Family.IPV6 else (3, 4))

    def __str__(self) -> str:
        mtu = "" if self.mtu is None else f", MTU {self.mtu}"
        return f"{self.name}{mtu}, from {self.sender or 'an unknown sender'}"
