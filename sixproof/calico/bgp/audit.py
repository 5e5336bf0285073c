"""Judging BGPConfiguration and BGPFilters: what nodes announce of one family only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sixproof.calico.bgp.filters import kept_back
from sixproof.calico.state import CalicoState
from sixproof.errors import Subject
from sixproof.model import ClusterFacts, Family, Finding, FindingType, IPNetwork, Severity

POOL_ANNOUNCED = FindingType(
    "calico-pool-announced",
    "Load balancer addresses of every family are announced where those of one are",
    "Calico API reference: BGPConfiguration serviceLoadBalancerIPs",
)
CLUSTER_IPS = FindingType(
    "calico-cluster-ips-announced",
    "ClusterIPs of every family are announced where those of one are",
    "Calico API reference: BGPConfiguration serviceClusterIPs",
)
EXTERNAL_IPS = FindingType(
    "calico-external-ips-announced",
    "External IPs of every family are announced where those of one are",
    "Calico API reference: BGPConfiguration serviceExternalIPs",
)
FILTER = FindingType(
    "calico-bgp-filter",
    "A BGPFilter keeps nothing of one family back that passes in the other",
    "Calico API reference: BGPFilter",
)
_SUBJECT = "BGPConfiguration default"


def audit(state: CalicoState, facts: ClusterFacts) -> Iterator[Finding]:
    """What nodes advertise of one family and not of another; nothing without BGP."""
    if not state.bgp.enabled:
        return
    yield from _load_balancer_pools(state)
    yield from _filters(state)
    for kind, setting in ((CLUSTER_IPS, "serviceClusterIPs"), (EXTERNAL_IPS, "serviceExternalIPs")):
        ranges = state.bgp.announced[setting]
        announced = {Family.of(network) for network in ranges}
        for family in facts.service_families:
            if announced and family not in announced:
                yield kind.found(
                    Severity.WARNING,
                    _SUBJECT,
                    f"{setting} has no {family} range, so no node advertises such addresses; it "
                    f"has {', '.join(map(str, ranges))}",
                    f"a range of {family} in {setting}",
                    f"add the {family} range to {setting}",
                    families=[family],
                )


def _filters(state: CalicoState) -> Iterator[Finding]:
    """What filters keep from a peer of one family, while there is a range of it in the other that
    passes."""
    ranges: dict[str, Sequence[IPNetwork]] = {
        "pods": [p.cidr for p in state.pools if not p.disabled and "Workload" in p.uses],
        **state.bgp.announced,
    }
    for peer in state.bgp.peers:
        applied = [one for one in state.bgp.filters if one.name in peer.filters]
        kept = kept_back(applied, ranges)
        for family in [peer.family] if peer.family else Family:
            names = [name for name in kept[family] if name not in kept[family.other]]
            if names:
                by = " and ".join(one.name for one in applied if dict(one.exports).get(family))
                key = f"exportV{family.version}"
                yield FILTER.found(
                    Severity.WARNING,
                    Subject("BGPPeer", peer.name),
                    f"BGPFilter {by} ({key}) keeps all {family} routes of {' and '.join(names)} "
                    f"from it",
                    f"{family} routes as those of {family.other}",
                    f"see {key} of BGPFilter {by}, or take it out of filters of the BGPPeer",
                    families=[family],
                )


def _load_balancer_pools(state: CalicoState) -> Iterator[Finding]:
    """Load balancer addresses of one family that are announced, and of another that are not."""
    announced = state.bgp.load_balancer_ips
    if not announced:
        return  # another component may attract the traffic to the nodes
    for pool in state.pools:
        if "LoadBalancer" not in pool.uses or pool.disabled:
            continue
        mine = [n for n in announced if Family.of(n) is pool.family]
        if any(n.overlaps(pool.cidr) for n in mine):
            continue
        yield POOL_ANNOUNCED.found(
            Severity.ERROR,
            Subject("IPPool", pool.name),
            f"no range of serviceLoadBalancerIPs holds {pool.cidr}, so no node announces its "
            f"addresses; announced are {', '.join(map(str, announced))}",
            f"{pool.cidr} in serviceLoadBalancerIPs of BGPConfiguration default",
            f"add {pool.cidr} to serviceLoadBalancerIPs of BGPConfiguration default",
            families=[pool.family],
        )
