"""Which flows a cause reaches: by the node that their packets leave, pass or enter."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sixproof.model import Disagreement, EndpointKind, Family, Flow, IPAddress, Outcome
from sixproof.reporting.diagnosis.merged import behind


def carried_over(flow: Flow) -> Family:
    """The family of a flow's packets, whatever its question is about."""
    return Family.of(flow.address)


def touches(flow: Flow, node: str) -> bool:
    """Whether a flow starts or ends at a node, as far as its ends show."""
    return node in (flow.source.node, flow.destination.node)


def sized(wrong: Disagreement) -> bool:
    """Whether sizes matter to it: a path check or a crafted packet, and not just any lost flow."""
    outcome = wrong.observation.outcome
    return outcome is Outcome.TOO_BIG or bool(wrong.observation.flow.question)


_CAME_BACK = (
    Outcome.ALLOWED,
    Outcome.REFUSED,
    Outcome.REJECTED,
    Outcome.CORRUPTED,
    Outcome.MISROUTED,
    Outcome.WRONG,
)


def came_back(wrong: Disagreement) -> bool:
    """Whether the peer, or a host on the way, answered: packets were carried both ways."""
    return wrong.observation.outcome in _CAME_BACK


def crosses(flow: Flow, node: str) -> bool:
    """Whether it touches the node and leaves it, or may: any backend of a service may answer."""
    if not touches(flow, node):
        return False
    return behind(flow.destination) or flow.source.node != flow.destination.node


def to_services_at(flow: Flow, node: str) -> bool:
    """Whether it goes to a service from a node, or at one: its rules send it on."""
    return behind(flow.destination) and touches(flow, node)


def between_pods_across(flow: Flow) -> bool:
    """Whether it goes from a pod to a pod on another node, and no other endpoint may answer."""
    pods = flow.source.kind is flow.destination.kind is EndpointKind.POD
    return pods and flow.crosses_nodes


def sends(flow: Flow, node: str, family: Family, to: Collection[IPAddress]) -> bool:
    """Whether a node sends packets of a flow, or of its answers, to one of these addresses; those
    to a service may go there."""
    if carried_over(flow) is not family:
        return False
    if flow.source.node == node and (behind(flow.destination) or flow.address in to):
        return True
    if flow.destination.node != node:
        return False
    return behind(flow.destination) or flow.source.address(family) in to


def surely_sends(flow: Flow, node: str, family: Family, to: Collection[IPAddress]) -> bool:
    """The same without what may go elsewhere."""
    return not behind(flow.destination) and sends(flow, node, family, to)


def alike(cells: Iterable[Disagreement]) -> str:
    """That such cells are of both families, "" where they are of one."""
    met = {carried_over(cell.observation.flow) for cell in cells}
    return ", over IPv4 and IPv6 alike" if met == set(Family) else ""
