"""The source address that a server sees is what kube-proxy, the CNI and the traffic policy make it.

Why: policies and access logs use it, and it differs between families if only one of them is
translated.
"""

from __future__ import annotations

import pytest

from sixproof.checks.services.service_checks import ServiceChecks
from sixproof.model import Endpoint
from sixproof.workloads.services.routing import ServiceTarget
from sixproof.workloads.services.shared_services import SharedServices
from sixproof.workloads.services.source import Translation

pytestmark = [pytest.mark.feature("Pod-to-service"), pytest.mark.covers("S3", "L1")]


@pytest.mark.story("source address")
def test_a_cluster_ip_keeps_the_address_of_pods(
    web: ServiceTarget,
    clients: tuple[Endpoint, ...],
    service_checks: ServiceChecks,
    translation: Translation,
) -> None:
    """Behind a clusterIP, a server sees a client pod by the pod's own address, and a client on a
    node by the node's address."""
    service_checks.must_show_source("clusterIP", clients, [web], translation)


@pytest.mark.story("source address")
def test_a_hairpin_is_masqueraded(
    web: ServiceTarget,
    shared_services: SharedServices,
    service_checks: ServiceChecks,
    translation: Translation,
) -> None:
    """A backend that reaches itself through its service sees its node's address; other backends see
    the client's own address."""
    service_checks.must_show_source("hairpin", shared_services.web, [web], translation)


@pytest.mark.story("source address")
def test_a_node_port_masquerades_under_the_dialled_node(
    node_ports: tuple[ServiceTarget, ...],
    clients: tuple[Endpoint, ...],
    service_checks: ServiceChecks,
    translation: Translation,
) -> None:
    """With externalTrafficPolicy Cluster, a server behind a NodePort sees an address of the dialled
    node."""
    service_checks.must_show_source("NodePort", clients, node_ports, translation)


@pytest.mark.story("source address")
def test_local_external_traffic_keeps_the_client_s_address(
    local_node_ports: tuple[ServiceTarget, ...],
    clients: tuple[Endpoint, ...],
    service_checks: ServiceChecks,
    translation: Translation,
) -> None:
    """With externalTrafficPolicy Local, the dialled node does not translate the client's address.

    A pod of another node arrives there with its own node's address if its pool has natOutgoing.
    """
    service_checks.must_show_source("NodePort, Local", clients, local_node_ports, translation)


@pytest.mark.story("source address")
def test_local_internal_traffic_keeps_the_address_of_pods(
    internal_local: tuple[ServiceTarget, ...],
    clients: tuple[Endpoint, ...],
    service_checks: ServiceChecks,
    translation: Translation,
) -> None:
    """With internalTrafficPolicy Local, a server sees the client pod's own address."""
    service_checks.must_show_source(
        "internalTrafficPolicy Local", clients, internal_local, translation
    )


@pytest.mark.story("source address")
def test_a_host_port_keeps_the_client_s_address(
    host_ports: tuple[ServiceTarget, ...],
    clients: tuple[Endpoint, ...],
    service_checks: ServiceChecks,
    translation: Translation,
) -> None:
    """Behind a HostPort, a server sees a pod of its own node by the pod's address, and a pod of
    another node by that node's address if its pool has natOutgoing."""
    service_checks.must_show_source("HostPort", clients, host_ports, translation)


@pytest.mark.story("source address")
def test_a_backend_on_the_host_network_sees_who_leaves_the_pool(
    host_network: ServiceTarget,
    clients: tuple[Endpoint, ...],
    service_checks: ServiceChecks,
    translation: Translation,
) -> None:
    """A host-network backend sees a pod of its own node by the pod's address, and a pod of another
    node by that node's address if its pool has natOutgoing."""
    service_checks.must_show_source("host-network backends", clients, [host_network], translation)
