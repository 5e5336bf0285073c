"""A service reached by its name is reached over each of its families, not over one of them only.

Why: clients that fall back (RFC 8305) or sort addresses (RFC 6724) hide a dead family: all is well
until the other one is gone.
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
    """From a pod on every node, each address that a service's name leads to carries the client, and
    the name has an address of every family of the service.

    One that works only thanks to IPv4 is broken over IPv6, whatever its users notice.
    """
    sources = topology.in_namespace("a")
    name_reach.must_need_no_fallback(sources, truth.cluster_ip, named.backends)
