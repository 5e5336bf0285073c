"""loadBalancerSourceRanges admit and bar clients family by family."""

from __future__ import annotations

import pytest

from sixproof.checks.services.load_balancer_checks import LoadBalancerChecks
from sixproof.model import Endpoint
from sixproof.workloads.services.load_balancers import DENIES

pytestmark = [
    pytest.mark.feature("LoadBalancer"),
    pytest.mark.story("source ranges"),
    pytest.mark.covers("S2"),
    pytest.mark.disruptive,
]


def test_source_ranges_bar_clients_of_each_family(
    outside_client: Endpoint, load_balancer_checks: LoadBalancerChecks
) -> None:
    """A client is answered where a range of its family holds its address, and dropped where none
    does; what is dropped reaches no backend."""
    load_balancer_checks.must_bar("source ranges", outside_client, [DENIES])


def test_ranges_of_one_family_leave_the_other_one_open(
    one_family_ranges: str, outside_client: Endpoint, load_balancer_checks: LoadBalancerChecks
) -> None:
    """Ranges of one family restrict that family alone: clients of the other one are admitted.

    Why: kube-proxy applies ranges by family, and none means all clients. An owner who restricts
    only IPv4 leaves the service open over IPv6.
    """
    title = "source ranges of one family"
    load_balancer_checks.must_bar(title, outside_client, [one_family_ranges])
