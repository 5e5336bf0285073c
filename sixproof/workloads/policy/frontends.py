"""The frontends of policy namespaces: their service at its clusterIPs and at every node's port."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from sixproof.kube.api.client import Cluster
from sixproof.model import Endpoint, Family, Flow, NodeFacts
from sixproof.policy import ServicePortSnapshot, ServiceSnapshot
from sixproof.workloads.policy.policy_namespaces import PolicyNamespaces
from sixproof.workloads.services import manifests, routing
from sixproof.workloads.services.kube_proxy import KubeProxy
from sixproof.workloads.services.routing import FrontendType, ServiceTarget

HOME = "shop"


@dataclasses.dataclass(frozen=True)
class ServiceFrontends:
    """A service in front of `backend`, and the targets at which it is dialled."""

    service: ServiceSnapshot
    backend: Endpoint
    targets: tuple[ServiceTarget, ...]

    def flows(self, clients: Iterable[Endpoint], families: Iterable[Family]) -> tuple[Flow, ...]:
        """Every client to every frontend, on all ports."""
        return routing.flows_to(clients, self.targets, families)

    def flows_from_outside(
        self, clients: Iterable[Endpoint], families: Iterable[Family]
    ) -> tuple[Flow, ...]:
        """Clients beyond the cluster to every node's port; a clusterIP is nothing to them.

        Of endpoints of one machine the first is the client: its kernel chooses the source address.
        """
        machines = {client.pod: client for client in reversed(tuple(clients))}
        ports = [t for t in self.targets if t.frontend is FrontendType.NODE_PORT]
        return routing.flows_to(machines.values(), ports, families)

    def witnesses(self) -> dict[str, tuple[Endpoint, ...]]:
        """The endpoints that may have seen a flow to a frontend."""
        return {t.endpoint.name: (self.backend,) for t in self.targets}


def open_frontends(
    cluster: Cluster,
    policy_namespaces: PolicyNamespaces,
    manifest: Path,
    nodes: Iterable[NodeFacts],
    proxy: KubeProxy,
) -> ServiceFrontends:
    """Create the service of a file in front of the policy namespaces' pod ``shop/web``.

    Raises:
        ApiError: the API server refused it.
    """
    wanted = manifests.load(manifest, policy_namespaces.run, policy_namespaces.homes[HOME])
    made = manifests.service(cluster.apply(wanted))
    backend = policy_namespaces.pod(f"{HOME}/web")
    return ServiceFrontends(
        _for_the_oracle(made, backend),
        backend,
        (
            routing.at_cluster_ip(made, [backend], proxy),
            *routing.at_nodes(made, nodes, [backend], proxy),
        ),
    )


def _for_the_oracle(made: manifests.Service, backend: Endpoint) -> ServiceSnapshot:
    ports = tuple(
        ServicePortSnapshot(
            p.port, p.protocol, int(p.target) if p.target.isdigit() else p.target, p.node_port
        )
        for p in made.ports
    )
    return ServiceSnapshot(made.namespace, made.name, made.cluster_ips, (), ports, (backend,))
