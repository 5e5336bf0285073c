"""Matches: whether a rule can match a packet."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import ipaddress
from collections.abc import Iterable, Iterator

from sixproof.agent.protocol import MatchSeen
from sixproof.model import IPAddress, IPNetwork

Span = tuple[int, int]
"""The first and the last of some numbers, addresses among them (`span_of`)."""
Spans = tuple[Span, ...]

HIGHEST = 65535
_NAMES = ("protocol", "iifname", "oifname")
_ADDRESSES = ("source", "destination")
_NUMBERS = ("sport", "dport", "type", "code", "length")
_HEADERS = ("fragment", "hop-by-hop options", "destination options", "routing header")
_HELD = {"source": "sources", "destination": "destinations", "length": "lengths"}
"""How a packet calls a field, where it may have several of it."""


@dataclasses.dataclass(frozen=True, slots=True)
class FilteredPacket:
    """What a rule can ask of a packet. None is what is not known: it may have any value.

    `arrives` and `leaves` are devices at the node, none for what the node itself receives or sends;
    a name that ends in ``*`` matches all with that prefix. `hooks` are those that it passes, and
    `headers` what it may have besides the usual ones.
    """

    protocol: str
    sources: Spans | None
    destinations: Spans | None
    sport: Spans | None = ()
    dport: Spans | None = ()
    type: Spans | None = ()
    code: Spans | None = None
    lengths: Spans | None = None
    arrives: frozenset[str] | None = None
    leaves: frozenset[str] | None = None
    hooks: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class MatchTerm:
    """One comparison: `spans` or `names` of a field, or all others where it is `inverted`."""

    field: str
    spans: Spans = ()
    names: tuple[str, ...] = ()
    inverted: bool = False


def takes(match: Iterable[MatchTerm], packet: FilteredPacket) -> bool:
    """Whether a rule with this match may take the packet."""
    return all(_holds(one, packet) for one in match)


def comparisons(match: Iterable[MatchSeen]) -> tuple[MatchTerm, ...]:
    """What a match says about a packet: of others, such as a mark, and of values that are not
    known, nothing."""
    return tuple(one for seen in match for one in _comparison(seen))


def span_of(value: IPAddress | IPNetwork) -> Span:
    """An address, or those of a prefix, as numbers that differ from those of the other family."""
    base = value.version << 128
    if isinstance(value, IPNetwork):
        return base | int(value.network_address), base | int(value.broadcast_address)
    return base | int(value), base | int(value)


def _addresses(text: str) -> Span:
    """The same of an address, a prefix or a range.

    Raises:
        ValueError: it is none of these.
    """
    first, _, last = text.partition("-")
    start = span_of(ipaddress.ip_network(first, strict=False))
    return (start[0], _addresses(last)[1]) if last else start


def _comparison(seen: MatchSeen) -> Iterator[MatchTerm]:
    """None where the values are not known, or are of something else."""
    field, inverted = seen.field, seen.operator == "not"
    if field in _HEADERS and not seen.operator:
        yield MatchTerm("headers", names=(field,))
    elif not seen.values or seen.unlisted:
        return
    elif field in _NAMES:
        yield MatchTerm(field, names=tuple(seen.values), inverted=inverted)
    elif field in (*_ADDRESSES, *_NUMBERS):
        span = _addresses if field in _ADDRESSES else functools.partial(_numbers, seen.operator)
        with contextlib.suppress(ValueError):
            yield MatchTerm(field, tuple(map(span, seen.values)), inverted=inverted)


def _numbers(operator: str, text: str) -> Span:
    """A number or a range, and those that compare like it.

    Raises:
        ValueError: it is no number of 16 bits.
    """
    first, _, last = text.partition("-")
    low, high = int(first), int(last or first)
    if high > HIGHEST:
        raise ValueError(text)
    return {
        "below": (0, low - 1),
        "at most": (0, low),
        "above": (high + 1, HIGHEST),
        "at least": (high, HIGHEST),
    }.get(operator, (low, high))


def _holds(term: MatchTerm, packet: FilteredPacket) -> bool:
    if term.field == "protocol":
        return (packet.protocol in term.names) is not term.inverted
    if term.field == "headers":
        return term.names[0] in packet.headers
    if term.field in ("iifname", "oifname"):
        devices = packet.arrives if term.field == "iifname" else packet.leaves
        return devices is None or _by_device(term, devices)
    held: Spans | None = getattr(packet, _HELD.get(term.field, term.field))
    if held is None:
        return True
    if term.inverted:
        return any(not any(_within(one, span) for span in term.spans) for one in held)
    return any(_meet(one, span) for one in held for span in term.spans)


def _by_device(term: MatchTerm, devices: frozenset[str]) -> bool:
    if term.inverted:
        return not devices or any(
            not any(same_device(d, name) for name in term.names) for d in devices
        )
    return any(same_device(device, name) for device in devices for name in term.names)


def same_device(one: str, other: str) -> bool:
    """Whether two device names may mean the same device; a trailing ``*`` matches any ending."""
    ahead, behind = one.removesuffix("*"), other.removesuffix("*")
    if one == ahead and other == behind:
        return one == other
    return (one != ahead and behind.startswith(ahead)) or (
        other != behind and ahead.startswith(behind)
    )


def _within(one: Span, other: Span) -> bool:
    return other[0] <= one[0] and one[1] <= other[1]


def _meet(one: Span, other: Span) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]
