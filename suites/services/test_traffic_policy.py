"""Traffic policies Local: traffic stays on its node, and is not forwarded where the node has no
backend."""

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
    """With internalTrafficPolicy Local, a client is served only by backends of its own node.

    If its node has none, it gets no answer over any family (KEP-2086).
    """
    service_checks.must_reach_every_backend("internalTrafficPolicy Local", clients, internal_local)


@pytest.mark.story("externalTrafficPolicy Local")
def test_external_traffic_stays_on_the_node_it_came_to(
    local_node_ports: tuple[ServiceTarget, ...],
    clients: tuple[Endpoint, ...],
    service_checks: ServiceChecks,
) -> None:
    """With externalTrafficPolicy Local, a NodePort is served only by backends of the dialled node;
    a node without backends does not forward to another.

    Clients on the dialled node itself are internal and reach every backend.
    """
    service_checks.must_reach_every_backend(
        "externalTrafficPolicy Local", clients, local_node_ports
    )
