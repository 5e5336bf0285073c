"""CIDRs of manifests: strict reading, and fast membership per family."""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
from collections.abc import Iterable

from sixproof.errors import ManifestError
from sixproof.model import Family, IPAddress, IPNetwork
from sixproof.policy.manifests.manifest import Field, shown


class Flaw(enum.StrEnum):
    """What is wrong with a CIDR."""

    UNPARSEABLE = "cidr-unparseable"
    HOST_BITS = "cidr-host-bits"
    MAPPED = "cidr-ipv4-mapped"


class CidrError(ManifestError):
    """A CIDR is wrong; `flaw` says how."""

    def __init__(self, path: str, reason: str, flaw: Flaw) -> None:
        self.flaw = flaw
        super().__init__(path, reason)


def read_cidr(field: Field, *, bare: bool = False, masked: bool = False) -> IPNetwork:
    """The network here. With `bare`, an address without prefix length is a host prefix; with
    `masked`, bits beyond the prefix are cleared instead of refused.

    Text that is valid and not canonical (capitals, zeros written out) is taken as what it means.

    Raises:
        ManifestError: no CIDR, bits set beyond the prefix (Kubernetes' strict CIDR validation,
            KEP-4858, and Calico's own), or an IPv4-mapped IPv6 address.
    """
    text = field.text()
    address_text, slash, length = text.partition("/")
    try:
        address = ipaddress.ip_address(address_text)
    except ValueError:
        raise CidrError(
            field.place, f"{shown(text)} is not a CIDR: {_why(address_text)}", Flaw.UNPARSEABLE
        ) from None
    if not slash and bare:
        length = str(address.max_prefixlen)
    _check_prefix(field, address, length)
    network = ipaddress.ip_network(f"{address}/{length}", strict=False)
    if address.version == 6 and address.ipv4_mapped is not None:
        reason = (
            f"{shown(text)} is an IPv4-mapped address: no packet carries it, write the IPv4 one"
        )
        raise CidrError(field.place, reason, Flaw.MAPPED)
    if network.network_address != address and not masked:
        reason = f"{shown(text)} has bits set beyond its prefix, write {network}"
        raise CidrError(field.place, reason, Flaw.HOST_BITS)
    return network


def _why(text: str) -> str:
    """Why an address does not parse, as far as that is known."""
    for group in text.split(":") if ":" in text else ():
        if group and "." not in group and not all(c in "0123456789abcdefABCDEF" for c in group):
            return f"{shown(group)} is not hexadecimal"
    return f"{shown(text)} is not an IP address"


def _check_prefix(field: Field, address: IPAddress, length: str) -> None:
    text = f"{shown(field.value)} is not a CIDR: "
    if "%" in str(address):
        raise CidrError(field.place, f"{text}a zone has no place in it", Flaw.UNPARSEABLE)
    if not length:
        reason = f"{text}the prefix length is missing, write {address}/{address.max_prefixlen}"
        raise CidrError(field.place, reason, Flaw.UNPARSEABLE)
    plain = length.isascii() and length.isdigit() and length == str(int(length[:4]))
    if not plain or int(length) > address.max_prefixlen:
        reason = f"{text}the prefix length must be a number from 0 to {address.max_prefixlen}"
        raise CidrError(field.place, reason, Flaw.UNPARSEABLE)


@dataclasses.dataclass(frozen=True, slots=True)
class Networks:
    """A set of networks, asked with an address as integer and its version."""

    listed: tuple[IPNetwork, ...]
    ipv4: tuple[tuple[int, int], ...]
    ipv6: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, networks: Iterable[IPNetwork]) -> Networks:
        """The set of these."""
        listed = tuple(networks)

        def pairs(version: int) -> tuple[tuple[int, int], ...]:
            return tuple(
                (int(n.network_address), int(n.netmask)) for n in listed if n.version == version
            )

        return cls(listed, pairs(4), pairs(6))

    def has_family(self, version: int) -> bool:
        """Whether any network is of that IP version."""
        return bool(self.ipv4 if version == 4 else self.ipv6)

    def hold(self, version: int, value: int) -> bool:
        """Whether any network holds the address."""
        for network, mask in self.ipv4 if version == 4 else self.ipv6:
            if value & mask == network:
                return True
        return False

    def families(self) -> frozenset[Family]:
        """The families listed."""
        return frozenset(Family.of(n) for n in self.listed)

    def __str__(self) -> str:
        return ", ".join(map(str, self.listed))
