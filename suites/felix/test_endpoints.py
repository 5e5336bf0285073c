"""Felix of every node answers at its health and metrics endpoints, over each family."""

from __future__ import annotations

import pytest

from sixproof.checks.calico.felix_endpoints import FelixEndpoints
from sixproof.model import Family

pytestmark = [pytest.mark.feature("Felix"), pytest.mark.story("endpoints")]


@pytest.mark.covers("F1")
def test_felix_says_on_every_node_that_it_is_healthy(
    felix_endpoints: FelixEndpoints, ip_family: Family
) -> None:
    """Each node's Felix answers its own node and reports that it is live and ready.

    Why: Felix listens on localhost unless healthHost says otherwise, which is IPv4 only: over IPv6
    a healthy Felix does not answer.
    """
    felix_endpoints.must_be_healthy(ip_family)


@pytest.mark.covers("F1", "T3")
def test_metrics_of_felix_can_be_scraped_on_every_node(
    felix_endpoints: FelixEndpoints, ip_family: Family
) -> None:
    """Each node's Felix gives its metrics to its own node and to a pod of another one.

    Why: Prometheus is a pod and scrapes over the family of its configured address.
    """
    felix_endpoints.must_be_scraped(ip_family)
