"""Which packets a rule takes, in the words of RFCs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from sixproof.agent.protocol import MatchSeen
from sixproof.model import Family

_Kind = tuple[tuple[str, ...], ...]
"""Some comparisons, each a field and the values that it may have."""

_MESSAGES: Mapping[_Kind, str] = {
    (("protocol", "icmpv6"), ("type", "2")): "ICMPv6 Packet Too Big messages",
    (("protocol", "icmpv6"), ("type", "3")): "ICMPv6 Time Exceeded messages",
    (("protocol", "icmpv6"), ("type", "1")): "ICMPv6 Destination Unreachable messages",
    (
        ("protocol", "icmpv6"),
        ("type", "135", "136"),
    ): "ICMPv6 Neighbor Solicitations and Advertisements",
    (("protocol", "icmpv6"), ("type", "135")): "ICMPv6 Neighbor Solicitations",
    (("protocol", "icmpv6"), ("type", "136")): "ICMPv6 Neighbor Advertisements",
    (("protocol", "icmpv6"), ("type", "134")): "ICMPv6 Router Advertisements",
    (
        ("protocol", "icmp"),
        ("type", "3"),
        ("code", "4"),
    ): "ICMP Fragmentation Needed messages",
}
"""What a rule takes by its match: these are of one family by their name."""
_PACKETS: Mapping[_Kind, str] = {
    (("protocol", "udp"), ("dport", "4789")): "VXLAN packets",
    (("protocol", "tcp"), ("flags", "syn")): "TCP SYNs",
    (("fragment",),): "fragments",
    (("protocol", "tcp", "udp"),): "TCP and UDP packets",
    (("protocol", "udp", "tcp"),): "TCP and UDP packets",
    (("protocol", "tcp"),): "TCP packets",
    (("protocol", "udp"),): "UDP packets",
    (("protocol", "sctp"),): "SCTP packets",
    (("protocol", "icmp"),): "ICMP packets",
    (("protocol", "icmpv6"),): "ICMPv6 packets",
}
"""The same of either family, the longest match first."""
_VXLAN = {("protocol", "udp"), ("dport", "4789")}
_WAYS = {("iifname", "cali*"): "from its pods", ("oifname", "cali*"): "to its pods"}
_ICMP = {Family.IPV6: "icmpv6", Family.IPV4: "icmp"}
_ITSELF = ("protocol", "family")
"""Fields whose values need no name before them."""
_BITS = ("flags", "connection state")


@dataclasses.dataclass(frozen=True)
class TakenPackets:
    """What a rule takes: `packets`, the `way` of which the match itself says it ("" if it does
    not), and the `rest` of the match."""

    packets: str
    way: str
    rest: str


def family_asked(match: Iterable[MatchSeen]) -> Family | None:
    """The family for which a match asks, itself or by its ICMP."""
    asked = {_plain(one) for one in match}
    return next(
        (f for f, icmp in _ICMP.items() if {("family", f), ("protocol", icmp)} & asked), None
    )


def takes_only(match: Iterable[MatchSeen]) -> str:
    """The protocol of all packets that a match takes (``tcp``, ``icmpv6``, ``vxlan``), "" where
    there may be several."""
    asked = {_plain(one) for one in match}
    if asked >= _VXLAN:
        return "vxlan"
    return next((one[1] for one in asked if len(one) == 2 and one[0] == "protocol"), "")


def taken_packets(
    match: Sequence[MatchSeen], family: Family | None, hook_known: bool
) -> TakenPackets:
    """Which packets a match takes; they are of a family, None for both. Of a chain whose hook is
    known it need not be said that they are all there are."""
    left = [one for one in match if _plain(one) not in {("family", f) for f in Family}]
    way = next((_WAYS[plain] for one in left if (plain := _plain(one)) in _WAYS), "")
    left = [one for one in left if _plain(one) not in _WAYS]
    of = f"{family} " if family else ""
    for table, prefix in ((_MESSAGES, ""), (_PACKETS, of)):
        for kind, words in table.items():
            if (rest := _without(left, kind)) is not None:
                return TakenPackets(f"{prefix}{words}", way, _said(rest))
    every = "" if left or way or hook_known else "all "
    return TakenPackets(f"{every}{of}packets", way, _said(left))


def _plain(one: MatchSeen) -> tuple[str, ...]:
    """The field and its values, where nothing else is said of them; else nothing."""
    return () if one.operator or one.unlisted else (one.field, *one.values)


def _without(match: Sequence[MatchSeen], kind: _Kind) -> list[MatchSeen] | None:
    """A match without these comparisons, which are consecutive in it; None where they are not."""
    size = len(kind)
    for at in range(len(match) - size + 1):
        if tuple(map(_plain, match[at : at + size])) == kind:
            return [*match[:at], *match[at + size :]]
    return None


def _said(match: Iterable[MatchSeen]) -> str:
    return ", ".join(map(comparison_said, match))


def comparison_said(one: MatchSeen) -> str:
    """A comparison: ``dport 80 and 443``, ``iifname not eth0``, ``above 1350 bytes``."""
    operator = f"{one.operator} " if one.operator else ""
    if not one.values:
        unread = f"{one.field} {operator}in a set"
        return unread if one.looked_up else f"{operator}{one.field}"
    more = [f"{one.unlisted} more"] if one.unlisted else []
    values = operator + (" or " if one.field in _BITS else " and ").join((*one.values, *more))
    if one.field == "length":
        return f"{values} bytes"
    return values if one.field in _ITSELF else f"{one.field} {values}"
