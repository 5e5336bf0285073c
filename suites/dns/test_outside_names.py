"""Names outside the cluster's zone resolve to their own families, and failures stay distinct."""

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
    """An outside name with AAAA only, A only, both or neither gets exactly these answers, also
    through an alias."""
    resolution.must_answer("names of the test zone", outside_zone.answers(ip_family))


@pytest.mark.story("outside names")
def test_unknown_outside_names_and_broken_zones_keep_their_response_codes(
    ip_family: Family, outside_zone: OutsideZone, resolution: Resolution
) -> None:
    """An unknown outside name gets NXDOMAIN and a broken zone gets SERVFAIL; neither gets an empty
    answer."""
    resolution.must_answer("failures of the test zone", outside_zone.failures(ip_family))


@pytest.mark.story("outside names")
def test_stock_resolvers_find_outside_names(
    outside_zone: OutsideZone, resolvers: Resolvers
) -> None:
    """getaddrinfo returns the families that an outside name has and reports those it lacks, over
    nameservers of each family."""
    resolvers.must_find("outside names", outside_zone.found([None, *Family]))
