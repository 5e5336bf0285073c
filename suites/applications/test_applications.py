"""Your own applications work over each family of the cluster; nothing of them is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from sixproof.checks.applications.application_checks import ApplicationChecks
from sixproof.workloads.existing.applications import Application

pytestmark = pytest.mark.feature("Your own applications")


@pytest.mark.story("each family")
def test_your_applications_work_over_each_family(
    application_checks: ApplicationChecks, own_applications: Callable[[], Sequence[Application]]
) -> None:
    """Each service has every family of the cluster, its pods accept connections over each, and so
    does the service; policies admit both.

    Why: a server that listens on 0.0.0.0 refuses every IPv6 connection, and its readiness probe,
    which the kubelet sends to the first address of the pod, does not notice. A SingleStack service
    has no AAAA record. An ipBlock of IPv4 denies IPv6.
    """
    application_checks.must_work(own_applications)
