"""Names follow readiness: ready pods are found, unready ones are not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sixproof.checks.dns.resolution import Resolution
from sixproof.checks.dns.truth import Truth
from sixproof.model import Family
from sixproof.probes.dns.records import Answers

pytestmark = [pytest.mark.feature("DNS"), pytest.mark.covers("D1")]


@pytest.mark.story("readiness")
def test_a_headless_name_follows_its_endpoints(
    ip_family: Family,
    truth: Truth,
    move_endpoints: Callable[[], Answers],
    resolution: Resolution,
) -> None:
    """A headless service's name follows its endpoints when they are added, removed or change
    readiness; how long it takes is reported.

    Why: clients of a headless service have no other way to learn of it (specification 2.4.1).
    """
    before = truth.addresses(truth.of("moving"), ip_family)
    resolution.must_answer("endpoints before the change", before)
    resolution.must_follow("a headless name follows its endpoints", move_endpoints, ip_family)


@pytest.mark.story("readiness")
def test_a_pod_that_is_not_ready_is_not_found(
    ip_family: Family, truth: Truth, resolution: Resolution
) -> None:
    """The name of a headless service without a ready pod does not exist."""
    unready = truth.addresses(truth.of("unpublished", "empty"), ip_family)
    resolution.must_answer("services without a ready endpoint", unready)


@pytest.mark.story("readiness")
def test_a_published_pod_is_found_before_it_is_ready(
    ip_family: Family, truth: Truth, resolution: Resolution
) -> None:
    """With publishNotReadyAddresses, a pod is found in each of its families before it is ready.

    Why: members of a clustered application must find each other to become ready at all.
    """
    published = truth.addresses(truth.of("published"), ip_family)
    resolution.must_answer("a service that publishes unready pods", published)
