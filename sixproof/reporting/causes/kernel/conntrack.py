"""Connection tracking: the table of a node is full, or refuses new entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sixproof.agent.protocol import NodeSeen
from sixproof.model import Family
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence
from sixproof.reporting.conclusion.reach import touches
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.pattern import said_list

FULL = 0.95
COUNT, MAX = "net/netfilter/nf_conntrack_count", "net/netfilter/nf_conntrack_max"
DROPS = "Conntrack_drop"


def entries(seen: NodeSeen) -> tuple[int, int]:
    """How many a node's table has, and how many it takes; 0 where that was not read."""
    count, limit = (int(seen.sysctls.get(name) or 0) for name in (COUNT, MAX))
    return count, limit


def is_full(seen: NodeSeen) -> bool:
    """Whether a node's table is full: then it takes no new connection on loopback either."""
    count, limit = entries(seen)
    return bool(limit) and count >= FULL * limit


def find(situation: Situation) -> Iterator[Cause]:
    """Nodes whose table is full now, or was full and dropped packets during the run."""
    for node, seen in situation.nodes.items():
        (count, limit), full = entries(seen), is_full(seen)
        earlier = situation.earlier.get(node)
        dropped = seen.counters.get(DROPS, 0) - (earlier.counters.get(DROPS, 0) if earlier else 0)
        if not full and not (earlier and dropped > 0):
            continue
        silent = [health.asked for health in seen.health if not health.status] if full else []
        lost = f", {dropped} packets dropped during the run" if dropped > 0 else ""
        brief = f" ({lost.removeprefix(', ')})" if lost else ""
        was, are, now = ("is", "are", "") if full else ("was", "were", " now")
        hit = f"new connections of either family {are} dropped there"
        yield Cause(
            "conntrack",
            f"node {node}",
            f"connection tracking {was} full ({count} of {limit} entries{now}{lost}): {hit}",
            "Raise net.netfilter.nf_conntrack_max (kube-proxy: conntrack.maxPerCore), and see "
            "what fills it",
            tuple(Family),
            Confidence.SHOWN if full else Confidence.FITS,
            hits=lambda wrong, node=node: touches(wrong.observation.flow, node),  # type: ignore[misc]
            evidence=_unasked(silent),
            briefer=(f"connection tracking {was} full{brief}: {hit}",),
            details=(f"{count} of {limit} entries{now}{lost}",),
        )


def _unasked(ports: Sequence[str]) -> tuple[str, ...]:
    """That health ports of the node gave no answer, which the full table explains."""
    many = "s" if len(ports) > 1 else ""
    return (f"its health port{many} {said_list(ports)} could not be asked",) if ports else ()


RULES = (
    CauseRule(
        "conntrack",
        "Connection tracking of a node is full",
        "nf_conntrack_count and nf_conntrack_max, and the drops of /proc/net/stat/nf_conntrack",
        find,
        ("K1",),
        "Linux Documentation/networking/nf_conntrack-sysctl",
    ),
)
