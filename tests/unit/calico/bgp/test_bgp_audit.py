"""Judging what nodes advertise: a family that is left out is named where another is there."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from sixproof.calico.bgp.audit import audit
from sixproof.calico.bgp.configuration import Bgp
from sixproof.calico.state import CalicoState
from sixproof.model import ClusterFacts, Family, Severity

BOTH = ClusterFacts("https://api", "v1.34.1", (), service_families=tuple(Family))
FOUR, SIX = ipaddress.ip_network("10.96.0.0/16"), ipaddress.ip_network("fd00:96::/112")
FIELDS = {
    "cluster_ips": ("calico-cluster-ips-announced", "serviceClusterIPs"),
    "external_ips": ("calico-external-ips-announced", "serviceExternalIPs"),
}


def state(**ranges: Any) -> CalicoState:
    """Calico with BGP."""
    return CalicoState("projectcalico.org/v3", bgp=Bgp(**{"enabled": True, **ranges}))


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(("kept", "gone"), [(FOUR, Family.IPV6), (SIX, Family.IPV4)])
def test_a_family_that_is_not_announced_is_named(field: str, kept: Any, gone: Family) -> None:
    """The setting, the family and what is there."""
    code, setting = FIELDS[field]
    (found,) = audit(state(**{field: (kept,)}), BOTH)
    assert (found.code, found.families, found.severity) == (code, (gone,), Severity.WARNING)
    assert f"{setting} has no {gone} range" in found.seen
    assert str(kept) in found.seen


@pytest.mark.parametrize("field", FIELDS)
def test_both_families_or_none_are_well(field: str) -> None:
    """So is a cluster whose services have one family, and one without BGP."""
    assert list(audit(state(**{field: (FOUR, SIX)}), BOTH)) == []
    assert list(audit(state(), BOTH)) == []
    one = ClusterFacts("https://api", "v1.34.1", (), service_families=(Family.IPV4,))
    assert list(audit(state(**{field: (FOUR,)}), one)) == []
    assert list(audit(state(**{field: (FOUR,), "enabled": False}), BOTH)) == []
