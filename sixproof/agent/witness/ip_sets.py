"""Felix's IP sets, which hold the addresses that selectors of policies match, by nfnetlink. Needs
NET_ADMIN.

With iptables they are sets of ipset(8) (``linux/netfilter/ipset/ip_set.h``), else named sets of
nftables.
"""

from __future__ import annotations

import contextlib
import dataclasses
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
NAMES = re.compile(r"cali([46])0[sn][:-]")
"""Those of a selector (s) or a named port (n); the digit is the IP version. Felix has others, for
pools, nodes and services, which differ between families and nodes as they should."""
UNKNOWN = (errno.EINVAL, errno.EPROTONOSUPPORT, errno.EOPNOTSUPP)
"""What a kernel without ipset, or without nftables, answers."""


@dataclasses.dataclass
class IpSet:
    """A set: how many members it has, and which of the addresses `asked` for."""

    name: str
    asked: typing.Mapping[int, str]
    size: int = 0
    exact: dict[str, None] = dataclasses.field(default_factory=dict)
    within: dict[str, None] = dataclasses.field(default_factory=dict)

    def take(self, first: bytes, last: bytes) -> None:
        """Count a member: an address, or all from a first to a last one."""
        self.size += 1
        low, high = int.from_bytes(first, "big"), int.from_bytes(last, "big")
        if low == high:
            if low in self.asked:
                self.exact[self.asked[low]] = None
            return
        for number, address in self.asked.items():
            if low <= number <= high:
                self.within[address] = None

    def seen(self) -> protocol.IpSetSeen:
        """As it is reported."""
        family = "IPv6" if self.name.startswith("cali6") else "IPv4"
        return protocol.IpSetSeen(self.name, family, self.size, list(self.exact), list(self.within))


class Asked:
    """The addresses asked for, as numbers of each family."""

    def __init__(self, addresses: typing.Iterable[str]) -> None:
        self.by_version: dict[str, dict[int, str]] = {"4": {}, "6": {}}
        for address in addresses:
            six = ":" in address
            raw = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, address)
            self.by_version["6" if six else "4"][int.from_bytes(raw, "big")] = address

    def set_of(self, name: str) -> IpSet | None:
        """An empty set of that name, None where it is none of Felix's."""
        ours = NAMES.match(name)
        return IpSet(name, self.by_version[ours[1]]) if ours else None


def ip_sets(addresses: typing.Iterable[str]) -> protocol.IpSetsSeen:
    """The sets of both kinds."""
    asked = Asked(addresses)
    try:
        with contextlib.closing(Netlink(NETLINK_NETFILTER)) as kernel:
            found, more = _or_none(_listed, kernel, asked)
            named, further = _or_none(_named, kernel, asked)
    except OSError as error:
        return protocol.IpSetsSeen([], error=str(error.strerror or error))
    return protocol.IpSetsSeen([one.seen() for one in (*found, *named)], more or further)


_Sets = tuple[list[IpSet], bool]


def _or_none(
    read: typing.Callable[[Netlink, Asked], _Sets], kernel: Netlink, asked: Asked
) -> _Sets:
    """What is read, nothing where the kernel does not know such sets."""
    try:
        return read(kernel, asked)
    except Refused as refusal:
        if refusal.errno in UNKNOWN:
            return [], False
        raise


def _listed(kernel: Netlink, asked: Asked) -> _Sets:
    protocol_version = struct.pack("=HHB3x", 5, 1, IPSET_PROTOCOL)
    body = struct.pack("!BBH", socket.AF_INET, 0, 0) + protocol_version
    messages, more = kernel.dump(IPSET_LIST, body, LIMIT)
    return ([], True) if more else (joined(messages, asked), False)


def joined(messages: typing.Iterable[bytes], asked: Asked) -> list[IpSet]:
    """Sets from the messages of a listing; a large one comes in several."""
    found: dict[str, IpSet] = {}
    for message in messages:
        held = attributes(message[4:])
        name = text(held.get(2))
        one = found.get(name) or asked.set_of(name)
        if one is None:
            continue
        found[name] = one
        for _, data in every_attribute(held.get(8, b"")):
            if member := _member(attributes(data)):
                one.take(*member)
    return list(found.values())


def _member(held: typing.Mapping[int, bytes]) -> tuple[bytes, bytes] | None:
    """The first and the last address of a member, None where it has none."""
    address = attributes(held.get(1, b""))
    raw = address.get(1) or address.get(2)
    if not raw:
        return None
    length = held.get(3, b"")
    free = len(raw) * 8 - (length[0] if length else len(raw) * 8)
    last = int.from_bytes(raw, "big") | (1 << max(free, 0)) - 1
    return raw, last.to_bytes(len(raw), "big")


def _named(kernel: Netlink, asked: Asked) -> _Sets:
    messages, cut = kernel.dump(GETSET, struct.pack("!BBH", 0, 0, 0), LIMIT)
    sets: list[IpSet] = []
    for message in messages:
        held = attributes(message[4:])
        table, name = text(held.get(1)), text(held.get(2))
        one = asked.set_of(name)
        if one is None or message[0] not in FAMILIES:
            continue
        try:
            elements, more = filter_sets.elements(kernel, (message[0], table, name), LIMIT)
        except Refused:  # it was deleted meanwhile
            cut = True
            continue
        if more:
            cut = True
            continue
        length = 16 if name.startswith("cali6") else 4
        for member in filter_sets.intervals(elements):
            first, last = member if isinstance(member, tuple) else (member, member)
            if len(first) >= length:  # a port may follow
                one.take(first[:length], last[:length])
        sets.append(one)
    return sets, cut
