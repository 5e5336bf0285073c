"""What could not be measured: which agent, and why. Never called a fault of the network."""

from __future__ import annotations

from collections.abc import Sequence

from sixproof.model import Disagreement, Endpoint, Family
from sixproof.reporting.diagnosis.pattern import Pattern, said_list
from sixproof.reporting.matrix.grid import CellState

_STALLED = "stalled"
_NAMED = 4
"""Agents named one by one; of more only the number is said."""


def unmeasured(family: Family, cells: Sequence[Disagreement]) -> list[Pattern]:
    """One pattern per reason, with the agents that it concerns. Agents that were too busy are one
    reason, for however long each was; the longest comes first."""
    reasons: dict[str, list[Disagreement]] = {}
    for cell in sorted(cells, key=lambda c: c.observation.stalled, reverse=True):
        reason = _STALLED if cell.observation.stalled else cell.observation.reason
        reasons.setdefault(reason, []).append(cell)
    return [
        Pattern(
            families=(family,),
            state=CellState.UNKNOWN,
            where=_agents(group),
            port_specs=(),
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
