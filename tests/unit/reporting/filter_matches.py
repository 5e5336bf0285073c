"""Matches of packet filter rules, written as a report says them."""

from __future__ import annotations

import re

from sixproof.agent.protocol import MatchSeen

_OPERATORS = ("not", "below", "at most", "above", "at least")
_PROTOCOL = r"(?:tcp|udp|sctp|icmp|icmpv6|protocol \d+)"
_BARE = re.compile(rf"(?:{_PROTOCOL}(?: and {_PROTOCOL})*)|IPv[46]|\d+ bytes")


def matching(text: str) -> list[MatchSeen]:
    """``IPv6, tcp, dport 80 and 443``: comparisons, each with its values."""
    return [_comparison(one) for one in text.split(", ") if one]


def _comparison(text: str) -> MatchSeen:
    operator, bare = _operator(text)
    if _BARE.fullmatch(bare):
        field = "family" if bare.startswith("IPv") else "protocol"
        field, bare = ("length", bare[:-6]) if bare.endswith(" bytes") else (field, bare)
        return MatchSeen(field, operator, bare.split(" and "))
    if text in ("hop-by-hop options", "destination options", "routing header", "header bytes"):
        return MatchSeen(text, "", [])
    state = text.startswith("connection state ")
    field, rest = ("connection state", text[17:]) if state else text.partition(" ")[::2]
    operator, rest = _operator(rest)
    if rest == "in a set":
        return MatchSeen(field, operator, [], looked_up=True)
    values = re.split(" and | or ", rest) if rest else []
    unlisted = int(values.pop().split()[0]) if values and values[-1].endswith(" more") else 0
    return MatchSeen(field, operator, values, unlisted)


def _operator(text: str) -> tuple[str, str]:
    """The operator with which a text begins, and the rest."""
    return next(
        ((o, text.removeprefix(f"{o} ")) for o in _OPERATORS if text.startswith(f"{o} ")),
        ("", text),
    )
