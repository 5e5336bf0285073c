"""Outcomes: what was seen of a flow, as a class rather than a boolean."""

from __future__ import annotations

import enum


class Outcome(enum.StrEnum):
    """The classes of design contract 2. UNKNOWN never passes."""

    ALLOWED = "ALLOWED"  # the nonce came back
    DROPPED = "DROPPED"  # silence at the client, no arrival at the server
    REJECTED = "REJECTED"  # a reset or an ICMP error that a policy sent
    REFUSED = "REFUSED"  # a reset or port-unreachable of a host without a listener
    UNROUTABLE = "UNROUTABLE"  # no route, or an address that does not answer neighbour discovery
    REPLY_LOST = "REPLY_LOST"  # the server saw the request, the client saw no answer
    CORRUPTED = "CORRUPTED"  # an answer came back whose payload differs from what was sent
    MISROUTED = "MISROUTED"  # another endpoint answered
    TOO_BIG = "TOO_BIG"  # the packet exceeds a known path MTU (EMSGSIZE)
    DNS_FAILED = "DNS_FAILED"  # a server's answer, or that of a pod's resolver, is not the truth
    WRONG = "WRONG"  # carried, and not as it must be: a size, a time, an address, a backend
    UNKNOWN = "UNKNOWN"  # could not be measured

    @property
    def works(self) -> bool:
        """Whether the flow carried its request and its answer."""
        return self is Outcome.ALLOWED

    @property
    def measured(self) -> bool:
        """Whether this is evidence about the network."""
        return self is not Outcome.UNKNOWN

    @property
    def mark(self) -> str:
        """One character for matrices that must fit a terminal."""
        return _MARKS[self]


_MARKS = {
    Outcome.ALLOWED: ".",
    Outcome.DROPPED: "X",
    Outcome.REJECTED: "J",
    Outcome.REFUSED: "R",
    Outcome.UNROUTABLE: "U",
    Outcome.REPLY_LOST: "L",
    Outcome.CORRUPTED: "C",
    Outcome.MISROUTED: "M",
    Outcome.TOO_BIG: "B",
    Outcome.DNS_FAILED: "D",
    Outcome.WRONG: "W",
    Outcome.UNKNOWN: "?",
}


class Parity(enum.StrEnum):
    """How the two families of one edge compare (design contract 4)."""

    BOTH_WORK = "both work"
    IPV6_BROKEN = "IPv6 broken"
    IPV4_BROKEN = "IPv4 broken"
    BOTH_BROKEN = "both broken"
    NOT_COMPARED = "not compared"  # one family is absent or was not measured

    @classmethod
    def of(cls, ipv4: Outcome | None, ipv6: Outcome | None) -> Parity:
        """The parity of one edge from its outcome in each family; None where a family is absent."""
        if ipv4 is None or ipv6 is None or not (ipv4.measured and ipv6.measured):
            return cls.NOT_COMPARED
        if ipv4.works and ipv6.works:
            return cls.BOTH_WORK
        if ipv4.works:
            return cls.IPV6_BROKEN
        if ipv6.works:
            return cls.IPV4_BROKEN
        return cls.BOTH_BROKEN
