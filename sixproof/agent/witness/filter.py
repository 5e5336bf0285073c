"""The packet filter, by nfnetlink: which rules drop, and what they counted. Needs NET_ADMIN."""

from __future__ import annotations

import contextlib
import struct
import typing

from sixproof.agent import protocol
from sixproof.agent.witness import filter_sets
from sixproof.agent.witness.filter_match import Match, Members
from sixproof.agent.witness.filter_sets import Place, wanted
from sixproof.agent.witness.netlink import Netlink, attributes, big, every_attribute, signed, text

NETLINK_NETFILTER = 12
NFTABLES = 10 << 8
GETCHAIN, GETRULE = NFTABLES | 4, NFTABLES | 7
FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
HOOKS = ("prerouting", "input", "forward", "output", "postrouting", "ingress")
REWRITING = ("nat", "masq", "redir")
SOURCE = {"payload": 5, "exthdr": 7}
"""The attribute by which such an expression writes instead of reading."""
VERDICTS = {0: "drop", 1: "accept", -5: "return"}
REFUSING = ("drop", "reject")
ACTING = (*REFUSING, "nat", "rewrite")
TRANSLATED = {"masq": "source", "redir": "destination"}
"""The address that such an expression translates."""
JUMP, GOTO = -3, -4
LIMIT = 60_000
"""Chains, and rules, that are taken: kube-proxy makes some five a service and backend."""


def packet_filter() -> protocol.FilterSeen:
    """Base chains with all of their rules, and the rules of other chains that drop or reject."""
    try:
        with contextlib.closing(Netlink(NETLINK_NETFILTER)) as kernel:
            everything = struct.pack("!BBH", 0, 0, 0)
            chains, more = kernel.dump(GETCHAIN, everything, LIMIT)
            dumped, further = kernel.dump(GETRULE, everything, LIMIT)
            bases = [c for c in map(chain, chains) if c.hook]
            rules = _telling(bases, dumped)
            unclear = [data for data, r in rules if r.verdict in ACTING and _asks_a_set(r)]
            sets = {place: filter_sets.read(kernel, place) for place in wanted(unclear)}
    except OSError as error:
        return protocol.FilterSeen([], [], error=str(error.strerror or error))
    read = [rule(data, sets) if sets and _asks_a_set(r) else r for data, r in rules]
    return protocol.FilterSeen(bases, read, more or further)


def _asks_a_set(of: protocol.FilterRuleSeen) -> bool:
    """Whether a rule looks up a set whose members are not known."""
    return any(one.looked_up and not one.values for one in of.match)


def _telling(
    bases: typing.Iterable[protocol.ChainSeen], dumped: typing.Iterable[bytes]
) -> list[tuple[bytes, protocol.FilterRuleSeen]]:
    """The rules that decide about packets, with their bytes."""
    based = {(c.family, c.table, c.name) for c in bases}
    return [
        (data, r)
        for data, r in ((data, rule(data, {})) for data in dumped)
        if r.verdict in REFUSING or (r.family, r.table, r.chain) in based
    ]


def chain(data: bytes) -> protocol.ChainSeen:
    """A chain (NFT_MSG_NEWCHAIN)."""
    found = attributes(data[4:])
    hook = attributes(found.get(4, b""))
    where, policy = big(hook.get(1)), big(found.get(5))
    return protocol.ChainSeen(
        family=FAMILIES.get(data[0], str(data[0])),
        table=text(found.get(1)),
        name=text(found.get(3)),
        hook=HOOKS[where] if hook and where < len(HOOKS) else "",
        priority=signed(hook.get(2)),
        policy=("drop" if policy == 0 else "accept") if 5 in found else "",
    )


def rule(data: bytes, sets: typing.Mapping[Place, Members]) -> protocol.FilterRuleSeen:
    """A rule (NFT_MSG_NEWRULE); of `sets` those of its table are what it may look up."""
    found = attributes(data[4:])
    family = FAMILIES.get(data[0], str(data[0]))
    verdict, jump, packets = "", "", None
    changes, number, value = "", None, b""
    here = data[0], text(found.get(1))
    match = Match(family, {name: m for (*place, name), m in sets.items() if (*place,) == here})
    for _, element in every_attribute(found.get(4, b"")):
        expression = attributes(element)
        name, values = text(expression.get(1)), attributes(expression.get(2, b""))
        if name == "counter":
            packets = struct.unpack("!Q", values[2])[0] if len(values.get(2, b"")) == 8 else None
        elif name == "reject" or (name == "target" and text(values.get(1)) == "REJECT"):
            verdict = "reject"
        elif name in REWRITING:
            verdict = "nat"
            nat = "destination" if big(values.get(1)) else "source"
            changes = TRANSLATED.get(name, nat)
        elif name in ("payload", "exthdr") and SOURCE[name] in values:
            verdict = "rewrite"
            changes, number = match.changed(name, values, value)
        elif name == "immediate":
            loaded = attributes(values.get(2, b""))
            value = loaded.get(1, b"")
            said = attributes(loaded.get(2, b""))
            code = signed(said.get(1)) if said else 1
            verdict = VERDICTS.get(code, verdict) if said else verdict
            jump = text(said.get(2)) if code in (JUMP, GOTO) else jump
        else:
            match.take(name, values)
    handle = found.get(3, b"")
    return protocol.FilterRuleSeen(
        family=family,
        table=text(found.get(1)),
        chain=text(found.get(2)),
        handle=struct.unpack("!Q", handle)[0] if len(handle) == 8 else 0,
        verdict=verdict,
        jump=jump,
        packets=packets,
        match=match.seen,
        changes=changes,
        value=number,
    )
