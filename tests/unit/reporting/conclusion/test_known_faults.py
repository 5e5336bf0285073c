"""What a cause looks like: publicly known faults, recognised by their signatures."""

from __future__ import annotations

import re

import pytest

from sixproof.model import Family
from sixproof.reporting.conclusion.cause import Cause, Confidence
from sixproof.reporting.conclusion.known_faults import KNOWN, known
from sixproof.reporting.conclusion.rules import rules


def cause(code: str, what: str, *evidence: str) -> Cause:
    """A cause that says so."""
    return Cause(
        code,
        "node worker",
        what,
        "",
        (Family.IPV6,),
        Confidence.SHOWN,
        hits=lambda _: True,
        evidence=evidence,
    )


@pytest.mark.parametrize(
    ("diagnosed", "report"),
    [
        (cause("route", "policy rule 5270 sends them to table 52"), "tailscale/tailscale 14706"),
        (cause("route", "blackhole fd00::/122"), ""),
        (cause("kube-proxy", "kube-proxy does not follow"), "kubernetes/kubernetes 38372"),
        (cause("packet-filter", "a rule drops IPv6 VXLAN packets"), "projectcalico/calico 9403"),
        (
            cause(
                "packet-filter", "a rule drops IPv6 TCP", "chain in, hook input, 3 packets: drops"
            ),
            "GoogleCloudPlatform/netd 178",
        ),
        (
            cause("packet-filter", "a rule drops ICMPv6 type 2", "chain in, hook input, 3 packets"),
            "",
        ),
        (cause("device", "vxlan.calico has UDP port 4799"), "projectcalico/calico 10692"),
        (cause("device", "vxlan.calico has VNI 5"), ""),
        (cause("pod-address", "its podIPs lack fd00::5"), "projectcalico/calico 9312"),
    ],
)
def test_a_cause_looks_like_what_has_its_code_and_its_words(diagnosed: Cause, report: str) -> None:
    found = {source for fault in known(diagnosed) for source in fault.sources}
    assert report in found if report else not found


def test_every_row_belongs_to_a_rule_and_has_a_source() -> None:
    codes = {rule.code for rule in rules()}
    for fault in KNOWN:
        assert fault.cause in codes
        assert fault.sources
        assert all(re.fullmatch(r"[\w.-]+/[\w.-]+ \d+", source) for source in fault.sources)
    assert len({str(fault) for fault in KNOWN}) == len(KNOWN)
