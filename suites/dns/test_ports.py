"""SRV records: every named port, and targets that resolve in each family."""

from __future__ import annotations

import re

import pytest

from sixproof.checks.dns.resolution import Resolution
from sixproof.checks.dns.truth import Truth
from sixproof.model import Family
from sixproof.probes.dns import records

pytestmark = [pytest.mark.feature("DNS"), pytest.mark.covers("D1")]

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""RFC 1123 section 2.1; a label that ends in a hyphen is refused by many clients."""


@pytest.mark.story("SRV")
def test_every_named_port_has_a_record(truth: Truth, resolution: Resolution) -> None:
    """Each named port of a service has exactly one SRV record, with the port's number and the
    service's own name.

    Why: specification 2.3.2.
    """
    expected = records.ports(truth.cluster_ip, truth.zone)
    resolution.must_answer("ports of ClusterIP services", expected)


@pytest.mark.story("SRV")
def test_a_headless_port_has_a_record_for_each_endpoint(
    truth: Truth, resolution: Resolution
) -> None:
    """Each named port of a headless service has one SRV record per ready endpoint, with the
    endpoint's own name.

    Why: specification 2.4.2.
    """
    expected = records.endpoint_ports(truth.of("hosts"), truth.zone)
    resolution.must_answer("ports of endpoints", expected)


@pytest.mark.story("SRV")
def test_targets_of_pods_are_legal_names_that_lead_to_them(
    ip_family: Family, truth: Truth, resolution: Resolution
) -> None:
    """Every SRV target of a headless service is a valid host name, and the targets together resolve
    to exactly the service's ready pods of the family.

    Why: servers derive names from addresses, and an address that ends in :: gives an invalid name.
    """
    single = truth.headless_of(ip_family)
    expected = records.any_ports(single, truth.zone)
    seen = resolution.must_answer("ports of pods", expected)
    targets = {record.split()[1] for o in seen for record in o.data}
    illegal = (
        t for t in sorted(targets) if not all(map(LABEL.fullmatch, t.rstrip(".").split(".")))
    )
    resolution.none_wrong((f"{target} is no legal host name" for target in illegal), ip_family)
    led = resolution.must_answer("SRV targets", records.targets(targets, ip_family))
    reached = {address for o in led for address in o.data}
    ready = {str(e.address) for s in single for e in s.ready()}
    differing = (
        f"{address}: a ready pod, or a target's address, not both"
        for address in sorted(reached ^ ready)
    )
    resolution.none_wrong(differing, ip_family)
