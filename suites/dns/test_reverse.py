"""Reverse lookups return names, for IPv6 addresses in full nibble form."""

from __future__ import annotations

import ipaddress

import pytest

from sixproof.checks.dns.resolution import Resolution
from sixproof.checks.dns.truth import Truth
from sixproof.model import Family
from sixproof.probes.dns import records

pytestmark = [pytest.mark.feature("DNS"), pytest.mark.covers("D1")]


@pytest.mark.story("PTR")
def test_a_cluster_ip_leads_back_to_its_service(
    ip_family: Family, truth: Truth, resolution: Resolution
) -> None:
    """The PTR record of every clusterIP is its service's name.

    Why: specification 2.3.3; under ip6.arpa the name has all 32 nibbles (RFC 3596 section 2.5).
    """
    expected = records.reverse_of_services(truth.cluster_ip, truth.zone, ip_family)
    resolution.must_answer("clusterIPs backwards", expected)


@pytest.mark.story("PTR")
def test_an_endpoint_with_a_host_name_leads_back_to_it(
    ip_family: Family, truth: Truth, resolution: Resolution
) -> None:
    """The PTR record of a ready endpoint is its host name under its service (specification
    2.4.3)."""
    expected = records.reverse_of_endpoints(truth.of("hosts"), truth.zone, ip_family)
    resolution.must_answer("endpoints backwards", expected)


@pytest.mark.story("PTR")
@pytest.mark.usefixtures("unknown_reverse_names_end_here")
def test_an_unused_address_has_no_name(
    ip_family: Family, truth: Truth, resolution: Resolution
) -> None:
    """The reverse name of an unused address gets NXDOMAIN, not SERVFAIL.

    Why: servers that log or check their clients' names wait and retry after SERVFAIL.
    """
    nobody = ipaddress.ip_address(truth.names.address("hosts", ip_family, 250))
    expected = records.unassigned([nobody])
    resolution.must_answer("an unused address backwards", expected)
