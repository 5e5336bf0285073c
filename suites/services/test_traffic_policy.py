"""Traffic policies: what must stay on a node stays there, what it cannot serve goes nowhere."""

from __future__ import annotations

import pytest

from sixproof.checks.services.service_checks import ServiceChecks
from sixproof.model import Endpoint
from sixproof.workloads.services.routing import ServiceTarget

pytestmark = [pytest.mark.feature("Pod-to-service"), pytest.mark.covers("S3")]


@pytest.mark.story("internalTrafficPolicy Local")
def test_internal_traffic_stays_on_its_node(
    internal_local: tuple[ServiceTarget, ...],
    clients: tuple[Endpoint, ...],
    service_checks: ServiceChecks,
) -> None:
    """A client is served by the backends of its own node and no other.

    Where its node has none, nothing answers it, over no family (KEP-2086).
    """
    service_checks.must_reach_every_backend("internalTrafficPolicy Local", clients, internal_local)


@pytest.mark.story("externalTrafficPolicy Local")
def test_external_traffic_stays_on_the_node_it_came_to(
    local_node_ports: tuple[ServiceTarget, ...],
    clients: tuple[Endpoint, ...],
    service_checks: ServiceChecks,
) -> None:
    """A NodePort is served by backends of the node that was dialled; one without backends does not
    forward to another.

    Clients on the dialled node itself are inside, and reach every backend.
    """
    service_checks.must_reach_every_backend(
        "externalTrafficPolicy Local", clients, local_node_ports
    )
