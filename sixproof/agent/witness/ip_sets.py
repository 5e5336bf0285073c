"""Felix's IP sets, which hold whom the selectors of policies mean, by nfnetlink. Needs NET_ADMIN.

With iptables they are sets of ipset(8) (``linux/netfilter/ipset/ip_set.h``), else named sets of
nftables.
"""

from __future__ import annotations

import contextlib
import errno
import re
import socket
import struct
import typing

from sixproof.agent import protocol
from sixproof.agent.witness import filter_sets
from sixproof.agent.witness.filter import FAMILIES, NETLINK_NETFILTER, NFTABLES
from sixproof.agent.witness.netlink import Netlink, Refused, attributes, every_attribute, text

IPSET_LIST = 6 << 8 | 7
IPSET_PROTOCOL = 6
GETSET = NFTABLES | 10
LIMIT = 60_000
"""Messages that are taken."""
SETS, MEMBERS = 1000, 500
"""Sets that are reported, and members of each."""
NAMES = re.compile(r"cali[46]0")
"""Those of Felix, for a selector or a named port; the digit is the IP version."""
UNKNOWN = (errno.EINVAL, errno.EPROTONOSUPPORT, errno.EOPNOTSUPP)
"""What a kernel without ipset, or without nftables, answers."""


def ip_sets() -> protocol.IpSetsSeen:
    """The sets of both kinds."""
    try:
        with contextlib.closing(Netlink(NETLINK_NETFILTER)) as kernel:
            found, more = _or_none(_listed, kernel)
            named, further = _or_none(_named, kernel)
    except OSError as error:
        return protocol.IpSetsSeen([], error=str(error.strerror or error))
    sets = [*found, *named]
    return protocol.IpSetsSeen(sets[:SETS], more or further or len(sets) > SETS)


_Sets = tuple[list[protocol.IpSetSeen], bool]


def _or_none(read: typing.Callable[[Netlink], _Sets], kernel: Netlink) -> _Sets:
    """What is read, nothing where the kernel does not know such sets."""
    try:
        return read(kernel)
    except Refused as refusal:
        if refusal.errno in UNKNOWN:
            return [], False
        raise


def _listed(kernel: Netlink) -> _Sets:
    protocol_version = struct.pack("=HHB3x", 5, 1, IPSET_PROTOCOL)
    body = struct.pack("!BBH", socket.AF_INET, 0, 0) + protocol_version
    messages, more = kernel.dump(IPSET_LIST, body, LIMIT)
    return joined(messages), more


def joined(messages: typing.Iterable[bytes]) -> list[protocol.IpSetSeen]:
    """Sets from the messages of a listing; a large one comes in several."""
    found: dict[str, protocol.IpSetSeen] = {}
    for message in messages:
        held = attributes(message[4:])
        name = text(held.get(2))
        if not NAMES.match(name):
            continue
        family = "IPv6" if name.startswith("cali6") else "IPv4"
        known = found.setdefault(name, protocol.IpSetSeen(name, family, []))
        members = [_member(data) for _, data in every_attribute(held.get(8, b""))]
        known.members.extend(filter(None, members))
    return [_bounded(one) for one in found.values()]


def _member(data: bytes) -> str:
    """The address or prefix of a member, "" where it has none."""
    held = attributes(data)
    address = attributes(held.get(1, b""))
    for kind, family in ((1, socket.AF_INET), (2, socket.AF_INET6)):
        if raw := address.get(kind):
            length = held.get(3, b"")
            text_of = socket.inet_ntop(family, raw)
            full = len(raw) * 8
            return f"{text_of}/{length[0]}" if length and length[0] != full else text_of
    return ""


def _named(kernel: Netlink) -> _Sets:
    messages, more = kernel.dump(GETSET, struct.pack("!BBH", 0, 0, 0), LIMIT)
    sets: list[protocol.IpSetSeen] = []
    for message in messages:
        held = attributes(message[4:])
        table, name = text(held.get(1)), text(held.get(2))
        if not NAMES.match(name) or message[0] not in FAMILIES or len(sets) >= SETS:
            continue
        members = filter_sets.read(kernel, (message[0], table, name))
        family = "IPv6" if name.startswith("cali6") else "IPv4"
        ranges = [r for r in (_range(member, family) for member in members) if r]
        sets.append(protocol.IpSetSeen(name, family, ranges, len(members) >= filter_sets.MEMBERS))
    return sets, more


def _range(member: bytes | tuple[bytes, bytes], family: str) -> str:
    """An address, or the first and the last one; what follows an address (a port) is left away, and
    "" stands for what is none."""
    kind, length = (socket.AF_INET6, 16) if family == "IPv6" else (socket.AF_INET, 4)
    ends = [raw[:length] for raw in (member if isinstance(member, tuple) else (member,))]
    if any(len(raw) < length for raw in ends):
        return ""
    return "-".join(dict.fromkeys(socket.inet_ntop(kind, raw) for raw in ends))


def _bounded(one: protocol.IpSetSeen) -> protocol.IpSetSeen:
    members = one.members
    return protocol.IpSetSeen(one.name, one.family, members[:MEMBERS], len(members) > MEMBERS)
