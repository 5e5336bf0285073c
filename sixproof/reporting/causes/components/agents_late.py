"""What is not the network: agents that were late or gone, because a node or pod had no time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sixproof.model import Family
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence
from sixproof.reporting.conclusion.situation import Situation


def find(situation: Situation) -> Iterator[Cause]:
    """The node whose agents could not measure."""
    stalled = [w for w in situation.wrong if w.observation.stalled]
    if not stalled:
        return
    nodes = Counter(w.observation.flow.source.node for w in stalled)
    node, count = nodes.most_common(1)[0]
    alone = count > len(stalled) / 2 and len(nodes) > 1
    yield Cause(
        "agents-late",
        f"node {node}" if alone else "probe pods",
        f"agents were too late to measure {len(stalled)} cells: the machine had no time for them; "
        f"this says nothing about the network",
        "Run again when there is less load, or give fewer processes (-n)",
        tuple(Family),
        Confidence.SHOWN,
        hits=lambda wrong: wrong.observation.stalled > 0,
    )


RULES = (
    CauseRule(
        "agents-late",
        "Agents had no time to measure",
        "cells that an agent's own delay left open",
        find,
    ),
)
