"""Finding the routes of flows.

Paths are those of kube-proxy (iptables, nftables, IPVS): the first node translates destinations
before policy looks, and masquerades sources after.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import NamedTuple

from sixproof.model import Endpoint, EndpointKind, Flow, IPAddress, Protocol
from sixproof.policy.engine.packet import Icmp, Packet, PolicyPeer, protocol_number
from sixproof.policy.engine.provider import ProviderAnswer, ProviderProfile, SeenAs
from sixproof.policy.engine.route import (
    NODE_NETWORK,
    EnforcementPoint,
    PossibleRoutes,
    Route,
    ends_on_own_node,
    node_name,
    same_node,
    same_pod,
    unpoliced,
    which_source,
)
from sixproof.policy.snapshot.snapshot import (
    ClusterSnapshot,
    Node,
    ServicePortSnapshot,
    ServiceSnapshot,
)

_ACCEPTED = frozenset({130, 131, 132, 133, 135, 136})
"""ICMPv6 types that Felix accepts before policy: MLD, router and neighbour discovery."""

_ERRORS = {4: frozenset({3, 4, 11, 12}), 6: frozenset({1, 2, 3, 4})}


@dataclasses.dataclass(frozen=True, slots=True)
class Dialled:
    """A service port that a flow dials; `entry` is the node at whose port, if so."""

    service: ServiceSnapshot
    port: ServicePortSnapshot
    entry: Node | None


class Router(NamedTuple):
    """Finds the routes of flows in a cluster, for a provider."""

    snapshot: ClusterSnapshot
    profile: ProviderProfile
    peer: Callable[[Endpoint, IPAddress], PolicyPeer]

    def routes(self, flow: Flow, icmp: Icmp | None) -> PossibleRoutes:
        """The ways of a flow. `icmp` is its message, an echo request if None."""
        source, family = flow.source, flow.family
        version = family.version
        if source.kind is EndpointKind.SERVICE:
            return PossibleRoutes(unknown=f"{source.name} is a service: nothing starts there")
        address = source.address(family)
        if address is None:
            return PossibleRoutes(unknown=f"{source.name} has no {family} address")
        here = self.peer(source, address)
        if flow.protocol is not Protocol.ICMP:
            if flow.port is None:
                return PossibleRoutes(unknown=f"a {flow.protocol} flow needs a port")
            return self._to(flow, here, flow.port, None)
        message = icmp or Icmp.echo(version)
        if message.type in _ERRORS[version]:
            return PossibleRoutes(unknown="an ICMP error goes with the flow that it is about")
        if version == 6 and message.type in _ACCEPTED:
            free = EnforcementPoint(exempt="neighbour discovery and MLD are accepted before policy")
            return PossibleRoutes((Route(free, free),))
        return self._to(flow, here, None, message)

    def _to(
        self, flow: Flow, here: PolicyPeer, port: int | None, message: Icmp | None
    ) -> PossibleRoutes:
        destination = flow.destination
        is_pod = destination.kind is EndpointKind.POD
        if not is_pod or flow.address not in destination.addresses:
            if dialled := self._dialled(flow):
                return self._to_service(flow, here, dialled)
            if is_pod or destination.kind is EndpointKind.SERVICE:
                what = f"{flow.address} is no address of {destination.name}"
                return PossibleRoutes(unknown=f"{what}, nor one of a known service with that port")
        if is_pod and same_pod(flow.source, destination):
            inside = EnforcementPoint(exempt="traffic to a pod's own address stays inside the pod")
            return PossibleRoutes((Route(inside, inside),))
        protocol = protocol_number(flow.protocol, here.version)
        there = self.peer(destination, flow.address)
        packet = Packet(here, there, here.version, protocol, port, message)
        leaving, arriving = self._leaving(flow, (packet,)), self._arriving(flow, packet)
        return PossibleRoutes((Route(leaving, arriving, ends_on_own_node(flow, destination)),))

    def _leaving(self, flow: Flow, packets: tuple[Packet, ...]) -> EnforcementPoint:
        if flow.source.kind is not EndpointKind.POD:
            return unpoliced(flow.source)
        unknown = "whether policy sees the address dialled or the one behind it"
        return EnforcementPoint(packets, open=unknown if len(packets) > 1 else "")

    def _arriving(self, flow: Flow, packet: Packet) -> EnforcementPoint:
        """At its end: a pod lets in what comes from its own node; from another node, packets
        carry one of that node's addresses."""
        backend = packet.destination.endpoint
        if backend.kind is not EndpointKind.POD:
            return unpoliced(backend)
        if flow.source.kind not in NODE_NETWORK:
            return EnforcementPoint((packet,))
        same, let_in = same_node(flow.source, backend), self.profile.own_node_reaches_pods
        exempt = "what comes from the pod's own node is let in"
        if same and let_in is ProviderAnswer.YES:
            return EnforcementPoint(exempt=exempt)
        packets = self._from_nodes(packet, [self._node_of(flow.source)])
        if same is False or let_in is ProviderAnswer.NO:
            return EnforcementPoint(packets, open=which_source(packets))
        return EnforcementPoint(packets, exempt, open=f"whether {exempt}, and whether this is it")

    def _node_of(self, endpoint: Endpoint) -> Node:
        name = node_name(endpoint)
        return self.snapshot.nodes.get(name) or Node(name)

    def _from_nodes(self, packet: Packet, nodes: Iterable[Node]) -> tuple[Packet, ...]:
        """The packet as it is, and as it looks with an address of one of these nodes."""
        peers = {packet.source.address: packet.source}
        for node in nodes:
            for address in node.of_family(packet.version):
                if address not in peers:
                    peers[address] = self.peer(_endpoint(node, address), address)
        return tuple(packet._replace(source=peer) for peer in peers.values())

    def _dialled(self, flow: Flow) -> Dialled | None:
        entry = self.snapshot.node_at(flow.address)
        for service in self.snapshot.services:
            here = flow.address in service.addresses or flow.address in service.external
            for port in service.ports:
                if port.protocol is not flow.protocol:
                    continue
                if here and port.port == flow.port:
                    return Dialled(service, port, None)
                if entry is not None and port.node_port == flow.port:
                    return Dialled(service, port, entry)
        return None

    def _to_service(self, flow: Flow, here: PolicyPeer, dialled: Dialled) -> PossibleRoutes:
        wanted, service = flow.destination, dialled.service
        named = wanted.kind is EndpointKind.POD or wanted in service.backends
        ways = []
        for backend in (wanted,) if named else service.backends:
            address = backend.address(flow.family)
            target = self.snapshot.target(dialled.port, backend)
            if address is None:
                continue
            if target is None:
                return PossibleRoutes(
                    unknown=f"{backend.name} has no port named {dialled.port.target}"
                )
            there = self.peer(backend, address)
            protocol = protocol_number(flow.protocol, flow.family.version)
            itself = same_pod(flow.source, backend)
            policed = self.profile.hairpin_policed if itself else ProviderAnswer.YES
            after = Packet(here, there, flow.family.version, protocol, target, policed=policed)
            leaving = self._leaving(flow, self._translated(flow, after, dialled.entry))
            arriving = self._masqueraded(flow, after, dialled)
            ways.append(Route(leaving, arriving, ends_on_own_node(flow, backend)))
        missing = f"service {service.namespace}/{service.name} has no {flow.family} endpoint"
        return PossibleRoutes(tuple(ways), "" if ways else missing)

    def _translated(self, flow: Flow, after: Packet, entry: Node | None) -> tuple[Packet, ...]:
        """What leaves the source: the address behind the service, or still the one dialled."""
        place = after.destination.endpoint if entry is None else _endpoint(entry, flow.address)
        before = after._replace(
            destination=self.peer(place, flow.address),
            port=after.port if entry is None else flow.port,
        )
        if entry is not None and entry.name != flow.source.node:
            return (before,) if flow.source.node else (before, after)
        match self.profile.service_seen_as:
            case SeenAs.BACKEND:
                return (after,)
            case SeenAs.SERVICE:
                return (before,)
            case _:
                return (before, after)

    def _masqueraded(self, flow: Flow, after: Packet, dialled: Dialled) -> EnforcementPoint:
        """What arrives at the endpoint: the client's address, or one of a node on the way."""
        hop, backend = self._arriving(flow, after), after.destination.endpoint
        on_way = self._on_way(flow, backend, dialled)
        if not on_way or dialled.service.local:
            return hop
        packets = self._from_nodes(after, on_way)
        if _comes_back(flow, backend):  # by way of another node, which is not the pod's own
            return EnforcementPoint(packets, open=which_source(packets))
        return (
            EnforcementPoint(packets, hop.exempt, hop.open or which_source(packets))
            if hop.packets
            else hop
        )

    def _on_way(self, flow: Flow, backend: Endpoint, dialled: Dialled) -> list[Node]:
        """The nodes that may put their own address on a flow before it reaches its endpoint."""
        if flow.source.kind is EndpointKind.OUTSIDE:
            nodes = [dialled.entry] if dialled.entry else list(self.snapshot.nodes.values())
        elif flow.address in dialled.service.addresses:
            nodes = []
        else:
            nodes = [self._node_of(flow.source), *([dialled.entry] if dialled.entry else [])]
        return [node for node in nodes if node.name != backend.node]


def _comes_back(flow: Flow, backend: Endpoint) -> bool:
    """Whether a flow that passes other nodes comes from the node on which its pod is."""
    policed = backend.kind is EndpointKind.POD and flow.source.kind in NODE_NETWORK
    return policed and same_node(flow.source, backend) is True


def _endpoint(node: Node, address: IPAddress) -> Endpoint:
    return Endpoint(node.name, EndpointKind.NODE, (address,), node=node.name)
