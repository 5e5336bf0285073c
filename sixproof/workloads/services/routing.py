"""Routing: which backends may answer a client, by the frontend that it dials.

Semantics: kubernetes.io "Virtual IPs and Service Proxies", KEP-2086 (internalTrafficPolicy), and
what kube-proxy does with external traffic that starts inside the cluster: it never leaves by the
frontend it came in at. Without any endpoint, traffic is refused; without an endpoint on the node
that a Local policy ties it to, it is dropped (kubernetes/kubernetes#106497, #121371).
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable

from sixproof.model import (
    Endpoint,
    EndpointKind,
    Expectation,
    Family,
    Flow,
    IPAddress,
    NodeFacts,
    Outcome,
)
from sixproof.workloads.probe_pods.ports import PortSpec
from sixproof.workloads.services.kube_proxy import KubeProxy
from sixproof.workloads.services.manifests import Service, ServicePort, by_turns

_DENIED = frozenset({Outcome.DROPPED, Outcome.REFUSED, Outcome.REJECTED})


class FrontendType(enum.StrEnum):
    """Where a client comes in."""

    CLUSTER_IP = "clusterIP"
    NODE_PORT = "NodePort"
    HOST_PORT = "HostPort"
    LOAD_BALANCER = "load balancer"
    EXTERNAL_IP = "external IP"
    DIRECT = "its own address"


@dataclasses.dataclass(frozen=True, slots=True)
class ServiceTarget:
    """Something that clients dial, and the ready backends behind it.

    `local` states whether the traffic policy of this frontend is Local. `absent` says why a
    frontend that clients dial must be closed: it has no such family, or it is another node's.
    `barred` says why traffic to it is dropped (loadBalancerSourceRanges), `announced` what attracts
    the traffic of a load balancer's address to the nodes. `proxy` is the kube-proxy that handles
    it. `ports` are those of the service, which map to the backends' ports; without them a backend
    is reached at the dialled port.
    """

    endpoint: Endpoint
    frontend: FrontendType
    port_specs: tuple[PortSpec, ...]
    backends: tuple[Endpoint, ...]
    local: bool = False
    absent: str = ""
    proxy: KubeProxy = dataclasses.field(default_factory=KubeProxy)
    ports: tuple[ServicePort, ...] = ()
    barred: str = ""
    announced: str = ""

    def candidates(self, client: Endpoint) -> tuple[Endpoint, ...]:
        """The backends that may answer this client; with a fair share of connections, all do."""
        if self.absent or self.barred:
            return ()
        if not self.local or self.frontend is FrontendType.LOAD_BALANCER:
            # With Local, the announcer sends traffic to nodes that have a backend; from inside the
            # cluster every backend is reached.
            return self.backends
        if self.frontend is FrontendType.CLUSTER_IP:
            return tuple(b for b in self.backends if b.node == client.node)
        if client.node == self.endpoint.node:  # inside traffic: the node is no gateway to itself
            return self.backends
        return tuple(b for b in self.backends if b.node == self.endpoint.node)

    def expectation(self, client: Endpoint) -> Expectation:
        """The required outcome of a connection from this client."""
        name, frontend = self.endpoint.name, self.frontend
        if self.absent:
            return Expectation(frozenset({Outcome.REFUSED}), self.absent)
        if self.barred:
            dropped = frozenset({Outcome.DROPPED}) if self.proxy.known else _DENIED
            return Expectation(dropped, self.barred)
        if not self.backends:
            return Expectation(
                frozenset({Outcome.REFUSED}),
                f"{name} has no ready endpoint: kube-proxy answers port unreachable, at once",
            )
        behind = self.candidates(client)
        if behind:
            if frontend is FrontendType.DIRECT:
                return Expectation.allowed(f"{name} is dialled at its own address")
            names = ", ".join(b.name for b in behind)
            by = f"; {self.announced}" if self.announced else ""
            return Expectation.allowed(f"{names} are behind the {frontend} of {name}{by}")
        node = client.node if frontend is FrontendType.CLUSTER_IP else self.endpoint.node
        because = f"{name} keeps its traffic on {node}, which has no backend of it"
        if self.proxy.drops_without_local_backend:
            said = f"{because}: kube-proxy in mode {self.proxy.mode} drops it"
            return Expectation(frozenset({Outcome.DROPPED}), said)
        return Expectation(_DENIED, because)


def at_cluster_ip(
    service: Service, backends: Iterable[Endpoint], proxy: KubeProxy, *, local: bool = False
) -> ServiceTarget:
    """A service at its clusterIPs."""
    behind = tuple(backends)
    return ServiceTarget(
        service.endpoint(),
        FrontendType.CLUSTER_IP,
        service.port_specs,
        behind,
        local=local,
        proxy=proxy,
        ports=service.ports,
    )


def at_addresses(
    service: Service,
    addresses: tuple[IPAddress, ...],
    frontend: FrontendType,
    backends: Iterable[Endpoint],
    proxy: KubeProxy,
    *,
    local: bool = False,
    announced: str = "",
) -> tuple[ServiceTarget, ...]:
    """A service at addresses that are no node's: a target for the first of each family, another one
    for the second of each, and so on."""
    behind = tuple(backends)
    return tuple(
        ServiceTarget(
            Endpoint(
                name=service.name + (f" ({number})" if number > 1 else ""),
                kind=EndpointKind.SERVICE,
                addresses=some,
                namespace=service.namespace,
            ),
            frontend,
            service.port_specs,
            behind,
            local=local,
            proxy=proxy,
            ports=service.ports,
            announced=announced,
        )
        for number, some in enumerate(by_turns(addresses), 1)
    )


def at_nodes(
    service: Service,
    nodes: Iterable[NodeFacts],
    backends: Iterable[Endpoint],
    proxy: KubeProxy,
    *,
    local: bool = False,
) -> tuple[ServiceTarget, ...]:
    """A service at its NodePorts, on every InternalIP of these nodes in the service's families."""
    behind = tuple(backends)
    return tuple(
        ServiceTarget(
            dataclasses.replace(
                dialled,
                addresses=tuple(a for a in dialled.addresses if Family.of(a) in service.families),
            ),
            FrontendType.NODE_PORT,
            service.node_port_specs,
            behind,
            local=local,
            proxy=proxy,
            ports=service.ports,
        )
        for node in nodes
        for dialled in service.at(node)
    )


