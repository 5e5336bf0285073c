"""A service is reached by name over each of its families, not over one of them only.

Why: clients that fall back (RFC 8305) or sort addresses (RFC 6724) hide a broken family: everything
works until the other family fails too.
"""

from __future__ import annotations

import pytest

from sixproof.checks.dns.name_reach import NameReach
from sixproof.checks.dns.names import Named
from sixproof.checks.dns.truth import Truth
from sixproof.workloads.probe_pods.topology import ProbeTopology

pytestmark = [pytest.mark.feature("DNS"), pytest.mark.covers("D1", "S1")]


@pytest.mark.story("by name")
def test_a_service_works_by_name_over_each_of_its_families(
    topology: ProbeTopology, truth: Truth, named: Named, name_reach: NameReach
) -> None:
    """From a pod on every node, a service's name resolves to an address of each of its families,
    and the service answers at every one of these addresses.

    A service that works only thanks to IPv4 is broken over IPv6, even if its users do not notice.
    """
    sources = topology.in_namespace("a")
    name_reach.must_need_no_fallback(sources, truth.cluster_ip, named.backends)
