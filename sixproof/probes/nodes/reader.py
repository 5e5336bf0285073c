"""Reads the facts of nodes from the agents in their host networks."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Sequence

from sixproof.agent import protocol
from sixproof.errors import ApiError, InfrastructureError, led_to
from sixproof.model import Endpoint, EndpointKind
from sixproof.probes.connect.probe import AgentClient
from sixproof.probes.nodes.examination import NodeReading

PATIENCE = 8.0
"""Seconds that a node gets; its daemons' health ports get two of them."""
KUBE_PROXY = "10256/healthz"
FELIX = "9099/liveness"
FELIX_READY = "9099/readiness"
KUBELET = "10248/healthz"
NOT_FOUND = 404
HEALTH = (KUBE_PROXY, FELIX, FELIX_READY, KUBELET)


def read(
    agents: AgentClient,
    places: Sequence[Endpoint],
    *,
    health: bool = True,
    patience: float = PATIENCE,
) -> list[NodeReading]:
    """The facts of each host's node, and of each pod, all at once; one that does not answer is
    reported as missing. A pod that is gone, such as one that the run itself removed, has no facts.
    Without `health` no daemon of a node is asked how it is. `patience` is in seconds.
    """
    asked = {
        place: agents.ask(place, _request(place, health), protocol.NodeSeen, patience)
        for place in places
    }
    concurrent.futures.wait(asked.values(), patience + 1)
    return [
        _reading(place, answer, patience)
        for place, answer in asked.items()
        if place.kind is not EndpointKind.POD or not _is_gone(answer)
    ]


def name(place: Endpoint) -> str:
    """What its reading is called: the node of a host network, else ``namespace/pod``."""
    return place.node if place.kind is EndpointKind.HOST else f"{place.namespace}/{place.pod}"


def _request(place: Endpoint, health: bool) -> protocol.ReadNode:
    of_a_node = health and place.kind is EndpointKind.HOST
    return protocol.ReadNode(list(HEALTH) if of_a_node else [])


def _is_gone(answer: concurrent.futures.Future[protocol.NodeSeen]) -> bool:
    error = answer.exception() if answer.done() else None
    return any(isinstance(e, ApiError) and e.status == NOT_FOUND for e in led_to(error))


def unread(place: Endpoint, why: str) -> NodeReading:
    """The reading of a place whose facts could not be read."""
    return NodeReading(name(place), missing=why[:300], called=_called(place))


def _reading(
    place: Endpoint, answer: concurrent.futures.Future[protocol.NodeSeen], patience: float
) -> NodeReading:
    if not answer.done():
        return unread(place, f"no answer within {patience:.0f} s")
    try:
        return NodeReading(name(place), answer.result(), called=_called(place))
    except InfrastructureError as error:
        return unread(place, str(error))


def _called(place: Endpoint) -> str:
    return "" if place.kind is EndpointKind.HOST else place.called
