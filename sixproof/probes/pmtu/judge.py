"""Judging path MTU: one rule per function, from what was measured on a path to what is wrong.

A black hole shows by its contrast: small packets pass, large ones get no answer. A Packet Too Big
that comes back is no black hole, even where nothing should have been too big.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterable

from sixproof.agent.protocol import Bulk, Event, Sized
from sixproof.model import IcmpError
from sixproof.probes.connect.icmp import icmp_error
from sixproof.probes.connect.payload import IP_HEADER
from sixproof.probes.pmtu.path_run import PathResult
from sixproof.probes.pmtu.probe import BULK, SMALL, tardy

TCP_HEADER, TIMESTAMPS = 20, 12
"""Bytes of a TCP header (RFC 9293 section 3.1) and of its timestamps option with padding."""
LARGEST_OVERHEAD = 100
"""Bytes: what the widest encapsulation takes (WireGuard's padding, AKS' host encryption)."""


class ViolationKind(enum.Enum):
    """What is wrong with a path."""

    BLACK_HOLE = "small packets pass, large ones are lost silently"
    NARROW = "the path is narrower than its devices and routes say"
    WRONG = "sizes are not what they must be"
    SLOW = "bulk is carried, but not in time"
    CLOSED = "not even small packets pass: this is not about their size"


@dataclasses.dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with one path; `backwards` where it is on the way back."""

    path_result: PathResult
    kind: ViolationKind
    said: str
    backwards: bool = False


Rule = Callable[[PathResult], "Violation | None"]


def judge(path_results: Iterable[PathResult], rule: Rule) -> tuple[Violation, ...]:
    """What a rule finds wrong."""
    found = (rule(p) for p in path_results)
    return tuple(c for c in found if c is not None)


def carried(p: PathResult) -> bool:
    """Whether anything at all came back on a path: without, no rule shows what it is about."""
    sends = (p.first, p.small, p.beyond, p.fragments, *p.pattern)
    return p.bulk.event == Event.ECHOED or any(one.event == Event.ECHOED for one in sends)


def first_try(p: PathResult) -> Violation | None:
    """The first packet ever sent on the path fills what devices and routes promise, and passes."""
    if p.first.event == Event.ECHOED:
        return None
    return _lost(p, p.first, "at the first try")


def jumbo(underlay: int) -> Rule:
    """The first packet is a jumbo one too: no hop leaves more than a tunnel's headers unused."""

    def rule(p: PathResult) -> Violation | None:
        if (p.path.promised or 0) + LARGEST_OVERHEAD < underlay:
            said = f"{_promise(p)}, and the underlay carries {underlay}"
            return Violation(p, ViolationKind.NARROW, said)
        return first_try(p)

    return rule


def one_byte_more(p: PathResult) -> Violation | None:
    """One byte more than the promise is refused, by the sender's kernel if its own link is full."""
    seen, own = p.beyond, p.path.hops[0].mtu if p.path.hops else 0
    if seen.event == Event.TOO_BIG:
        if seen.icmp and own == p.path.promised:
            return Violation(
                p,
                ViolationKind.WRONG,
                f"{_size_and_event(p, seen)}, wanted EMSGSIZE of its own kernel",
            )
        return None
    if seen.event == Event.ECHOED:
        return Violation(p, ViolationKind.WRONG, f"{seen.size} bytes pass, though {_promise(p)}")
    return _lost(p, seen, "one byte too many, wanted EMSGSIZE or Packet Too Big")


def nothing_learnt(p: PathResult) -> Violation | None:
    """No kernel has learnt a smaller MTU than its interfaces', unless a hop is set to that."""
    own = p.path.hops[0].mtu if p.path.hops else 0
    narrow = p.path.promised if p.path.promised and p.path.promised < own else None
    pod = p.flow.destination.address(p.flow.family)
    ends = {str(p.flow.address), str(pod)}
    odd = [
        f"{who} learnt {seen.mtu} towards {seen.address} (forgets it in {seen.expires:.0f} s)"
        for who, seen in p.learnt
        if not (seen.mtu == narrow and seen.address in ends)
    ]
    if not odd:
        return None
    hop = p.path.overfull
    why = f"; {hop[0]} holds less than the tunnel on it" if hop else ""
    return Violation(p, ViolationKind.NARROW, f"{'; '.join(odd)}, though {_promise(p)}{why}")


def segments(p: PathResult) -> Violation | None:
    """TCP's segments fill the path: MSS = path MTU less headers, less 12 with timestamps.

    A SYN offers what the link allows, or what a hop allows that was reported to the sender earlier.
    """
    bulk, promised = p.bulk, p.path.promised
    if bulk.event != Event.ECHOED or promised is None:
        return _stalled(p)
    headers = IP_HEADER[p.flow.family] + TCP_HEADER
    taken = headers + (TIMESTAMPS if bulk.timestamps else 0)
    wanted = promised - taken
    offered_back = min(promised, p.back or promised) - taken  # a server that learnt it offers less
    offer = {mtu - headers for mtu in p.path.reportable_mtus}
    if bulk.segment in (wanted, offered_back) and bulk.offered in offer:
        return None
    said = f"MSS {bulk.segment} on the live socket, wanted {wanted}; its SYN offered {bulk.offered}"
    offers = " or ".join(map(str, sorted(offer)))
    return Violation(p, ViolationKind.WRONG, f"{said}, wanted {offers} (path MTU {bulk.pmtu})")


