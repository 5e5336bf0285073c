"""Socket options for ICMP errors and sizes, and what the kernel reports about them."""

from __future__ import annotations

import errno
import socket
import struct
import typing

from sixproof.agent import protocol

IP_RECVERR, IPV6_RECVERR = 11, 25
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_WANT, PMTUDISC_DO = 10, 23, 1, 2
IP_MTU, IPV6_MTU = 14, 24


def keep_errors(sock: socket.socket, keep: bool) -> None:
    """Whether the kernel keeps ICMP errors for its error queue, and reports soft ones too."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, keep)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, keep)


def discover(sock: socket.socket, how: int) -> None:
    """Whether the kernel may fragment (`PMTUDISC_WANT`) or sets DF (`PMTUDISC_DO`)."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, how)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, how)


def error_name(error: OSError) -> str:
    """The symbol of an error: ``ECONNREFUSED``."""
    number = error.errno or 0
    return errno.errorcode.get(number, str(number))


def told_by(ancillary: typing.Any) -> protocol.IcmpSeen | None:
    """The ICMP error in a message of a socket's error queue, None for an error of the kernel."""
    for _, _, data in ancillary:
        if len(data) < 16:
            continue
        number, origin, kind, code, _, info, _ = struct.unpack("=IBBBBII", data[:16])
        if origin not in (2, 3):  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6
            continue
        mtu = info if number == errno.EMSGSIZE else None
        return protocol.IcmpSeen(kind, code, offender(data[16:]), mtu)
    return None


def offender(data: bytes) -> str:
    """The address in a sockaddr that follows a struct sock_extended_err, empty without one."""
    family = struct.unpack("=H", data[:2])[0] if len(data) >= 2 else 0
    if family == socket.AF_INET6 and len(data) >= 24:
        return socket.inet_ntop(socket.AF_INET6, data[8:24])
    if family == socket.AF_INET and len(data) >= 8:
        return socket.inet_ntop(socket.AF_INET, data[4:8])
    return ""


def event_of(number: int, sent: bool) -> str:
    """The event that an errno means; `sent` says whether anything left the socket earlier."""
    if number in (errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE):
        return protocol.Event.RESET
    if number == errno.EMSGSIZE:
        return protocol.Event.TOO_BIG
    if number in (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EACCES):
        # EACCES is ICMPv6 "administratively prohibited", or a prohibit route of the pod itself
        return protocol.Event.UNREACHABLE if sent else protocol.Event.NO_ROUTE
    if number in (errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENOPROTOOPT, errno.EPROTO):
        return protocol.Event.UNREACHABLE
    if number == errno.EINVAL and not sent:  # a blackhole route of the pod itself
        return protocol.Event.NO_ROUTE
    if number == errno.ETIMEDOUT:
        return protocol.Event.SILENT
    return protocol.Event.FAILED


def path_mtu(sock: socket.socket) -> int:
    """The path MTU of a connected socket, by its kernel."""
    if sock.family == socket.AF_INET6:
        return sock.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU)
    return sock.getsockopt(socket.IPPROTO_IP, IP_MTU)
