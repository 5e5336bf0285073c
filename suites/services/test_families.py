"""A service has the families that it asks for, in that order, and serves each of them.

Why: KEP-563. Older clients and most tools use the first family; clients that use the other one must
be served equally well.
"""

from __future__ import annotations

import pytest

from sixproof.checks.services import addresses
from sixproof.checks.services.endpoint_slices import SlicesOf
from sixproof.checks.services.service_checks import ServiceChecks
from sixproof.model import ClusterFacts, Endpoint, Family
from sixproof.reporting.diagnosis.evidence import require_none
from sixproof.workloads.services.families import GRANTABLE, WISHES, FamilyWish
from sixproof.workloads.services.manifests import Service
from sixproof.workloads.services.routing import ServiceTarget
from sixproof.workloads.services.shared_services import SharedServices

pytestmark = [pytest.mark.feature("Pod-to-service"), pytest.mark.covers("S1")]


@pytest.mark.story("family policies")
@pytest.mark.parametrize("wish", WISHES, ids=str)
def test_cluster_ips_have_the_families_asked_for_in_order(
    wish: FamilyWish, shared_services: SharedServices, facts: ClusterFacts
) -> None:
    """A service gets a clusterIP of each family that its policy grants, in the order requested.

    A service that the cluster cannot grant is refused as a whole.
    """
    found = shared_services.wishes[wish]
    addresses.must_be_granted(wish, found, facts.service_families)


@pytest.mark.story("family policies")
def test_cluster_ips_are_of_the_service_ranges(
    shared_services: SharedServices, facts: ClusterFacts
) -> None:
    """Every clusterIP is an address in one of the cluster's service ranges."""
    strays = {
        f"{service.name}: {address} is in none of {', '.join(map(str, facts.service_cidrs))}": (
            service.subject(str(address))
        )
        for service in shared_services.all_services()
        for address in service.cluster_ips
        if not any(address in cidr for cidr in facts.service_cidrs)
    }
    require_none(strays)


@pytest.mark.story("EndpointSlices")
@pytest.mark.parametrize("wish", GRANTABLE, ids=str)
def test_endpoint_slices_list_the_ready_pods_of_each_family(
    wish: FamilyWish, granted: Service, slices: SlicesOf
) -> None:
    """EndpointSlices list every ready pod's address for each family of the service and no other,
    with the number of the target port."""
    slices.must_list_the_ready_pods(granted)


@pytest.mark.quick
@pytest.mark.story("family policies")
def test_every_service_answers_in_each_family_it_has(
    family_targets: tuple[ServiceTarget, ...],
    clients: tuple[Endpoint, ...],
    service_checks: ServiceChecks,
) -> None:
    """Every clusterIP of every service answers on every port, from a pod on each node and from each
    node.

    The ports differ from those of the pods, by number and by name, over TCP and UDP.
    """
    title = "services of every family policy"
    service_checks.must_answer(title, clients, family_targets, headline=True)


@pytest.mark.story("every backend")
def test_every_backend_takes_its_share(
    web: ServiceTarget, clients: tuple[Endpoint, ...], service_checks: ServiceChecks
) -> None:
    """Over each family and on each port, connections through a service reach every backend on every
    node.

    Why: if one backend of three is lost in one family, two connections of three still work.
    """
    service_checks.must_reach_every_backend("every backend", clients, [web])


@pytest.mark.story("absent family")
def test_a_family_that_a_service_lacks_is_refused_at_its_node_port(
    lacking_node_ports: tuple[ServiceTarget, ...],
    clients: tuple[Endpoint, ...],
    service_checks: ServiceChecks,
) -> None:
    """The NodePort of a single-stack service is refused at node addresses of the other family.

    Why: a dual-stack client falls back to the other family at once if it is refused, but only after
    seconds if it gets no answer (RFC 8305).
    """
    service_checks.must_answer("NodePorts of the absent family", clients, lacking_node_ports)


@pytest.mark.story("absent family")
def test_a_single_stack_service_has_nothing_of_the_other_family(
    ip_family: Family, single_stack: Service, slices: SlicesOf
) -> None:
    """A single-stack service has neither a clusterIP nor an EndpointSlice of the other family."""
    addresses.must_have_only(single_stack, slices.listed(single_stack), ip_family)
