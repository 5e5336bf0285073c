"""CIDRs of manifests: strict reading, and fast membership per family."""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
import re
from collections.abc import Iterable

from sixproof.errors import ManifestError
from sixproof.model import Family, IPAddress, IPNetwork
from sixproof.policy.manifests.manifest import Field, shown


class Flaw(enum.StrEnum):
    """What is wrong with a CIDR."""

    UNPARSEABLE = "cidr-unparseable"
    HOST_BITS = "cidr-host-bits"
    LEADING_ZEROS = "cidr-leading-zeros"
    MAPPED = "cidr-ipv4-mapped"


_LONG_GROUP = re.compile(r"(?<![0-9a-fA-F])0+(?=[0-9a-fA-F]{4}(?![0-9a-fA-F]))", re.ASCII)
"""The zeros before four hexadecimal digits."""
_IPV4 = re.compile(r"[0-9]+(?:\.[0-9]+){3}", re.ASCII)
_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])", re.ASCII)
_MAPPED_BITS = 96
"""The prefix of IPv4-mapped addresses (RFC 4291 section 2.5.5.2)."""


class CidrError(ManifestError):
    """A CIDR is wrong; `flaw` says how."""

    def __init__(self, path: str, reason: str, flaw: Flaw) -> None:
        self.flaw = flaw
        super().__init__(path, reason)


def read_cidr(field: Field, *, bare: bool = False, legacy: bool = False) -> IPNetwork:
    """The network here. With `bare`, an address without prefix length is a host prefix.

    With `legacy` it is read as the API server's legacy validation reads a NetworkPolicy (KEP-4858;
    Kubernetes 1.34 takes all of it, with a warning): bits beyond the prefix are cleared, leading
    zeros dropped, and an IPv4-mapped network is the IPv4 one.

    Text that is valid and not canonical (capitals, zeros written out) is taken as what it means.

    Raises:
        ManifestError: no CIDR. Without `legacy`, also what strict validation refuses, of
            Kubernetes (KEP-4858) and of Calico's own resources: bits set beyond the prefix,
            leading zeros, an IPv4-mapped IPv6 address.
    """
    text = field.text()
    address_text, slash, length = text.partition("/")
    plain = _without_zeros(address_text)
    try:
        address = ipaddress.ip_address(plain)
    except ValueError:
        raise CidrError(
            field.place, f"{shown(text)} is not a CIDR: {_why(address_text)}", Flaw.UNPARSEABLE
        ) from None
    if not slash and bare:
        length = str(address.max_prefixlen)
    bits = _prefix(field, address, length)
    network = ipaddress.ip_network(f"{address}/{bits}", strict=False)
    if address.version == 6 and address.ipv4_mapped is not None:
        if not legacy:
            reason = (
                f"{shown(text)} is an IPv4-mapped address: no packet carries it, write the IPv4 one"
            )
            raise CidrError(field.place, reason, Flaw.MAPPED)
        if bits >= _MAPPED_BITS:
            return ipaddress.ip_network(
                f"{address.ipv4_mapped}/{bits - _MAPPED_BITS}", strict=False
            )
    if legacy:
        return network
    if plain != address_text or length != str(bits):
        reason = f"{shown(text)} has leading zeros, write {network}"
        raise CidrError(field.place, reason, Flaw.LEADING_ZEROS)
    if network.network_address != address:
        reason = f"{shown(text)} has bits set beyond its prefix, write {network}"
        raise CidrError(field.place, reason, Flaw.HOST_BITS)
    return network


def has_padded_octets(text: str) -> bool:
    """Whether the address of a CIDR has leading zeros that parsers read differently: in an IPv4
    octet, or before four hexadecimal digits."""
    address = text.partition("/")[0]
    return _without_zeros(address) != address


def _without_zeros(address: str) -> str:
    """An address without the leading zeros of its IPv4 octets, which are decimal, and of groups
    with more than four hexadecimal digits."""
    head, colon, tail = address.rpartition(":")
    if _IPV4.fullmatch(tail):
        return f"{_LONG_GROUP.sub('', head)}{colon}{_ZEROS.sub('', tail)}"
    return _LONG_GROUP.sub("", address) if colon else address


def _why(text: str) -> str:
    """Why an address does not parse, as far as that is known."""
    for group in text.split(":") if ":" in text else ():
        if group and "." not in group and not all(c in "0123456789abcdefABCDEF" for c in group):
            return f"{shown(group)} is not hexadecimal"
    return f"{shown(text)} is not an IP address"


def _prefix(field: Field, address: IPAddress, length: str) -> int:
    """The prefix length in bits, decimal digits; leading zeros are left to the caller."""
    text = f"{shown(field.value)} is not a CIDR: "
    if "%" in str(address):
        raise CidrError(field.place, f"{text}a zone has no place in it", Flaw.UNPARSEABLE)
    if not length:
        reason = f"{text}the prefix length is missing, write {address}/{address.max_prefixlen}"
        raise CidrError(field.place, reason, Flaw.UNPARSEABLE)
    digits = _ZEROS.sub("", length) if length.isascii() and length.isdigit() else ""
    if not 1 <= len(digits) <= 3 or int(digits) > address.max_prefixlen:
        reason = f"{text}the prefix length must be a number from 0 to {address.max_prefixlen}"
        raise CidrError(field.place, reason, Flaw.UNPARSEABLE)
    return int(digits)


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
