"""Session affinity: in each family, a client keeps its backend until it has been idle long
enough."""

from __future__ import annotations

import pytest

from sixproof.checks.services.service_checks import ServiceChecks
from sixproof.model import Endpoint
from sixproof.workloads.services.routing import ServiceTarget

pytestmark = [pytest.mark.feature("Pod-to-service"), pytest.mark.covers("S3")]


@pytest.mark.story("session affinity")
def test_a_client_keeps_its_backend(
    affine: ServiceTarget, clients: tuple[Endpoint, ...], service_checks: ServiceChecks
) -> None:
    """With session affinity, all connections of a client to one port of a service reach one
    backend, over each family."""
    service_checks.must_keep_one_backend("session affinity", clients, affine)


@pytest.mark.story("session affinity")
def test_affinity_ends_after_its_timeout(
    briefly_affine: ServiceTarget, clients: tuple[Endpoint, ...], service_checks: ServiceChecks
) -> None:
    """Session affinity ends for clients that were idle for longer than its time-out: they are
    assigned backends anew.

    The probability that all of them draw the same backend again by chance is below 1e-9.
    """
    service_checks.must_draw_anew("session affinity time-out", clients, briefly_affine, silence=3.5)
