"""Routes, as rtnetlink(7) tells them."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import struct
import typing

from sixproof.agent import protocol
from sixproof.agent.addresses import family_of, literal

NLM_REQUEST, NLMSG_ERROR, RTM_NEWROUTE, RTM_GETROUTE = 1, 2, 24, 26
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PREFSRC, RTA_METRICS, RTA_CACHEINFO = 1, 4, 5, 7, 8, 12
RTAX_MTU = 2
CLOCK_TICKS = 100.0
"""Of rta_expires: USER_HZ, 100 on every architecture of today's nodes."""
ROUTE_LIMIT = 2000


def routes(addresses: typing.Sequence[str]) -> list[protocol.RouteSeen]:
    """Ask the kernel for each of these; it answers at once."""
    if len(addresses) > ROUTE_LIMIT:
        raise ValueError(f"{len(addresses)} routes, at most {ROUTE_LIMIT} are taken")
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    with contextlib.closing(sock):
        sock.settimeout(2.0)
        return [route(sock, address) for address in addresses]


def route(sock: socket.socket, address: str) -> protocol.RouteSeen:
    """What the kernel says of one address."""
    raw = ipaddress.ip_address(address).packed
    family = family_of(address)
    body = struct.pack("=BBBBBBBBI", family, len(raw) * 8, 0, 0, 0, 0, 0, 0, 0)
    body += struct.pack("=HH", 4 + len(raw), RTA_DST) + raw
    sock.send(struct.pack("=IHHII", 16 + len(body), RTM_GETROUTE, NLM_REQUEST, 1, 0) + body)
    answer = sock.recv(1 << 16)
    length, kind = struct.unpack_from("=IH", answer)
    if kind != RTM_NEWROUTE:
        number = -struct.unpack_from("=i", answer, 16)[0] if kind == NLMSG_ERROR else 0
        return protocol.RouteSeen(address, error=errno.errorcode.get(number, str(number)))
    found = attributes(answer[28:length])
    mtu = attributes(found.get(RTA_METRICS, b"")).get(RTAX_MTU, b"")
    index, expires = found.get(RTA_OIF, b""), found.get(RTA_CACHEINFO, b"")
    left = struct.unpack_from("=i", expires, 8)[0] if len(expires) >= 12 else 0
    return protocol.RouteSeen(
        address,
        device=device_name(struct.unpack("=I", index)[0]) if index else "",
        gateway=literal(family, found.get(RTA_GATEWAY)),
        source=literal(family, found.get(RTA_PREFSRC)),
        mtu=struct.unpack("=I", mtu)[0] if mtu else 0,
        expires=left / CLOCK_TICKS if mtu and left > 0 else None,
    )


def attributes(data: bytes) -> dict[int, bytes]:
    """Netlink attributes by their type."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def device_name(index: int) -> str:
    """An interface's name, its number where it has gone meanwhile."""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return f"interface {index}"
