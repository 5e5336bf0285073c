"""Other kinds of services: headless, ExternalName, and with backends on the host network."""

from __future__ import annotations

import pytest

from sixproof.checks.services import addresses
from sixproof.checks.services.endpoint_slices import SlicesOf
from sixproof.checks.services.service_checks import ServiceChecks
from sixproof.model import Endpoint
from sixproof.workloads.services.routing import ServiceTarget
from sixproof.workloads.services.shared_services import SELECTING, SharedServices

pytestmark = [pytest.mark.feature("Pod-to-service"), pytest.mark.covers("S3")]


@pytest.mark.story("EndpointSlices")
@pytest.mark.parametrize("name", SELECTING)
def test_endpoint_slices_list_what_the_service_selects(
    name: str, shared_services: SharedServices, slices: SlicesOf
) -> None:
    """The EndpointSlices of every kind of service list the ready pods that it selects.

    Unready pods are listed as ready only if the service publishes them.
    """
    slices.must_list_the_ready_pods(shared_services.services[name])


@pytest.mark.story("headless")
def test_a_headless_service_has_no_address_of_its_own(shared_services: SharedServices) -> None:
    """A headless service has its families but no clusterIP."""
    addresses.must_be_headless(shared_services.services["headless"])


@pytest.mark.story("headless")
def test_backends_of_a_headless_service_answer_at_their_own_addresses(
    headless: tuple[ServiceTarget, ...],
    clients: tuple[Endpoint, ...],
    service_checks: ServiceChecks,
) -> None:
    """Each address in the EndpointSlices of a headless service answers on the pod's own ports."""
    service_checks.must_answer("headless", clients, headless)


@pytest.mark.story("ExternalName")
def test_an_external_name_has_no_address_and_no_backend(
    shared_services: SharedServices, slices: SlicesOf
) -> None:
    """An ExternalName service is only a DNS alias: it has no clusterIP and no endpoints."""
    service = shared_services.services["external-name"]
    addresses.must_have_only(service, slices.listed(service))


@pytest.mark.story("host-network backends")
def test_backends_on_the_host_network_take_their_share(
    host_network: ServiceTarget, clients: tuple[Endpoint, ...], service_checks: ServiceChecks
) -> None:
    """A service reaches each of its host-network backends at its node's address."""
    service_checks.must_reach_every_backend("host-network backends", clients, [host_network])


@pytest.mark.story("unready backends")
def test_an_unready_backend_answers_where_it_is_published(
    published_unready: ServiceTarget, clients: tuple[Endpoint, ...], service_checks: ServiceChecks
) -> None:
    """A service with publishNotReadyAddresses reaches a pod that runs but is not ready."""
    service_checks.must_answer("published although unready", clients, [published_unready])


@pytest.mark.story("hairpin")
def test_a_backend_reaches_itself_through_its_service(
    web: ServiceTarget, shared_services: SharedServices, service_checks: ServiceChecks
) -> None:
    """A backend that dials its own service reaches every backend, including itself.

    Why: the reply of a hairpin connection must come back through kube-proxy, which requires that
    the pod's own address was masqueraded; if a node does this in one family only, one connection in
    n fails.
    """
    service_checks.must_reach_every_backend("hairpin", shared_services.web, [web])
