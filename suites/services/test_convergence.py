"""Services follow their backends: every change takes effect soon, in each family, on every node.

Each test first checks that the service works as before, makes one change, and measures how long it
takes until every client gets the new result. The times are in the report, by family.
"""

from __future__ import annotations

import pytest

from sixproof.checks.services.service_checks import ServiceChecks
from sixproof.model import Endpoint, Family, Protocol
from sixproof.workloads.probe_pods.ports import PortSpec
from sixproof.workloads.services.mutable_service import MutableService

pytestmark = [pytest.mark.feature("Pod-to-service"), pytest.mark.covers("S3")]

Clients = tuple[Endpoint, ...]
UDP = (PortSpec(Protocol.UDP, 80),)


@pytest.mark.story("convergence")
def test_a_new_service_answers(
    mutable_service: MutableService, clients: Clients, service_checks: ServiceChecks
) -> None:
    """A newly created service reaches its backends."""
    mutable_service.stage(*mutable_service.reserve[:2])
    service_checks.must_converge(mutable_service.open(), clients)


@pytest.mark.story("convergence")
def test_an_added_endpoint_is_reached(
    mutable_service_of_one: MutableService, clients: Clients, service_checks: ServiceChecks
) -> None:
    """A backend that is added gets its share of connections, from every node."""
    service_checks.must_converge(
        mutable_service_of_one.put(mutable_service_of_one.reserve[1]), clients
    )


@pytest.mark.story("convergence")
def test_a_removed_endpoint_is_left_alone(
    mutable_service_of_two: MutableService, clients: Clients, service_checks: ServiceChecks
) -> None:
    """A backend that is removed gets no more connections, although it would still answer."""
    service_checks.must_converge(
        mutable_service_of_two.take(mutable_service_of_two.reserve[0]), clients
    )


@pytest.mark.story("convergence")
def test_an_unready_endpoint_is_left_alone(
    mutable_service_of_two: MutableService, clients: Clients, service_checks: ServiceChecks
) -> None:
    """A backend that becomes unready gets no more connections, although it would still answer."""
    service_checks.must_converge(
        mutable_service_of_two.unready(mutable_service_of_two.reserve[0]), clients
    )


@pytest.mark.story("convergence")
def test_no_connection_fails_after_an_endpoint_is_deleted(
    mutable_service_of_one: MutableService,
    pod_to_delete: Endpoint,
    clients: Clients,
    service_checks: ServiceChecks,
) -> None:
    """After a backend's pod is deleted, every connection reaches one of the remaining backends."""
    mutable_service_of_one.stage(pod_to_delete)
    service_checks.must_converge(mutable_service_of_one.delete(pod_to_delete), clients)


@pytest.mark.story("convergence")
def test_without_its_last_endpoint_a_service_refuses(
    mutable_service_of_one: MutableService, fourth_clients: Clients, service_checks: ServiceChecks
) -> None:
    """When the last backend is removed, connections are refused, not left without an answer."""
    service_checks.must_converge(
        mutable_service_of_one.take(mutable_service_of_one.reserve[0]), fourth_clients
    )


@pytest.mark.story("convergence")
def test_a_service_made_again_at_the_same_address_reaches_its_new_backends(
    mutable_service_of_one: MutableService, clients: Clients, service_checks: ServiceChecks
) -> None:
    """A service that is deleted and created again with the same clusterIPs reaches the backends
    that it selects now, and no old ones."""
    service_checks.must_converge(
        mutable_service_of_one.recreate(mutable_service_of_one.reserve[1]), clients
    )


@pytest.mark.story("convergence")
def test_udp_from_a_port_in_use_reaches_the_backend_that_replaced_another(
    mutable_service_of_one: MutableService, clients: Clients, service_checks: ServiceChecks
) -> None:
    """A UDP client that keeps its source port reaches the new backend when a service's backend is
    replaced.

    Why: connection tracking keeps the translation of a UDP flow while packets arrive; kube-proxy
    must remove the entry, in the table of each family.
    """
    old, new = mutable_service_of_one.reserve[:2]
    change = mutable_service_of_one.replace(old, new)
    port = mutable_service_of_one.source_port
    service_checks.must_converge(change, clients, source_port=port, port_specs=UDP)


@pytest.mark.story("convergence")
def test_a_second_family_is_served_beside_the_first(
    ip_family: Family,
    mutable_service: MutableService,
    clients: Clients,
    service_checks: ServiceChecks,
) -> None:
    """A single-stack service that gets a second family serves both (KEP-563)."""
    mutable_service.stage(mutable_service.reserve[0])
    mutable_service.open(ipFamilyPolicy="SingleStack", ipFamilies=[ip_family.value]).make()
    service_checks.must_converge(mutable_service.grow(), clients)
