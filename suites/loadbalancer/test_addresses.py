"""A load balancer has the addresses that its service asks for, and no other."""

from __future__ import annotations

import pytest

from sixproof.checks.services.load_balancer_checks import LoadBalancerChecks
from sixproof.model import Endpoint
from sixproof.workloads.services.load_balancers import WISHES

pytestmark = [
    pytest.mark.feature("LoadBalancer"),
    pytest.mark.covers("S2"),
    pytest.mark.disruptive,
]


@pytest.mark.story("addresses")
def test_load_balancers_have_an_address_of_each_family(
    load_balancer_checks: LoadBalancerChecks,
) -> None:
    """A load balancer has an address of each family of its service, and of no other.

    Why: a dual-stack service whose load balancer has an address of one family is reachable only
    over that one, and nothing else about it looks wrong (KEP-563).
    """
    load_balancer_checks.must_have_addresses()


@pytest.mark.story("addresses")
@pytest.mark.parametrize("name", WISHES)
def test_services_that_ask_for_families_answer_over_them(
    name: str, outside_client: Endpoint, load_balancer_checks: LoadBalancerChecks
) -> None:
    """A single-stack service answers at the one address that it has, and one that requires both
    families at both."""
    load_balancer_checks.must_answer("load balancers by families", [outside_client], [name])
