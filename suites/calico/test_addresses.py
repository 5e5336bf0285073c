"""The API server, Calico, its IPAM and every kernel agree about each pod's address."""

from __future__ import annotations

import pytest

from sixproof.checks.calico.address_checks import AddressChecks
from sixproof.model import ClusterFacts, Family

pytestmark = [pytest.mark.feature("Calico"), pytest.mark.story("addresses")]


@pytest.mark.covers("L4")
def test_api_server_calico_and_ipam_agree_about_pod_addresses(
    address_checks: AddressChecks, ip_family: Family
) -> None:
    """A pod's podIPs are the addresses that Calico's CNI plugin noted at it, and the IPAM block of
    each assigns it to this pod.

    Why: Felix and services use the podIPs, which another plugin may have changed, and IPAM assigns
    an address that it considers free to the next pod.
    """
    address_checks.must_agree(ip_family)


@pytest.mark.covers("L4", "L1")
def test_every_node_has_a_route_to_every_pod(
    address_checks: AddressChecks, ip_family: Family
) -> None:
    """The kernel of every node sends packets for a pod to the pod's own device, or to its node: by
    the tunnel of the pod's pool, or without one.

    Why: the kernel is asked, so that policy rules and all tables count, and routes that lead to
    another node are found before a packet is lost.
    """
    address_checks.must_route(ip_family)


@pytest.mark.covers("L1", "L4")
def test_ipam_blocks_fit_their_pool_and_node(
    address_checks: AddressChecks, facts: ClusterFacts
) -> None:
    """Every IPAM block lies in a pool, has its blockSize, and belongs to a node that exists.

    Why: removed nodes keep their blocks until Calico releases them, and a pool can run out of
    blocks in one family only.
    """
    address_checks.must_keep_its_blocks(node.name for node in facts.nodes)


@pytest.mark.covers("I2")
def test_calico_chose_an_address_that_the_node_has(
    address_checks: AddressChecks, ip_family: Family
) -> None:
    """The address that Calico chose for a node is on one of its devices, with the prefix length of
    its subnet.

    Why: other nodes send their tunnel's packets there, and CrossSubnet decides by that subnet.
    """
    address_checks.must_have_its_nodes_addresses(ip_family)


@pytest.mark.covers("L2")
def test_pods_have_addresses_of_pools_that_select_them(
    address_checks: AddressChecks, ip_family: Family
) -> None:
    """A pod that names no pool has an address of one whose nodeSelector and namespaceSelector
    select its node and its namespace.

    Why: segments (production, development, DMZ) are pools with nodeSelectors, and firewalls go by
    their ranges.
    """
    address_checks.must_be_selected(ip_family)
