"""Names from outside the cluster's zone keep their families and their failures."""

from __future__ import annotations

import pytest

from sixproof.checks.dns.outside_zone import OutsideZone
from sixproof.checks.dns.resolution import Resolution
from sixproof.checks.dns.resolvers import Resolvers
from sixproof.model import Family

pytestmark = [pytest.mark.feature("DNS"), pytest.mark.covers("D1")]


@pytest.mark.story("outside names")
def test_outside_names_keep_their_families(
    ip_family: Family, outside_zone: OutsideZone, resolution: Resolution
) -> None:
    """A name with AAAA only, A only, both or neither is answered so, also through an alias."""
    resolution.must_answer("names of the test zone", outside_zone.answers(ip_family))


@pytest.mark.story("outside names")
def test_outside_failures_are_told_apart(
    ip_family: Family, outside_zone: OutsideZone, resolution: Resolution
) -> None:
    """An unknown name is NXDOMAIN, a broken zone SERVFAIL; neither is an empty answer."""
    resolution.must_answer("failures of the test zone", outside_zone.failures(ip_family))


@pytest.mark.story("outside names")
def test_stock_resolvers_find_outside_names(
    outside_zone: OutsideZone, resolvers: Resolvers
) -> None:
    """getaddrinfo returns the families that an outside name has, and says what it has not, over
    nameservers of each family."""
    resolvers.must_find("outside names", outside_zone.found([None, *Family]))
