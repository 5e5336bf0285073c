"""The other kinds of services: headless, of another name, with backends on the host network."""

from __future__ import annotations

import pytest

from sixproof.checks.services.endpoint_slices import SlicesOf
from sixproof.checks.services.service_checks import ServiceChecks
from sixproof.model import Endpoint
from sixproof.workloads.services.routing import ServiceTarget
from sixproof.workloads.services.shared_services import SELECTING, SharedServices

pytestmark = [pytest.mark.feature("Pod-to-service"), pytest.mark.covers("S3")]


@pytest.mark.story("EndpointSlices")
@pytest.mark.parametrize("name", SELECTING)
def test_endpoint_slices_list_what_the_service_selects(
    name: str, standing: SharedServices, slices: SlicesOf
) -> None:
    """Whatever the kind of service, its EndpointSlices list the ready pods that it selects.

    Pods that are not ready are listed as ready only by a service that publishes them.
    """
    slices.must_list_the_ready_pods(standing.services[name])


@pytest.mark.story("headless")
def test_a_headless_service_has_no_address_of_its_own(standing: SharedServices) -> None:
    """It has its families and no clusterIP."""
    service = standing.services["headless"]
    assert (service.headless, service.cluster_ips) == (True, ())


@pytest.mark.story("headless")
def test_backends_of_a_headless_service_answer_at_their_own_addresses(
    headless: tuple[ServiceTarget, ...],
    clients: tuple[Endpoint, ...],
    service_checks: ServiceChecks,
) -> None:
    """Each address that its EndpointSlices list answers on the pod's own ports."""
    service_checks.must_answer("headless", clients, headless)


@pytest.mark.story("ExternalName")
def test_an_external_name_has_no_address_and_no_backend(
    standing: SharedServices, slices: SlicesOf
) -> None:
    """It is a name for a name: nothing of it is to be found on the network."""
    service = standing.services["external-name"]
    assert (service.cluster_ips, slices.listed(service)) == ((), frozenset())


@pytest.mark.story("host-network backends")
def test_backends_on_the_host_network_take_their_share(
    host_network: ServiceTarget, clients: tuple[Endpoint, ...], service_checks: ServiceChecks
) -> None:
    """A service reaches each of its backends whose address is its node's own."""
    service_checks.must_reach_every_backend("host-network backends", clients, [host_network])


@pytest.mark.story("unready backends")
def test_an_unready_backend_answers_where_it_is_published(
    published_unready: ServiceTarget, clients: tuple[Endpoint, ...], service_checks: ServiceChecks
) -> None:
    """publishNotReadyAddresses serves a pod that runs and is not ready."""
    service_checks.must_answer("published although unready", clients, [published_unready])


@pytest.mark.story("hairpin")
def test_a_backend_reaches_itself_through_its_service(
    web: ServiceTarget, standing: SharedServices, service_checks: ServiceChecks
) -> None:
    """A backend that dials its own service reaches every backend, itself among them.

    Why: the reply to a hairpin must come back through kube-proxy, which only happens when the pod's
    own address was masqueraded; a node that does so in one family only fails one time in n.
    """
    service_checks.must_reach_every_backend("hairpin", standing.web, [web])
