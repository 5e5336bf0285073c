"""BGP filters: what they keep from a peer, and what they let through."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from sixproof.calico.bgp.audit import audit
from sixproof.calico.bgp.configuration import Bgp, BgpPeer
from sixproof.calico.bgp.filters import BgpFilter, bgp_filter, kept_back
from sixproof.calico.pools import Pool
from sixproof.calico.state import CalicoState
from sixproof.model import ClusterFacts, Family

FOUR, SIX = ipaddress.ip_network("10.244.0.0/16"), ipaddress.ip_network("fd00:10:244::/56")
FACTS = ClusterFacts("https://api", "v1.34.1", (), service_families=tuple(Family))


def read(*rules: dict[str, Any], family: Family = Family.IPV6) -> BgpFilter:
    """A filter of one family as the API server has it."""
    spec = {f"exportV{family.version}": list(rules)}
    return bgp_filter({"metadata": {"name": "edge"}, "spec": spec})


def rule(action: str, operator: str = "", cidr: str = "", **more: Any) -> dict[str, Any]:
    """A rule."""
    fields = {"action": action, "matchOperator": operator, "cidr": cidr, **more}
    return {key: value for key, value in fields.items() if value}


IN, REJECT = "In", "Reject"


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ([], False),
        ([rule(REJECT)], True),
        ([rule(REJECT, IN, "fd00:10:244::/56")], True),
        ([rule(REJECT, IN, "fd00::/8")], True),
        ([rule(REJECT, IN, "fd00:10:244:40::/58")], False),
        ([rule(REJECT, "Equal", "fd00:10:244::/56")], True),
        ([rule(REJECT, "NotIn", "fd00:10:96::/112")], True),
        ([rule(REJECT, "NotIn", "fd00:10:244::/48")], False),
        ([rule(REJECT, "NotEqual", "fd00:10:96::/112")], False),
        ([rule("Accept"), rule(REJECT)], False),
        ([rule("Accept", IN, "fd00:10:244:40::/58"), rule(REJECT)], False),
        ([rule("Accept", IN, "fd00:10:96::/112"), rule(REJECT)], True),
        ([rule(REJECT, IN, "fd00::/8", source="RemotePeers")], False),
        ([rule(REJECT, IN, "fd00::/8", prefixLength={"min": 64})], False),
        ([rule(REJECT, IN, "fd00::/8", interface="eth0"), rule(REJECT)], True),
    ],
)
def test_the_first_rule_that_matches_decides(rules: list[dict[str, Any]], kept: bool) -> None:
    """What holds for a part of the routes only, or is not known to hold for all, keeps none back.
    The other family has no rule."""
    found = read(*rules)
    assert found.rejects(SIX) is kept
    assert not found.rejects(FOUR)


def test_what_is_kept_back_is_named_by_family() -> None:
    """All ranges of a family must be, of one that has any; any of the filters may do it."""
    ranges = {"pods": [FOUR, SIX], "serviceClusterIPs": [ipaddress.ip_network("fd00:10:96::/112")]}
    shut = read(rule(REJECT, IN, "fd00:10:244::/56"))
    assert kept_back([read(), shut], ranges) == {Family.IPV4: (), Family.IPV6: ("pods",)}
    two = {"pods": [SIX, ipaddress.ip_network("fd00:20::/64")]}
    assert kept_back([shut], two)[Family.IPV6] == ()
    assert kept_back([], ranges)[Family.IPV6] == ()


def state(found: BgpFilter, *peers: BgpPeer) -> CalicoState:
    """Calico with a pool of each family."""
    pools = tuple(Pool(f"v{n.version}", n, 26 if n is FOUR else 122) for n in (FOUR, SIX))
    return CalicoState("projectcalico.org/v3", pools, bgp=Bgp(True, peers=peers, filters=(found,)))


PEER = BgpPeer("router-ipv6", "2001:db8::1", filters=("edge",))


def test_a_filter_of_one_family_is_a_finding() -> None:
    """B3: the peer, the filter, and the key of the rules."""
    (found,) = audit(state(read(rule(REJECT)), PEER), FACTS)
    assert (found.code, found.subject) == ("calico-bgp-filter", "BGPPeer router-ipv6")
    assert found.seen == "BGPFilter edge (exportV6) keeps all IPv6 routes of pods from it"
    assert found.families == (Family.IPV6,)


def test_a_filter_that_is_not_applied_or_keeps_both_families_is_none() -> None:
    """So is one of a family that the session does not carry."""
    shut = read(rule(REJECT))
    assert list(audit(state(shut, BgpPeer("router-ipv6", "2001:db8::1")), FACTS)) == []
    assert list(audit(state(shut, BgpPeer("four", "192.0.2.1", filters=("edge",))), FACTS)) == []
    both = BgpFilter("edge", (*shut.exports, *read(rule(REJECT), family=Family.IPV4).exports))
    assert list(audit(state(both, PEER), FACTS)) == []
