"""IP families, addresses and their notation."""

from __future__ import annotations

import enum
import ipaddress

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class Family(enum.StrEnum):
    """An IP family, printed as ``IPv4`` or ``IPv6`` as Kubernetes' `ipFamilies` does."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"

    @property
    def version(self) -> int:
        """4 or 6."""
        return 4 if self is Family.IPV4 else 6

    @property
    def other(self) -> Family:
        """The other family of a dual-stack pair."""
        return Family.IPV6 if self is Family.IPV4 else Family.IPV4

    @property
    def bits(self) -> int:
        """Address length in bits: 32 or 128."""
        return 32 if self is Family.IPV4 else 128

    @classmethod
    def of(cls, value: IPAddress | IPNetwork) -> Family:
        """The family of an address or network."""
        return cls.IPV4 if value.version == 4 else cls.IPV6


def within(network: IPNetwork, other: IPNetwork) -> bool:
    """Whether a network lies in another one; one of another family never does."""
    same = network.version == other.version
    return same and network.subnet_of(other)  # type: ignore[arg-type]


def host_literal(address: IPAddress, port: int | None = None) -> str:
    """An address, with its port if given, in the form of RFC 3986: ``[2001:db8::1]:80``."""
    if port is None:
        return str(address)
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
