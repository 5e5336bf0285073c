"""ICMP errors that agents received, as values of the model."""

from __future__ import annotations

from sixproof.agent.protocol import IcmpSeen
from sixproof.model import Family, IcmpError


def icmp_error(seen: IcmpSeen | None, family: Family) -> IcmpError | None:
    """The error that a flow of this family received."""
    if seen is None:
        return None
    return IcmpError(family, seen.type, seen.code, seen.sender, seen.mtu)
