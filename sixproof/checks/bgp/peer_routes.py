"""Asks the kernel of a router outside for its routes into the cluster, and compares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sixproof.agent import protocol
from sixproof.agent.protocol import RouteSeen
from sixproof.calico.state import CalicoState
from sixproof.checks.calico import routes
from sixproof.checks.calico.routes import ExpectedRoute
from sixproof.checks.judged import judged, require
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotAsked
from sixproof.kube.api import json_fields, wait
from sixproof.model import (
    Endpoint,
    EndpointKind,
    Family,
    Flow,
    IPAddress,
    MatrixKind,
    Observation,
    Outcome,
    Protocol,
)
from sixproof.probes.connect.probe import SLACK, AgentClient
from sixproof.workloads.probe_pods.topology import ProbeTopology

PODS = "routes of the router outside to every pod"
SERVICES = "routes of the router outside to ranges of services"

Wanted = Sequence[tuple[Endpoint, IPAddress, ExpectedRoute]]
"""Destinations, the address that is asked for, and the way that packets to it must take."""


class PeerRoutes:
    """What one run asks of a `router` that peers with the nodes by BGP. `settle` is how many
    seconds a route may take to be there."""

    def __init__(
        self,
        agents: AgentClient,
        router: Endpoint,
        topology: ProbeTopology,
        state: CalicoState,
        recorder: Recorder,
        settle: float,
    ) -> None:
        self._agents = agents
        self._router = router
        self._topology = topology
        self._state = state
        self._recorder = recorder
        self._settle = settle

    def must_lead_to_pods(self, family: Family) -> None:
        """The router sends packets for every pod to the pod's own node.

        Raises:
            VerdictError: it has no route to one, or the next hop is another.
            InfrastructureError: its agent could not be asked.
        """
        nodes = {node.name: node for node in self._state.nodes}

        def way(pod: Endpoint) -> ExpectedRoute:
            chosen = nodes[pod.node].address(family) if pod.node in nodes else None
            hops = (chosen.ip,) if chosen else ()
            return ExpectedRoute(gateways=hops, tunnel=False, why=f"{pod.node}'s own address")

        pods = [(pod, a, way(pod)) for pod in self._topology.pods if (a := pod.address(family))]
        self._require(PODS, pods, family)

    def must_lead_to_services(self, family: Family) -> None:
        """The router sends packets for the ranges of service addresses that nodes advertise to a
        node.

        Raises:
            VerdictError: it has no route to one, or the next hop is no node.
            InfrastructureError: its agent could not be asked.
            NotAsked: no range of this family is advertised.
        """
        found = list(self._ranges(family))
        if not found:
            raise NotAsked(
                f"Calico advertises no range of {family} service addresses",
                "serviceClusterIPs, serviceExternalIPs or serviceLoadBalancerIPs of "
                "BGPConfiguration",
            )
        self._require(SERVICES, found, family)

    def _ranges(self, family: Family) -> Iterator[tuple[Endpoint, IPAddress, ExpectedRoute]]:
        chosen = (node.address(family) for node in self._state.nodes)
        way = ExpectedRoute(
            gateways=tuple(one.ip for one in chosen if one), tunnel=False, why="a node's address"
        )
        for setting, ranges in self._state.bgp.announced.items():
            for network in ranges:
                if Family.of(network) is family:
                    address = network[min(1, network.num_addresses - 1)]
                    name = f"{network} ({setting})"
                    yield Endpoint(name, EndpointKind.SERVICE, (address,)), address, way

    def _require(self, title: str, wanted: Wanted, family: Family) -> None:
        flows = [
            Flow(self._router, end, address, Protocol.ICMP, question="route")
            for end, address, _ in wanted
        ]
        request = protocol.RouteGet([str(address) for _, address, _ in wanted])

        def look() -> list[RouteSeen]:
            return (
                self._agents.ask(self._router, request, protocol.RoutesSeen, SLACK).result().routes
            )

        def misled(seen: list[RouteSeen]) -> list[str]:
            return [routes.misled(r, way) for r, (_, _, way) in zip(seen, wanted, strict=True)]

        found = wait.until(look, lambda now: not any(misled(now)), timeout=self._settle).value
        seen = [
            Observation(flow, Outcome.ALLOWED, next_hop=json_fields.address(route.gateway))
            for flow, route in zip(flows, found, strict=True)
        ]
        wrong = {flow: why for flow, why in zip(flows, misled(found), strict=True) if why}
        asked = judged(MatrixKind.ROUTES, title, seen, wrong)
        require(self._recorder, asked, f"Then {title} over {family} lead to nodes")
