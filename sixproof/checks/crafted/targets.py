"""Where crafted packets go: by each way, those left out that policies of the owner close."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

from sixproof.agent.wire import Seal
from sixproof.checks.connect.carried import Closed
from sixproof.checks.crafted.crafted_results import CLUSTER_IP, NODE_PORT, POD, WAYS
from sixproof.checks.pmtu.through_services import as_judged, same_port
from sixproof.model import Endpoint, Family, Flow, IPAddress
from sixproof.policy import ServiceSnapshot
from sixproof.probes.crafted.probe import CraftedResult, CraftedTarget
from sixproof.probes.pmtu.path_run import PathResult
from sixproof.workloads.probe_pods.ports import UDP
from sixproof.workloads.services.manifests import Service

Closes = Callable[[Flow, ServiceSnapshot | None], str]
"""The policies that close a flow, through a service where one is given; "" where none does."""


@dataclasses.dataclass(frozen=True)
class CraftedTargets:
    """By way, the targets at which is fired, and the flows that policies of the owner close.

    `flows` are those of all open targets, to be settled before anything is fired.
    """

    open: Mapping[str, tuple[CraftedTarget, ...]]
    closed: Mapping[str, Closed]
    flows: tuple[Flow, ...] = ()


@dataclasses.dataclass(frozen=True)
class Frontends:
    """What is in front of the pods: `services` by the name of the pod behind each, and the node at
    which a flow's NodePort is dialled."""

    services: Mapping[str, Service]
    node: Callable[[Flow], Endpoint]


def of(pairs: Sequence[Flow], frontends: Frontends, seal: Seal, closes: Closes) -> CraftedTargets:
    """The targets of flows from pod to pod: each directly, and through the service in front of it.

    Raises:
        NotAsked: a service has no NodePort that TCP and UDP share.
    """
    opened: dict[str, list[CraftedTarget]] = {way: [] for way in WAYS}
    closed: dict[str, list[tuple[Flow, str]]] = {way: [] for way in WAYS}
    flows: list[Flow] = []
    for pair in pairs:
        service = frontends.services[pair.destination.name]
        for way, target in _ways(pair, service, frontends.node(pair), seal):
            flow = dialled(pair, target)
            before = None if way == POD else as_judged(service, flow)
            if by := closes(flow, before):
                closed[way].append((flow, by))
            else:
                opened[way].append(target)
                flows.append(flow)
    return CraftedTargets(
        {way: tuple(targets) for way, targets in opened.items()}, closed, tuple(flows)
    )


def dialled(flow: Flow, target: CraftedTarget) -> Flow:
    """A flow from pod to pod, as it is dialled at a target."""
    return dataclasses.replace(flow, address=target.address, port=target.port)


def _ways(
    pair: Flow, service: Service, front: Endpoint, seal: Seal
) -> Iterator[tuple[str, CraftedTarget]]:
    """A target for each way: the pod, the service's clusterIP of the family, a node's port."""
    own = UDP.port or 0

    def target(address: IPAddress, port: int = own, serves: int = 0) -> CraftedTarget:
        return CraftedTarget(pair.source, pair.destination, address, port, seal, serves)

    yield POD, target(pair.address)
    for address in service.cluster_ips:
        if Family.of(address) is pair.family:
            yield CLUSTER_IP, target(address)
    at_node = front.address(pair.family)
    if at_node is not None:
        yield NODE_PORT, target(at_node, same_port(service), own)


def narrowest(
    paths: Sequence[PathResult], hosts: Sequence[Endpoint]
) -> Callable[[CraftedResult], int | None]:
    """The MTU of the narrowest hop between the nodes of a crafted packet, bytes, None where it is
    not known.

    A node whose own address is dialled forwards into its tunnel, which is the one that counts then:
    packets reach it from another node without a tunnel.
    """
    frontends = {address: host.node for host in hosts for address in host.addresses}
    known = {
        (p.flow.source.node, p.flow.destination.node, p.flow.family): p.path.promised
        for p in paths
        if p.flow.crosses_nodes
    }

    def hop(crafted_result: CraftedResult) -> int | None:
        target = crafted_result.crafted_packet.target
        begins = frontends.get(target.address, target.source.node)
        return known.get((begins, target.server.node, target.family))

    return hop
