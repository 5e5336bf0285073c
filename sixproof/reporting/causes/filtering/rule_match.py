"""Matches: whether a rule can match a packet, by the words of its match (`filter_match`)."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import re
from collections.abc import Iterator, Sequence

from sixproof.model import IPAddress, IPNetwork

Span = tuple[int, int]
"""The first and the last of some numbers, addresses among them (`span_of`)."""
Spans = tuple[Span, ...]

HIGHEST = 65535
PROTOCOLS = r"(?:tcp|udp|sctp|icmp|icmpv6|protocol \d+)"
_FIELDS = (
    "iifname",
    "oifname",
    "source",
    "destination",
    "sport",
    "dport",
    "type",
    "code",
)
_HEADERS = ("fragment", "hop-by-hop options", "destination options", "routing header")
_TERM = re.compile(r"(not |below |at most |above |at least )?(.+)")


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
class _Term:
    """One comparison: `spans` or `names` of a field, or all others where it is `inverted`."""

    field: str
    spans: Spans = ()
    names: tuple[str, ...] = ()
    inverted: bool = False


def takes(match: str, packet: FilteredPacket) -> bool:
    """Whether a rule with this match may take the packet. Terms that say nothing about it, such as
    a mark, are ignored."""
    return all(_holds(term, packet) for term in _terms(match))


def span_of(value: IPAddress | IPNetwork) -> Span:
    """An address, or those of a prefix, as numbers that differ from those of the other family."""
    base = value.version << 128
    if isinstance(value, IPNetwork):
        return base | int(value.network_address), base | int(value.broadcast_address)
    return base | int(value), base | int(value)


def _addresses(text: str) -> Span:
    """The same of an address, a prefix or a range in words.

    Raises:
        ValueError: it is none of these.
    """
    first, _, last = text.partition("-")
    start = span_of(ipaddress.ip_network(first, strict=False))
    return (start[0], _addresses(last)[1]) if last else start


@functools.lru_cache(maxsize=1000)
def _terms(match: str) -> tuple[_Term, ...]:
    return tuple(term for text in match.split(", ") for term in _term(text))


def _term(text: str) -> Iterator[_Term]:
    """The comparison that a term says; none where it is not known, or of something else."""
    field, _, rest = text.partition(" ")
    if text in _HEADERS:
        yield _Term("headers", names=(text,))
        return
    if re.fullmatch(rf"(not )?{PROTOCOLS}( and {PROTOCOLS})*", text):
        field, rest = "protocol", text
    elif text.endswith(" bytes"):
        field, rest = "lengths", text.removesuffix(" bytes")
    elif field not in _FIELDS:
        return
    said = _TERM.fullmatch(rest)
    if said is None or re.search(r"\bin a set$|\d more$", rest):
        return
    operation, values = said[1] or "", said[2].split(" and ")
    if field in ("protocol", "iifname", "oifname"):
        yield _Term(field, names=tuple(values), inverted=bool(operation))
        return
    try:
        spans = tuple(_spans(field, operation, values))
    except ValueError:
        return
    yield _Term(field, spans, inverted=operation == "not ")


def _spans(field: str, operation: str, values: Sequence[str]) -> Iterator[Span]:
    if field in ("source", "destination"):
        yield from map(_addresses, values)
        return
    for value in values:
        first, _, last = value.partition("-")
        low, high = int(first), int(last or first)
        if high > HIGHEST:
            raise ValueError(value)
        yield {
            "below ": (0, low - 1),
            "at most ": (0, low),
            "above ": (high + 1, HIGHEST),
            "at least ": (high, HIGHEST),
        }.get(operation, (low, high))


def _holds(term: _Term, packet: FilteredPacket) -> bool:
    if term.field == "protocol":
        return (packet.protocol in term.names) is not term.inverted
    if term.field == "headers":
        return term.names[0] in packet.headers
    if term.field in ("iifname", "oifname"):
        devices = packet.arrives if term.field == "iifname" else packet.leaves
        return devices is None or _by_device(term, devices)
    fields = {"source": "sources", "destination": "destinations"}
    held: Spans | None = getattr(packet, fields.get(term.field, term.field))
    if held is None:
        return True
    if term.inverted:
        return any(not any(_within(one, span) for span in term.spans) for one in held)
    return any(_meet(one, span) for one in held for span in term.spans)


def _by_device(term: _Term, devices: frozenset[str]) -> bool:
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