def not_at_nodes(service: Service, nodes: Iterable[NodeFacts]) -> tuple[ServiceTarget, ...]:
    """The NodePorts of a service on the addresses of families that it does not have."""
    missing = [f for f in Family if f not in service.families]
    return tuple(
        ServiceTarget(
            dataclasses.replace(
                dialled, addresses=tuple(a for a in dialled.addresses if Family.of(a) in missing)
            ),
            FrontendType.NODE_PORT,
            service.node_port_specs,
            (),
            absent=f"{service.name} has no {' or '.join(missing)}: nothing listens on its NodePort",
        )
        for node in nodes
        for dialled in service.at(node)
    )


def flows_to(
    clients: Iterable[Endpoint],
    targets: Iterable[ServiceTarget],
    families: Iterable[Family],
    port_specs: Iterable[PortSpec] | None = None,
) -> tuple[Flow, ...]:
    """Every flow from a client to a target, in the families of which both have an address.

    `port_specs` None means all that each target serves.
    """
    wanted, goals = tuple(families), tuple(targets)
    chosen = None if port_specs is None else tuple(port_specs)
    return tuple(
        Flow(client, target.endpoint, address, port_spec.protocol, port_spec.port)
        for client in clients
        for target in goals
        for family in wanted
        if client.address(family) and (address := target.endpoint.address(family))
        for port_spec in (target.port_specs if chosen is None else chosen)
    )


def is_on_the_host(endpoint: Endpoint) -> bool:
    """Whether an endpoint shares its node's network stack."""
    return endpoint.kind is EndpointKind.HOST
