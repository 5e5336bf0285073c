"""Addresses that endpoints are said to have."""

from __future__ import annotations

import ipaddress

from sixproof.model import IPAddress
from sixproof.policy.manifests.manifest import shown


def read_address(text: str) -> IPAddress:
    """The address of an endpoint.

    Raises:
        ValueError: the text is no address, or one that no packet between endpoints carries: an
            IPv4-mapped one (RFC 4291 section 2.5.5.2), one with a zone (RFC 4007 section 11), or
            the unspecified one.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{shown(text)} is not an IP address") from None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            bare = text.partition("%")[0]
            raise ValueError(f"{shown(text)} has a zone, which no packet carries: write {bare}")
        if address.ipv4_mapped is not None:
            raise ValueError(
                f"{shown(text)} is an IPv4-mapped address, which no packet carries: "
                f"write {address.ipv4_mapped}"
            )
    if address.is_unspecified:
        raise ValueError(f"{shown(text)} is the unspecified address, which no host has")
    return address


def looks_like_one(text: str) -> bool:
    """Whether a text means to be an address, well or badly written."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
