"""Load balancers answer a client outside the cluster, over each family."""

from __future__ import annotations

import pytest

from sixproof.checks.services.load_balancer_checks import LoadBalancerChecks
from sixproof.checks.services.service_checks import ServiceChecks
from sixproof.model import Endpoint, Family, NodeFacts
from sixproof.workloads.services.load_balancers import CLUSTER, LOCAL, WITHOUT_NODE_PORTS
from sixproof.workloads.services.routing import ServiceTarget
from sixproof.workloads.services.source import Translation

pytestmark = [
    pytest.mark.feature("LoadBalancer"),
    pytest.mark.covers("S2", "B1"),
    pytest.mark.disruptive,
]


@pytest.mark.story("from outside")
def test_load_balancers_answer_from_outside(
    outside_client: Endpoint, load_balancer_checks: LoadBalancerChecks
) -> None:
    """A client outside the cluster is answered on every port at every address of a load balancer,
    over TCP and UDP, with and without NodePorts behind it.

    Why: allocateLoadBalancerNodePorts false removes the NodePorts, not the service.
    """
    services = [CLUSTER, LOCAL, WITHOUT_NODE_PORTS]
    load_balancer_checks.must_answer("load balancers from outside", [outside_client], services)


@pytest.mark.story("from inside")
def test_load_balancers_answer_from_inside(
    clients: tuple[Endpoint, ...], load_balancer_checks: LoadBalancerChecks
) -> None:
    """Pods and nodes are answered there too, wherever the backends are.

    Why: kube-proxy handles such traffic on the client's own node; no announcement is needed.
    """
    services = [CLUSTER, LOCAL]
    load_balancer_checks.must_answer("load balancers from inside", clients, services)


@pytest.mark.story("source address")
def test_external_traffic_of_the_cluster_comes_from_a_node(
    outside_client: Endpoint, load_balancer_checks: LoadBalancerChecks, translation: Translation
) -> None:
    """With externalTrafficPolicy Cluster, a server sees an address of a node, over each family."""
    load_balancer_checks.must_show_source(
        "load balancer, Cluster", [outside_client], CLUSTER, translation
    )


@pytest.mark.story("source address")
def test_local_external_traffic_keeps_the_address_of_a_client_outside(
    outside_client: Endpoint, load_balancer_checks: LoadBalancerChecks, translation: Translation
) -> None:
    """With externalTrafficPolicy Local, a server sees the client's own address, and every
    connection is answered although one node alone has a backend.

    Why: the address must be announced so that traffic goes to that node; any other one drops it.
    """
    load_balancer_checks.must_show_source(
        "load balancer, Local", [outside_client], LOCAL, translation
    )


@pytest.mark.story("externalTrafficPolicy Local")
def test_nodes_without_a_backend_do_not_answer(
    local_at_nodes: tuple[ServiceTarget, ...],
    outside_client: Endpoint,
    service_checks: ServiceChecks,
) -> None:
    """With externalTrafficPolicy Local, a client outside is answered by the node with a backend,
    and by no other one."""
    title = "load balancer, Local, at nodes"
    service_checks.must_answer(title, [outside_client], local_at_nodes)


@pytest.mark.story("health checks")
def test_health_checks_tell_which_nodes_have_a_backend(
    outside_client: Endpoint,
    covered_nodes: tuple[NodeFacts, ...],
    ip_family: Family,
    load_balancer_checks: LoadBalancerChecks,
) -> None:
    """At the healthCheckNodePort, a node with a backend says 200 and one without says 503.

    Why: if it is wrong, load balancers that rely on it use nodes that drop traffic, or none.
    """
    load_balancer_checks.must_answer_health_checks(outside_client, covered_nodes, ip_family)
