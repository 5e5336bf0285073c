"""Drawing pools from what a cluster has."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest

from sixproof.calico.nodes import CalicoNode
from sixproof.calico.state import CalicoState
from sixproof.errors import ApiError, NotAsked
from sixproof.kube.api.client import Cluster
from sixproof.kube.facts.discovery import CALICO_API, CALICO_STORE
from sixproof.model import ClusterFacts, Family
from sixproof.workloads.pools import drawing, ranges
from sixproof.workloads.pools.own_pool import OwnPool, Purpose
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.topology import ProbeTopology
from tests.unit.calico.test_ipam import block
from tests.unit.workloads.pools.pool_api import PoolApi, ip_pool
from tests.unit.workloads.two_nodes import A1, A2, HOST1, HOST2, NODES

TOPOLOGY = ProbeTopology(Run("abc123"), (A1, A2), (HOST1, HOST2))
FACTS = ClusterFacts("", "", tuple(NODES.values()), cni_version="v3.31.0")
STATE = CalicoState(CALICO_API, nodes=(CalicoNode("n1"),))


def drawn(
    api: PoolApi, facts: ClusterFacts = FACTS, state: CalicoState = STATE
) -> tuple[OwnPool, ...]:
    """The pools that are drawn of it."""
    return drawing.drawer(cast(Cluster, api), facts, state, TOPOLOGY, "gw0")()


def test_pools_are_like_those_of_the_probe_pods_and_before_their_blocks() -> None:
    """On the first node by its own hostname label."""
    api = PoolApi()
    api.blocks = [block("10.244.1.0/26", "n1"), block("fd00:10:244:1::/122", "n2")]
    made = drawn(api)
    assert {p.purpose for p in made} == set(Purpose)
    firsts = {Family.IPV4: "10-244-1-0-26", Family.IPV6: "fd00-10-244-1---122"}
    for one in made:
        assert one.way == {"ipipMode": "Never", "vxlanMode": "Always"}
        assert ranges.written(one.cidr) < firsts[one.family]
    segment = next(p for p in made if p.purpose is Purpose.SEGMENT)
    assert (segment.node, segment.hostname) == ("n1", "n1.example")


def test_without_the_right_to_read_blocks_any_free_range_will_do() -> None:
    """IPAM's order is then left to chance."""
    api = PoolApi()
    api.blocks = ApiError("forbidden", status=403)
    assert len(drawn(api)) == 8


@pytest.mark.parametrize(("version", "hostname"), [("v3.30.1", "n1"), ("v3.31.0", "")])
def test_where_a_segment_might_serve_others_there_is_none(version: str, hostname: str) -> None:
    """IPAM before 3.31, and a node without the label."""
    api = PoolApi()
    api.objects["Node", "", "n1"]["metadata"]["labels"] = {"kubernetes.io/hostname": hostname}
    made = drawn(api, dataclasses.replace(FACTS, cni_version=version))
    assert {p.purpose for p in made} == set(Purpose) - {Purpose.SEGMENT}


def test_a_pool_that_serves_no_ordinary_pod_is_no_example() -> None:
    """Disabled, by hand, for load balancers; where none is left nothing is drawn."""
    api = PoolApi()
    api.objects = {key: one for key, one in api.objects.items() if key[0] != "IPPool"}
    unlike: list[dict[str, Any]] = [
        {"disabled": True},
        {"assignmentMode": "Manual"},
        {"allowedUses": ["LoadBalancer"]},
    ]
    for number, spec in enumerate(unlike):
        name = f"p{number}"
        api.objects["IPPool", "", name] = ip_pool(name, f"10.{number}.0.0/16", 26, **spec)
    with pytest.raises(NotAsked, match="no IPPool serves pods"):
        drawn(api)


def test_an_example_is_the_pool_of_the_probe_pods_or_the_first() -> None:
    """Addresses of a rehearsal are of no pool."""
    first = ip_pool("a", "10.1.0.0/16", 26)
    theirs = ip_pool("b", "10.244.0.0/16", 26)
    assert drawing.in_use([first, theirs], TOPOLOGY) == {Family.IPV4: theirs}
    assert drawing.in_use([first], TOPOLOGY) == {Family.IPV4: first}


def test_without_calicos_api_nothing_is_made() -> None:
    """Its store checks nothing."""
    with pytest.raises(NotAsked, match="is not served"):
        drawn(PoolApi(), state=CalicoState(CALICO_STORE))
