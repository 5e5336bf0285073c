"""Packet Too Big in three steps: a node makes it, the sender receives it, the sender obeys it.

Each step is judged only where the one before it was taken, so that the first broken one is the red
one. What is delivered and obeyed is the socket's own view; that a message was made is what the
nodes' counters say, and those count for a node, not for a packet.
"""

from __future__ import annotations

from sixproof.agent.protocol import Event
from sixproof.probes.pmtu.counters import trace
from sixproof.probes.pmtu.judge import Rule, Violation, ViolationKind, signals
from sixproof.probes.pmtu.path_run import PathResult, PathRun

KEPT, FORGOTTEN = 300.0, 600.0
"""Seconds that a learnt path MTU is kept at least (RFC 8201 section 4, RFC 1191 section 6.3), and
at most with what Linux is set to."""
EXPIRY = "what was learnt expires in time"
"""How results call this question."""
SINCE = 60.0
"""Seconds that may have passed since the message when the routes are read."""


def needed(p: PathResult) -> bool:
    """Whether a hop beyond the sender's own link is too narrow for what the link takes.

    Then its node has to report it; a report that was received also counts.
    """
    promised, own = p.path.promised, p.path.hops[0].mtu if p.path.hops else 0
    vanished = any(s.event == Event.SILENT for s in (p.first, *p.pattern))
    small = p.small.event == Event.ECHOED
    return (promised or own) < own or bool(signals(p)) or (vanished and small)


def made(seen: PathRun) -> Rule:
    """A node of the path made a Packet Too Big, or it even arrived."""

    def rule(p: PathResult) -> Violation | None:
        if not needed(p) or emitted(seen, p):
            return None
        said = f"{_size(p)} bytes are too big for a hop, and no node reported it"
        return Violation(p, ViolationKind.BLACK_HOLE, said)

    return rule


def emitted(seen: PathRun, p: PathResult) -> bool:
    """Whether a node's counters, or the socket, know of a Packet Too Big."""
    return bool(signals(p) or trace(p, seen).made)


def delivered(p: PathResult) -> Violation | None:
    """The error was reported to the sender's socket. Where its agent stood still, that its kernel
    learnt the MTU shows that the error came."""
    if not needed(p) or signals(p):
        return None
    if p.stalled and any(who == p.flow.source.name for who, _ in p.learnt):
        return None
    said = f"{_size(p)} bytes were too big for a hop, and no ICMP error reached the sender"
    return Violation(p, ViolationKind.BLACK_HOLE, said)


def kept(p: PathResult) -> Violation | None:
    """What was learnt is kept for as long as the standards ask, and not indefinitely."""
    if not signals(p):
        return None
    mine = [s for who, s in p.learnt if who == p.flow.source.name and s.expires is not None]
    if not mine:
        return Violation(
            p, ViolationKind.WRONG, "an ICMP error gave a smaller MTU, and the kernel kept none"
        )
    for route in mine:
        left = route.expires or 0.0
        if not KEPT - SINCE <= left <= FORGOTTEN:
            said = f"learnt {route.mtu}, forgets it in {left:.0f} s"
            wanted = f"wanted {KEPT:.0f} to {FORGOTTEN:.0f} s"
            return Violation(p, ViolationKind.WRONG, f"{said}, {wanted}")
    return None


def _size(p: PathResult) -> int:
    return max(s.size for s in (p.first, *p.pattern))
