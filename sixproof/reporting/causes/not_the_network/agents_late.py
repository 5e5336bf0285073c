"""What is not the network: agents that were late or gone, because a node or pod had no time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from sixproof.model import Disagreement, Family, Flow
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence
from sixproof.reporting.conclusion.reach import alike, carried_over
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.pattern import said_count, said_families, said_list

MOST = 0.75
"""Of the cells that were not measured, those that begin or end at a node that is named: where all
nodes are late alike, each of three is an end of five cells of nine."""
NODES_SHOWN = 3
"""Nodes whose load is reported."""
TCP_MEM = "net/ipv4/tcp_mem"


def find(situation: Situation) -> Iterator[Cause]:
    """The node whose agents could not measure."""
    stalled = [w for w in situation.wrong if w.observation.stalled]
    if not stalled:
        return
    nodes = _late([w.observation.flow for w in stalled])
    met = {carried_over(w.observation.flow) for w in stalled}
    families = said_families(f for f in Family if f in met)
    cells = said_count(len(stalled), "cell")
    yield Cause(
        "agents-late",
        f"node{'s' if len(nodes) > 1 else ''} {said_list(nodes)}" if nodes else "several nodes",
        f"the probe agents (python) there were late by up to {_worst(stalled):.1f} s"
        f"{alike(stalled)}: {cells} could not be measured, and this says nothing about the "
        f"network",
        "Run again when there is less load, or give fewer processes (-n)",
        tuple(Family),
        Confidence.SHOWN,
        evidence=(
            *tuple(_loads(situation, nodes))[:NODES_SHOWN],
            *tuple(_full_buffers(situation, nodes))[:NODES_SHOWN],
        ),
        hits=lambda wrong: wrong.observation.stalled > 0,
        briefer=(
            f"probe agents (python) there were up to {_worst(stalled):.1f} s late: {cells} over "
            f"{families} were not measured; this says nothing about the network",
        ),
    )


def _late(flows: Sequence[Flow]) -> list[str]:
    """The nodes at which most of these flows begin or end; of two that most have, the one at which
    they begin, if it is one."""
    ends = _of_most([{flow.source.node, flow.destination.node} for flow in flows])
    sources = _of_most([{flow.source.node} for flow in flows])
    return sources if len(ends) > 1 and sources else ends


def _of_most(places: Sequence[Iterable[str]]) -> list[str]:
    counts = Counter(node for nodes in places for node in nodes if node)
    return sorted(node for node, count in counts.items() if count >= MOST * len(places))


def _loads(situation: Situation, nodes: Collection[str]) -> Iterator[str]:
    """What these nodes say of their load, the busiest first; all of them, where none is named."""
    asked = {n: seen for n, seen in situation.nodes.items() if seen.processors}
    asked = {n: seen for n, seen in asked.items() if n in nodes or not nodes}
    for node in sorted(asked, key=lambda n: -asked[n].load / asked[n].processors):
        seen, earlier = asked[node], situation.earlier.get(node)
        before = f" ({earlier.load:.1f} when the run began)" if earlier else ""
        yield (
            f"load average of {node} in the last minute of the run: {seen.load:.1f} on "
            f"{seen.processors} processors{before}"
        )


def _full_buffers(situation: Situation, nodes: Collection[str]) -> Iterator[str]:
    """Those of these nodes, or of all, whose TCP sockets hold more memory than the kernel allows
    them (tcp(7)): it drops what would need more."""
    for node, seen in situation.nodes.items():
        limits = seen.sysctls.get(TCP_MEM, "").split()
        most = int(limits[-1]) if len(limits) == 3 and limits[-1].isdigit() else 0
        held = seen.sockets.get("TCP_mem", 0)
        if most and held > most and (node in nodes or not nodes):
            yield (
                f"TCP sockets of {node} hold {held} pages of memory, net.ipv4.tcp_mem allows {most}"
            )


def _worst(stalled: Iterable[Disagreement]) -> float:
    return max(wrong.observation.stalled for wrong in stalled)


RULES = (
    CauseRule(
        "agents-late",
        "Agents had no time to measure",
        "cells that an agent's own delay left open, the load average of nodes, the memory of TCP "
        "sockets and its limit",
        find,
        ("A5",),
    ),
)
