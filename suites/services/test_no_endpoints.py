"""A service without a ready backend refuses its clients.

Why: a client that is refused can try another address or report an error at once; silence keeps it
waiting. Each flow is tried once, because the kernel limits the rate of ICMP errors per peer.
"""

from __future__ import annotations

import pytest

from sixproof.checks.services.service_checks import ServiceChecks
from sixproof.model import Endpoint
from sixproof.workloads.services.routing import ServiceTarget

pytestmark = [pytest.mark.feature("Pod-to-service"), pytest.mark.covers("S3")]


@pytest.mark.story("no endpoints")
def test_a_service_with_nothing_behind_it_refuses(
    empty: ServiceTarget, clients: tuple[Endpoint, ...], service_checks: ServiceChecks
) -> None:
    """The clusterIPs of a service without endpoints answer port unreachable, over TCP and UDP."""
    service_checks.must_answer("no endpoints", clients, [empty])


@pytest.mark.story("no endpoints")
def test_a_node_port_with_nothing_behind_it_refuses(
    empty_node_ports: tuple[ServiceTarget, ...],
    second_clients: tuple[Endpoint, ...],
    service_checks: ServiceChecks,
) -> None:
    """The NodePort of a service without endpoints answers port unreachable on every node."""
    service_checks.must_answer("NodePort without endpoints", second_clients, empty_node_ports)


@pytest.mark.story("no endpoints")
def test_a_service_whose_backends_are_unready_refuses(
    unready: ServiceTarget, third_clients: tuple[Endpoint, ...], service_checks: ServiceChecks
) -> None:
    """A service whose backends run but are not ready refuses connections."""
    service_checks.must_answer("no ready endpoint", third_clients, [unready])
