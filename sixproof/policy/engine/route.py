"""From a flow to packets: which packets the policies at either end may see of it.

Services, NodePorts and node-local traffic change addresses on the way. Where policy may look
before or after such a change, both packets are returned, and the verdict must hold for each.
"""

from __future__ import annotations

from typing import NamedTuple

from sixproof.model import Endpoint, EndpointKind, Flow
from sixproof.policy.engine.packet import Packet

NODE_NETWORK = (EndpointKind.HOST, EndpointKind.NODE)
"""Endpoints that have no address but a node's."""


class EnforcementPoint(NamedTuple):
    """What the policy at one end sees.

    `packets` are the alternatives. `exempt` says why policy does not look at all: always if
    there are no packets, else maybe. `open` says what is not known where there are several.
    """

    packets: tuple[Packet, ...] = ()
    exempt: str = ""
    open: str = ""


class Route(NamedTuple):
    """One way of a flow: what is seen where it leaves, and where it arrives.

    `own_node`: it ends on the node of its own pod.
    """

    egress: EnforcementPoint
    ingress: EnforcementPoint
    own_node: bool = False


class PossibleRoutes(NamedTuple):
    """All ways that a flow may take; `unknown` says why it cannot be judged."""

    ways: tuple[Route, ...] = ()
    unknown: str = ""


def node_name(endpoint: Endpoint) -> str:
    """The node that an endpoint is on, empty where that is not known."""
    return endpoint.name if endpoint.kind is EndpointKind.NODE else endpoint.node


def same_node(one: Endpoint, other: Endpoint) -> bool | None:
    """Whether two endpoints are on one node, None where that is not known."""
    here, there = node_name(one), node_name(other)
    return here == there if here and there else None


def same_pod(one: Endpoint, other: Endpoint) -> bool:
    """Whether two endpoints are one pod, by whatever names."""
    if one.kind is not EndpointKind.POD or other.kind is not EndpointKind.POD:
        return False
    return one.namespace == other.namespace and (one.pod or one.name) == (other.pod or other.name)


def ends_on_own_node(flow: Flow, end: Endpoint) -> bool:
    """Whether a pod's flow ends at its own node."""
    from_pod = flow.source.kind is EndpointKind.POD
    return from_pod and end.kind in NODE_NETWORK and same_node(flow.source, end) is True


def unpoliced(endpoint: Endpoint) -> EnforcementPoint:
    """The hop at an end that no policy selects."""
    what = {
        EndpointKind.HOST: "uses its node's network",
        EndpointKind.NODE: "is a node",
        EndpointKind.OUTSIDE: "is outside the cluster",
    }
    return EnforcementPoint(exempt=f"{endpoint.name} {what[endpoint.kind]}: no policy selects it")


def which_source(packets: tuple[Packet, ...]) -> str:
    """What is open where several source addresses may arrive."""
    addresses = ", ".join(str(packet.source.address) for packet in packets)
    return f"which source address arrives, of {addresses}" if len(packets) > 1 else ""
