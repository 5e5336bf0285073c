"""What a cause looks like: publicly known faults, recognised by their signatures."""

from __future__ import annotations

import re

import pytest

from sixproof.model import Family
from sixproof.reporting.conclusion.cause import Cause, Confidence, Trait
from sixproof.reporting.conclusion.known_faults import KNOWN, known
from sixproof.reporting.conclusion.rules import rules


def cause(code: str, *traits: Trait) -> Cause:
    """A cause with these traits, whose sentence has no word of them."""
    return Cause(
        code,
        "node worker",
        "reworded",
        "",
        (Family.IPV6,),
        Confidence.SHOWN,
        hits=lambda _: True,
        traits=frozenset(traits),
    )


@pytest.mark.parametrize(
    ("diagnosed", "report"),
    [
        (cause("route", Trait.POLICY_RULE), "tailscale/tailscale 14706"),
        (cause("route"), ""),
        (cause("kube-proxy"), "kubernetes/kubernetes 38372"),
        (cause("packet-filter", Trait.FILTERS_VXLAN), "projectcalico/calico 9403"),
        (cause("packet-filter", Trait.DROPS_INPUT), "GoogleCloudPlatform/netd 178"),
        (cause("packet-filter"), ""),
        (cause("device", Trait.VXLAN_PORT), "projectcalico/calico 10692"),
        (cause("device"), ""),
        (cause("pod-address", Trait.NOT_IN_POD_IPS), "projectcalico/calico 9312"),
        (cause("sysctl", Trait.POLICY_RULE), ""),
    ],
)
def test_a_cause_looks_like_what_has_its_code_and_its_trait(diagnosed: Cause, report: str) -> None:
    """Whatever its sentence says."""
    found = {source for fault in known(diagnosed) for source in fault.sources}
    assert report in found if report else not found


def test_every_trait_leads_to_a_known_fault() -> None:
    assert {fault.trait for fault in KNOWN} - {None} == set(Trait)


def test_every_row_belongs_to_a_rule_and_has_a_source() -> None:
    codes = {rule.code for rule in rules()}
    for fault in KNOWN:
        assert fault.cause in codes
        assert fault.sources
        assert all(re.fullmatch(r"[\w.-]+/[\w.-]+ \d+", source) for source in fault.sources)
    assert len({str(fault) for fault in KNOWN}) == len(KNOWN)
