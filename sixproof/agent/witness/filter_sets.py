"""Members of nameless sets, as ``tcp dport { 80, 443 }`` makes them: what a rule compares with."""

from __future__ import annotations

import struct
import typing

from sixproof.agent.witness.filter_match import Members
from sixproof.agent.witness.netlink import Netlink, Refused, attributes, big, every_attribute, text

GETSETELEM = 10 << 8 | 13
NAMELESS = "__set"
INTERVAL_END = 1
SETS, MEMBERS = 64, 256
"""Sets that are read, and members of each that are taken."""

Place = tuple[int, str, str]
"""The family's number, the table and the name of a set."""


def wanted(rules: typing.Iterable[bytes]) -> list[Place]:
    """The nameless sets that rules (NFT_MSG_NEWRULE) look up, at most `SETS`."""
    found: dict[Place, None] = {}
    for data in rules:
        rule = attributes(data[4:])
        for _, element in every_attribute(rule.get(4, b"")):
            expression = attributes(element)
            name = text(attributes(expression.get(2, b"")).get(1))
            if text(expression.get(1)) == "lookup" and name.startswith(NAMELESS):
                found[data[0], text(rule.get(1)), name] = None
    return list(found)[:SETS]


def read(kernel: Netlink, place: Place) -> Members:
    """A set's members, at most `MEMBERS`; none where the kernel does not list them (it was deleted
    meanwhile)."""
    try:
        return intervals(elements(kernel, place, MEMBERS)[0][:MEMBERS])
    except Refused:
        return ()


def elements(kernel: Netlink, place: Place, limit: int) -> tuple[list[tuple[bytes, bool]], bool]:
    """What the kernel lists of a set, at most `limit` messages: values, and whether each is the
    first one behind an interval; and whether there are more. Raises Refused."""
    family, table, name = place
    body = struct.pack("!BBH", family, 0, 0) + _string(1, table) + _string(2, name)
    messages, more = kernel.dump(GETSETELEM, body, limit)
    found: list[tuple[bytes, bool]] = []
    for message in messages:
        for _, element in every_attribute(attributes(message[4:]).get(3, b"")):
            held = attributes(element)
            key = attributes(held.get(1, b"")).get(1, b"")
            found.append((key, bool(big(held.get(3)) & INTERVAL_END)))
    return found, more


def intervals(members: typing.Sequence[tuple[bytes, bool]]) -> Members:
    """Values as they are; of intervals, which the kernel keeps as a first value and the first one
    behind the end, first and last. Where one begins behind another, it may be listed without the
    other's end; one without an end goes on to the highest value."""
    if not any(end for _, end in members):
        return tuple(key for key, _ in members)
    found: list[bytes | tuple[bytes, bytes]] = []
    first: bytes | None = None
    for key, end in sorted(members, key=lambda member: (member[0], not member[1])):
        if first is not None:
            last = (int.from_bytes(key, "big") - 1).to_bytes(len(key), "big")
            found.append((first, last))
        first = None if end else key
    if first is not None:
        found.append((first, b"\xff" * len(first)))
    return tuple(found)


def _string(kind: int, value: str) -> bytes:
    data = value.encode() + b"\0"
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)