def bulk_in_time(p: PathResult) -> Violation | None:
    """Bulk passes both ways at once, without a standstill, at the second attempt at the latest."""
    if p.bulk.event != Event.ECHOED:
        return _stalled(p)
    if not tardy(p.bulk, p.lag):
        return None
    took, stood = p.bulk.elapsed - p.lag, p.bulk.stall - p.lag
    said = f"bulk took {took:.1f} s and stalled for {stood:.1f} s ({_bulk(p.bulk)})"
    shrunk = p.path.promised is not None and p.bulk.segment < p.path.promised - 100
    healed = ", as where TCP finds the size by itself (tcp_mtu_probing)"
    if shrunk and p.first.event != Event.ECHOED:
        return Violation(p, ViolationKind.BLACK_HOLE, said + healed)
    return Violation(p, ViolationKind.SLOW, said)


def plain_socket_converges(p: PathResult) -> Violation | None:
    """Of four datagrams of the sender's own MTU, one of a plain socket arrives, and all after it.

    The first may be lost to a narrower link, which reports its MTU; a tunnel may take two.
    """
    events = [s.event for s in p.pattern]
    arrived = events.index(Event.ECHOED) if Event.ECHOED in events else len(events)
    if arrived < len(events) and set(events[arrived:]) == {Event.ECHOED}:
        return None
    if arrived == len(events):
        return _lost(p, p.pattern[-1], f"{len(events)} times in a row")
    return Violation(p, ViolationKind.WRONG, f"{p.pattern[0].size} bytes: {', '.join(events)}")


def fragments_arrive(p: PathResult) -> Violation | None:
    """A datagram that the sender had to fragment arrives whole."""
    if p.fragments.event == Event.ECHOED:
        return None
    return _lost(p, p.fragments, "in fragments of its sender")


@dataclasses.dataclass(frozen=True, slots=True)
class Signal:
    """A Packet Too Big (IPv4: fragmentation needed) as reported to a socket."""

    error: IcmpError
    kept: int

    @property
    def honoured(self) -> bool:
        """Whether the socket's kernel now works with that MTU."""
        return self.kept == self.mtu

    @property
    def sender(self) -> str:
        """Who sent it."""
        return self.error.sender or "an unknown sender"

    @property
    def mtu(self) -> int:
        """The MTU that it reports, in bytes."""
        return self.error.mtu or 0


def signals(p: PathResult) -> tuple[Signal, ...]:
    """Every such message of a path, in order."""
    seen = (p.first, *p.pattern, p.small, p.beyond, p.fragments)
    found = ((icmp_error(s.icmp, p.flow.family), s.mtu) for s in seen)
    return tuple(Signal(error, kept) for error, kept in found if error and error.mtu is not None)


def signals_are_exact(p: PathResult) -> Violation | None:
    """A node that reports a packet as too big uses the right code and its own hop's MTU.

    Where several hops narrow a path step by step, each reports its own MTU, in turn.
    """
    for s in signals(p):
        if not s.error.too_big:
            return Violation(p, ViolationKind.WRONG, f"{s.sender} sent {s.error.name}")
        if s.mtu not in p.path.reportable_mtus:
            return Violation(
                p, ViolationKind.NARROW, f"{s.sender} gave MTU {s.mtu}, though {_promise(p)}"
            )
    return None


def signals_are_honoured(p: PathResult) -> Violation | None:
    """The sender's kernel uses the MTU reported to it, and packets that fit it pass."""
    for s in signals(p):
        if not s.honoured:
            said = f"{s.sender} gave MTU {s.mtu}, the socket works with {s.kept}"
            return Violation(p, ViolationKind.WRONG, said)
    return plain_socket_converges(p) if signals(p) else None


def _lost(p: PathResult, seen: Sized, how: str) -> Violation:
    """A large packet that did not arrive; what small ones do decides what it means."""
    if p.small.event != Event.ECHOED:
        kind, contrast = ViolationKind.CLOSED, f"{SMALL} bytes: {p.small.event}"
    elif seen.event == Event.SILENT:
        kind, contrast = ViolationKind.BLACK_HOLE, f"{SMALL} bytes pass"
    elif seen.event == Event.TOO_BIG:
        kind, contrast = ViolationKind.NARROW, f"{_promise(p)}; {SMALL} bytes pass"
    else:
        kind, contrast = ViolationKind.WRONG, f"{SMALL} bytes pass"
    return Violation(p, kind, f"{_size_and_event(p, seen)} {how}; {contrast}")


def _stalled(p: PathResult) -> Violation:
    """Bulk that did not end."""
    small = p.small.event == Event.ECHOED
    kind = ViolationKind.CLOSED if not small else ViolationKind.WRONG
    if small and p.bulk.stage == "exchange" and p.bulk.event == Event.SILENT:
        kind = ViolationKind.BLACK_HOLE
    contrast = f"{SMALL} bytes {'pass' if small else 'do not'}"
    back = p.bulk.acknowledged >= BULK
    where = " on the way back" if back else ""
    said = f"TCP {p.bulk.event} in its {p.bulk.stage}{where} for {p.bulk.elapsed:.1f} s"
    return Violation(p, kind, f"{said} ({_bulk(p.bulk)}); {contrast}", backwards=back)


def _size_and_event(p: PathResult, seen: Sized) -> str:
    why = str(icmp_error(seen.icmp, p.flow.family) or seen.error)
    return f"{seen.size} bytes: {seen.event}{f' ({why})' if why else ''}"


def _bulk(bulk: Bulk) -> str:
    moved = f"{bulk.acknowledged} bytes acknowledged, {bulk.received} received"
    return f"{moved}, MSS {bulk.segment}, {bulk.retransmits} retransmits"


def _promise(p: PathResult) -> str:
    return f"devices and routes promise {p.path.promised}"
