"""The check-list: an item is ok, not ok and not seen by its own facts, and never ok by absence."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from sixproof.agent.protocol import ChainSeen, FilterSeen, RouteHeld
from sixproof.calico.bgp.configuration import Bgp
from sixproof.calico.felix.settings import Felix, NodeFelix
from sixproof.checks.preflight import must_hold
from sixproof.errors import NotAsked, VerdictError
from sixproof.kube.facts import diagnostics
from sixproof.model import ClusterFacts, Family
from sixproof.probes.nodes.examination import FilterReading, NodeReading
from sixproof.reporting.bundle.check_list import ITEMS, check_list
from sixproof.reporting.bundle.evidence import RunEvidence
from sixproof.reporting.bundle.judged import State
from tests.unit.reporting.bundle.made import (
    AFFINITIES,
    CALICO,
    FACTS,
    PARTS,
    POOLS,
    TAKEN,
    component,
    evidence,
    judged,
    with_part,
)
from tests.unit.reporting.conclusion.cluster import examined, node, packet_filter
from tests.unit.reporting.samples import NODES, pods

FOUR, SIX = Family
OK, NOT_OK, NOT_SEEN, NOT_USED = State


def readings(**sysctls: str) -> tuple[NodeReading, ...]:
    """What nodes said, worker with other settings (``__`` for a slash)."""
    settings = {key.replace("__", "/"): value for key, value in sysctls.items()}
    sick = node("worker")
    sick = dataclasses.replace(sick, sysctls={**sick.sysctls, **settings})
    return tuple(NodeReading(n, sick if n == "worker" else node(n)) for n in NODES)


def test_all_items_are_judged_in_their_order_and_a_good_cluster_is_ok() -> None:
    """But for what it does without, and what only red runs look at."""
    found = check_list(evidence())
    assert [one.code for one in found] == [item.code for item in ITEMS]
    states = {one.code: one.state for one in found}
    assert states.pop("packet-filter") is NOT_SEEN
    assert states.pop("bgp-sessions") is NOT_USED
    assert set(states.values()) == {OK}
    assert all(one.seen and not one.remedy for one in found)


def test_of_nothing_nothing_is_ok() -> None:
    """A run that saw nothing says so of every item."""
    blind = RunEvidence("x", "0", TAKEN, ClusterFacts("", "", ()))
    assert {one.state for one in check_list(blind)} <= {NOT_SEEN, NOT_USED}
    calico = RunEvidence("x", "0", TAKEN, ClusterFacts("", "", (), cni="Calico"))
    assert {one.state for one in check_list(calico)} <= {NOT_SEEN, NOT_USED}


def test_a_kernel_setting_that_is_off_is_named_with_its_node_and_family() -> None:
    off = judged("forwarding", readings=readings(net__ipv6__conf__all__forwarding="0"))
    assert (off.state, off.families) == (NOT_OK, (SIX,))
    assert off.seen == ("worker: net.ipv6.conf.all.forwarding is 0",)
    assert off.remedy
    assert off.where == ("node-facts/",)
    four = judged("forwarding", readings=readings(net__ipv4__ip_forward="0"))
    assert (four.state, four.families) == (NOT_OK, (FOUR,))
    for name in ("all", "eth0"):
        settings = {f"net__ipv6__conf__{name}__disable_ipv6": "1"}
        gone = judged("ipv6-enabled", readings=readings(**settings))
        assert (gone.state, gone.families) == (NOT_OK, (SIX,))
        assert gone.seen == (f"worker: net.ipv6.conf.{name}.disable_ipv6 is 1",)


@pytest.mark.parametrize("code", ["forwarding", "ipv6-enabled"])
def test_a_node_that_reports_nothing_is_not_ok_for_that(code: str) -> None:
    """Neither one that is silent, nor one that leaves the setting out."""
    silent = (*readings()[:2], NodeReading("worker2", missing="no answer within 8 s"))
    found = judged(code, readings=silent)
    assert (found.state, found.seen) == (NOT_SEEN, ("worker2: no answer within 8 s",))
    bare = (NodeReading("worker", node("worker", sysctls={})),)
    assert judged(code, readings=bare).state is NOT_SEEN
    assert judged(code, readings=()).seen == ("there was nothing to ask",)


def advertised(accept_ra: str | None, forwarding: str = "1") -> tuple[NodeReading, ...]:
    """A node whose IPv6 default route is of a router advertisement."""
    seen = node("worker")
    routes = [r for r in seen.routes if r.destination != "::/0"]
    routes.append(RouteHeld("::/0", 254, "unicast", "eth0", "fe80::1", protocol=9))
    settings = {**seen.sysctls, "net/ipv6/conf/all/forwarding": forwarding}
    if accept_ra is not None:
        settings["net/ipv6/conf/eth0/accept_ra"] = accept_ra
    return (NodeReading("worker", dataclasses.replace(seen, routes=routes, sysctls=settings)),)


@pytest.mark.parametrize(
    ("accept_ra", "forwarding", "state"),
    [
        ("1", "1", NOT_OK),  # the kernel takes no more advertisements, the route expires
        ("2", "1", OK),
        ("0", "1", OK),  # a program does it
        ("1", "0", OK),  # a host
        (None, "1", NOT_SEEN),
    ],
)
def test_a_route_by_advertisement_needs_accept_ra_2(
    accept_ra: str | None, forwarding: str, state: State
) -> None:
    found = judged("accept-ra", readings=advertised(accept_ra, forwarding))
    assert found.state is state, found
    assert judged("accept-ra").state is OK, "no route is of an advertisement"


def test_what_nodes_say_after_a_failure_counts() -> None:
    """The examination is newer than the readings of the beginning."""
    sick = {"worker": node("worker", sysctls={"net/ipv6/conf/all/forwarding": "0"})}
    assert judged("forwarding", examination=examined(sick)).state is NOT_OK


def test_a_family_that_one_node_lacks() -> None:
    one = dataclasses.replace(FACTS.nodes[0], addresses=FACTS.nodes[0].addresses[:1])
    facts = dataclasses.replace(FACTS, nodes=(one, *FACTS.nodes[1:]))
    found = judged("node-addresses", facts=facts)
    assert (found.state, found.families) == (NOT_OK, (SIX,))
    assert found.seen == ("control-plane has no IPv6 InternalIP",)
    four = dataclasses.replace(pods()[0], addresses=pods()[0].addresses[:1])
    lame = judged("pod-addresses", pods=(four, *pods()[1:]))
    assert (lame.state, lame.families) == (NOT_OK, (SIX,))
    assert judged("pod-addresses", pods=()).state is NOT_SEEN


def test_a_packet_filter_without_jumps_of_one_family() -> None:
    """Red where one family or one node lacks what others have; not seen where nothing is known."""
    assert judged("packet-filter", examination=examined()).state is OK
    lacking = packet_filter(lacking="ip6 cali-FORWARD")
    # INPUT still jumps to Calico's: only a family without any is not hooked in
    partly = examined(filters={"worker": (lacking, lacking)})
    assert judged("packet-filter", examination=partly).state is OK
    bare = packet_filter()
    bare = dataclasses.replace(
        bare, rules=[r for r in bare.rules if r.family == "ip" or r.jump.startswith("KUBE-")]
    )
    gone = judged("packet-filter", examination=examined(filters={"worker": (bare, bare)}))
    assert (gone.state, gone.families) == (NOT_OK, (SIX,))
    assert gone.seen == ("worker: no rule of Calico for IPv6",)
    empty = FilterSeen([], [])
    nobody = examined(filters=dict.fromkeys(NODES, (empty, empty)))
    assert judged("packet-filter", examination=nobody).state is NOT_SEEN
    one = dataclasses.replace(examined(), filters=examined().filters[:1])
    assert judged("packet-filter", examination=one).state is NOT_SEEN, "two were not read"


def test_tables_of_nftables_mode_count_as_hooked() -> None:
    both = FilterSeen(
        [ChainSeen(f, "calico", "filter-FORWARD", "forward") for f in ("ip", "ip6")], []
    )
    four = FilterSeen(both.chains[:1], [])
    reading = [FilterReading(name, both, both) for name in NODES]
    good = dataclasses.replace(examined(), filters=reading)
    assert judged("packet-filter", examination=good).state is OK
    bad = dataclasses.replace(good, filters=[*reading[:2], FilterReading("worker2", four, four)])
    assert judged("packet-filter", examination=bad).seen == ("worker2: no rule of Calico for IPv6",)


def test_a_component_that_is_not_ready_is_named() -> None:
    """One that is being deleted is not meant; one of which nothing is seen is not seen."""
    (part,) = (p for p in PARTS if p.name == diagnostics.PODS)
    going = component("kube-dns", "worker9", False, deletionTimestamp="2026-01-01T00:00:00Z")
    parts = with_part(diagnostics.PODS, *part.objects, going)
    assert judged("components", parts=parts).state is OK
    sick = component("calico-node", "worker9", ready=False)
    found = judged("components", parts=with_part(diagnostics.PODS, *part.objects, sick))
    assert (found.state, found.families) == (NOT_OK, ())
    assert found.seen == ("calico-node-worker9 on worker9 is not ready",)
    refused = with_part(diagnostics.PODS, problems=("pods of kube-system: not allowed",))
    assert judged("components", parts=refused).state is NOT_SEEN
    without = [p for p in part.objects if p["metadata"]["labels"]["k8s-app"] != "kube-proxy"]
    lacking = with_part(diagnostics.PODS, *without)
    assert judged("components", parts=lacking).state is NOT_SEEN
    free = dataclasses.replace(FACTS, kube_proxy_mode="none")
    assert judged("components", parts=lacking, facts=free).state is OK
    assert judged("components", parts=()).state is NOT_SEEN


def calico(**changes: Any) -> dict[str, Any]:
    """Evidence with another state of Calico."""
    return {"calico": dataclasses.replace(CALICO, **changes)}


def test_felix_without_ipv6_in_the_cluster_or_on_a_node() -> None:
    off = judged("felix-ipv6", **calico(felix=Felix(ipv6=False)))
    assert (off.state, off.families) == (NOT_OK, (SIX,))
    own = judged("felix-ipv6", **calico(felix=Felix(per_node=(NodeFelix("worker", (), False),))))
    assert own.seen == ("node worker: ipv6Support is off",)
    assert own.state is NOT_OK
    unread = calico(unknown=("list felixconfigurations.projectcalico.org (not allowed)",))
    assert judged("felix-ipv6", **unread).state is NOT_SEEN
    assert judged("felix-ipv6", **calico(pools=POOLS[:1])).state is NOT_USED
    assert judged("felix-ipv6", calico=None).state is NOT_SEEN
    other = dataclasses.replace(FACTS, cni="Cilium")
    assert judged("felix-ipv6", calico=None, facts=other).state is NOT_USED


def test_a_family_without_a_pool() -> None:
    off = judged("pools", **calico(pools=(POOLS[0], dataclasses.replace(POOLS[1], disabled=True))))
    assert (off.state, off.families, off.seen) == (NOT_OK, (SIX,), ("no IPv6 pool for pods",))
    assert judged("pools", **calico(pools=())).state is NOT_SEEN
    unread = calico(pools=(), unknown=("list ippools.projectcalico.org (not allowed)",))
    assert judged("pools", **unread).seen == unread["calico"].unknown


def test_a_node_without_a_block_of_a_family() -> None:
    """Only of nodes with pods, of families with a pool, and where all affinities were read."""
    lacking = [a for a in AFFINITIES if a["metadata"]["name"] != "worker-fd00:10:244:1::/122"]
    parts = with_part(diagnostics.AFFINITIES, *lacking)
    found = judged("blocks", parts=parts)
    assert (found.state, found.families) == (NOT_OK, (SIX,))
    assert found.seen == ("worker has no IPv6 block of its own",)
    elsewhere = [p for p in pods() if p.node != "worker"]
    assert judged("blocks", parts=parts, pods=tuple(elsewhere)).state is OK
    assert judged("blocks", parts=parts, **calico(pools=POOLS[:1])).state is OK
    labelled = dataclasses.replace(POOLS[1], node_selector="zone == 'a'")
    assert judged("blocks", parts=parts, **calico(pools=(POOLS[0], labelled))).state is NOT_SEEN
    cut = with_part(diagnostics.AFFINITIES, *lacking, cut=True)
    assert judged("blocks", parts=cut).state is NOT_SEEN
    none = with_part(diagnostics.AFFINITIES)
    assert judged("blocks", parts=none).state is NOT_SEEN
    refused = with_part(diagnostics.AFFINITIES, problems=("not allowed",))
    assert judged("blocks", parts=refused).seen == ("not allowed",)


def status(where: str, six: str, age: int = 5) -> dict[str, Any]:
    """A CalicoNodeStatus with a session of each family."""
    report = {
        "lastUpdated": (TAKEN - datetime.timedelta(seconds=age)).isoformat(),
        "bgp": {
            "peersV4": [{"peerIP": "192.0.2.9", "state": "Established"}],
            "peersV6": [{"peerIP": "2001:db8::9", "state": six}],
        },
    }
    return {"metadata": {"name": where}, "spec": {"node": where}, "status": report}


BIRD = calico(bgp=Bgp(enabled=True), backend="bird")


def test_a_session_that_is_not_established_is_named() -> None:
    """By a CalicoNodeStatus; one that is old, or lacks a node, is not enough for ok."""
    up = [status(name, "Established") for name in NODES]
    assert (
        judged("bgp-sessions", **BIRD, parts=with_part(diagnostics.NODE_STATUSES, *up)).state is OK
    )
    down = with_part(diagnostics.NODE_STATUSES, *up[:2], status("worker2", "Connect"))
    found = judged("bgp-sessions", **BIRD, parts=down)
    assert (found.state, found.families) == (NOT_OK, (SIX,))
    assert found.seen == ("worker2: 2001:db8::9 is Connect",)
    old = with_part(diagnostics.NODE_STATUSES, *up[:2], status("worker2", "Established", 900))
    assert judged("bgp-sessions", **BIRD, parts=old).seen == (
        "worker2: its CalicoNodeStatus is old",
    )
    for parts in (with_part(diagnostics.NODE_STATUSES, *up[:2]), PARTS):
        assert judged("bgp-sessions", **BIRD, parts=parts).state is NOT_SEEN
    alone = dataclasses.replace(FACTS, nodes=FACTS.nodes[:1])
    assert judged("bgp-sessions", **BIRD, facts=alone).state is NOT_USED


def test_a_readiness_probe_of_bird_that_fails_now_is_a_session_that_is_down() -> None:
    def event(age: int) -> dict[str, Any]:
        when = TAKEN - datetime.timedelta(seconds=age)
        said = "Readiness probe failed: BIRD is not ready: BGP not established with 192.0.2.9"
        return {"message": said, "type": "Warning", "lastTimestamp": when.isoformat()}

    now = judged("bgp-sessions", **BIRD, parts=with_part(diagnostics.EVENTS, event(20)))
    assert now.state is NOT_OK
    assert "192.0.2.9" in now.seen[0]
    before = judged("bgp-sessions", **BIRD, parts=with_part(diagnostics.EVENTS, event(900)))
    assert before.state is NOT_SEEN


def test_as_a_check_what_is_wrong_is_a_verdict_and_what_was_not_seen_is_none() -> None:
    must_hold(judged("forwarding"))
    off = judged("forwarding", readings=readings(net__ipv6__conf__all__forwarding="0"))
    with pytest.raises(VerdictError, match="forwarding is 0") as raised:
        must_hold(off)
    assert raised.value.families == {"IPv6"}
    assert "sysctl -w" in str(raised.value)
    for code in ("packet-filter", "bgp-sessions"):
        with pytest.raises(NotAsked):
            must_hold(judged(code))


def test_addresses_of_a_cluster_without_ipv6() -> None:
    four = dataclasses.replace(FACTS, pod_families=(FOUR,), service_families=(FOUR,))
    assert judged("ipv6-enabled", facts=four).state is NOT_USED
    off = readings(net__ipv6__conf__all__forwarding="0")
    assert judged("forwarding", facts=four, readings=off).state is OK
