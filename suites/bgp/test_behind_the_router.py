"""A client behind a router that peers with the nodes reaches pods and services, and is reached.

Why: without tunnels the network outside carries pods' packets as they are. It must have learnt the
routes of each family, and every node must know the way back.
"""

from __future__ import annotations

import pytest

from sixproof.checks.connect.connectivity import Connectivity
from sixproof.checks.services.service_checks import ServiceChecks
from sixproof.model import Endpoint, Family
from sixproof.workloads.probe_pods.topology import ProbeTopology, flows
from sixproof.workloads.services.routing import ServiceTarget
from sixproof.workloads.services.source import Translation

pytestmark = [pytest.mark.feature("BGP"), pytest.mark.covers("B1", "B2")]


@pytest.mark.story("to pods")
def test_a_client_behind_the_router_reaches_every_pod(
    rack: Endpoint, topology: ProbeTopology, ip_family: Family, connectivity: Connectivity
) -> None:
    """It reaches every pod on every node at the pod's own address, and is seen with its own."""
    to_pods = flows([rack], topology.pods, [ip_family])
    matrix = connectivity.must_work("from behind the router to pods", to_pods)
    connectivity.must_show_clients("from behind the router, source addresses", matrix)


@pytest.mark.story("from pods")
def test_pods_and_nodes_reach_a_client_behind_the_router(
    rack: Endpoint, topology: ProbeTopology, ip_family: Family, connectivity: Connectivity
) -> None:
    """From every pod and every node, over the routes that the router announces."""
    outward = flows([*topology.pods, *topology.hosts], [rack], [ip_family])
    connectivity.must_work("to a client behind the router", outward)


@pytest.mark.story("services")
def test_advertised_cluster_ips_answer_behind_the_router(
    rack: Endpoint,
    advertised_services: tuple[ServiceTarget, ...],
    service_checks: ServiceChecks,
) -> None:
    """ClusterIPs in the ranges that nodes advertise answer a client outside the cluster, over each
    family."""
    service_checks.must_answer("ClusterIP from behind the router", [rack], advertised_services)


@pytest.mark.story("external IPs")
@pytest.mark.disruptive
def test_external_ips_answer_behind_the_router(
    rack: Endpoint,
    reached_external_ips: tuple[ServiceTarget, ...],
    service_checks: ServiceChecks,
) -> None:
    """External IPs of a service, in the ranges that nodes advertise, answer a client outside the
    cluster on every port, over each family.

    Why: the API assigns no such address and checks none; what attracts its traffic is the route
    alone (Service v1 API, externalIPs).
    """
    service_checks.must_answer("external IP from behind the router", [rack], reached_external_ips)


@pytest.mark.story("external IPs")
@pytest.mark.disruptive
def test_external_ips_answer_inside_the_cluster(
    clients: tuple[Endpoint, ...],
    reached_external_ips: tuple[ServiceTarget, ...],
    service_checks: ServiceChecks,
) -> None:
    """Pods and nodes are answered at external IPs too: kube-proxy serves them on every node."""
    service_checks.must_answer("external IP from inside", clients, reached_external_ips)


@pytest.mark.story("source address")
@pytest.mark.disruptive
def test_traffic_to_external_ips_comes_from_a_node(
    rack: Endpoint,
    reached_external_ips: tuple[ServiceTarget, ...],
    service_checks: ServiceChecks,
    translation: Translation,
) -> None:
    """A server sees an address of a node, over each family, when a client outside the cluster dials
    an external IP: the node that receives its traffic masquerades it."""
    service_checks.must_show_source(
        "external IP, source addresses", [rack], reached_external_ips, translation
    )
