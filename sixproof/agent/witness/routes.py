"""Routes, as rtnetlink(7) reports them."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import typing

from sixproof.agent import protocol
from sixproof.agent.addresses import family_of, literal
from sixproof.agent.witness.netlink import Netlink, Refused, attributes, number

RTM_NEWROUTE, RTM_GETROUTE = 24, 26
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PREFSRC, RTA_METRICS, RTA_CACHEINFO = 1, 4, 5, 7, 8, 12
RTAX_LOCK, RTAX_MTU = 1, 2
CLOCK_TICKS = 100.0
"""Of rta_expires: USER_HZ, 100 on every architecture of today's nodes."""
ROUTE_LIMIT = 2000


def routes(addresses: typing.Sequence[str]) -> list[protocol.RouteSeen]:
    """Ask the kernel for each of these; it answers at once."""
    if len(addresses) > ROUTE_LIMIT:
        raise ValueError(f"{len(addresses)} routes, at most {ROUTE_LIMIT} are taken")
    with contextlib.closing(Netlink(socket.NETLINK_ROUTE)) as kernel:
        return [route(kernel, address) for address in addresses]


def route(kernel: Netlink, address: str) -> protocol.RouteSeen:
    """What the kernel says of one address."""
    raw = ipaddress.ip_address(address).packed
    family = family_of(address)
    body = struct.pack("=BBBBBBBBI", family, len(raw) * 8, 0, 0, 0, 0, 0, 0, 0)
    body += struct.pack("=HH", 4 + len(raw), RTA_DST) + raw
    try:
        kind, answer = kernel.ask(RTM_GETROUTE, body)
    except Refused as error:
        return protocol.RouteSeen(address, error=str(error.strerror))
    if kind != RTM_NEWROUTE:
        return protocol.RouteSeen(address, error="0")
    found = attributes(answer[12:])
    metrics = attributes(found.get(RTA_METRICS, b""))
    mtu = metrics.get(RTAX_MTU, b"")
    index, expires = found.get(RTA_OIF, b""), found.get(RTA_CACHEINFO, b"")
    left = struct.unpack_from("=i", expires, 8)[0] if len(expires) >= 12 else 0
    return protocol.RouteSeen(
        address,
        device=device_name(number(index)) if index else "",
        gateway=literal(family, found.get(RTA_GATEWAY)),
        source=literal(family, found.get(RTA_PREFSRC)),
        mtu=number(mtu),
        expires=left / CLOCK_TICKS if mtu and left > 0 else None,
        locked=bool(number(metrics.get(RTAX_LOCK)) & 1 << RTAX_MTU),
    )


def device_name(index: int) -> str:
    """An interface's name, its number where it has gone meanwhile."""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return f"interface {index}"
