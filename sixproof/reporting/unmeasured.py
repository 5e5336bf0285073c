"""What could not be measured: which agent, and why. Never called a fault of the network."""

from __future__ import annotations

from collections.abc import Sequence

from sixproof.model import Disagreement, Endpoint, Family
from sixproof.reporting.grid import Standing
from sixproof.reporting.pattern import Pattern, said_list

_NAMED = 4
"""Agents named one by one; of more only the number is said."""


def unmeasured(family: Family, cells: Sequence[Disagreement]) -> list[Pattern]:
    """One pattern a reason, with the agents that it concerns."""
    reasons: dict[str, list[Disagreement]] = {}
    for cell in cells:
        reasons.setdefault(cell.observation.reason, []).append(cell)
    return [
        Pattern(
            families=(family,),
            standing=Standing.UNKNOWN,
            where=_agents(group),
            lanes=(),
            cells=tuple(group),
            total=len(group),
        )
        for group in reasons.values()
    ]


def _agents(cells: Sequence[Disagreement]) -> str:
    """The agents that all cells have in common: the asking ones, or the one asked."""
    sources = list(
        {c.observation.flow.source.name: c.observation.flow.source for c in cells}.values()
    )
    destinations = {c.observation.flow.destination.name for c in cells}
    if len(sources) > 1 and len(destinations) == 1:
        return f"agent {destinations.pop()}"
    if len(sources) == 1:
        return f"agent {sources[0].name}"
    return _together(sources)


def _together(agents: Sequence[Endpoint]) -> str:
    nodes = {agent.node for agent in agents}
    names = [agent.name for agent in agents]
    if len(nodes) == 1 and nodes != {""}:
        return f"agents on node {nodes.pop()}: {said_list(names[:_NAMED])}"
    if len(names) > _NAMED:
        return f"{len(names)} agents: {', '.join(names[:_NAMED])} and others"
    return f"agents {said_list(names)}"
