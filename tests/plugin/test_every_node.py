"""A simulated cluster of more nodes than other suites cover: each is tried, with some others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin.simulated.cluster import SimulatedCluster
from tests.plugin.simulated.network import Sent
from tests.plugin.simulated.objects import Manifest
from tests.plugin.test_simulated import run

NODES, ZONES = 16, 2
POD_TO_POD = "test_pods_of_every_node_reach_pods_of_others"
DNS = "test_the_dns_service_answers_on_every_node"
ASKED = ("suites/every_node", "--six-connect-timeout=0.5", "--six-settle-timeout=5")


def node_of(pod: Manifest) -> str:
    return str(pod["spec"]["nodeName"])


def of_ipv6(sent: Sent) -> bool:
    return sent.family == "IPv6" and not sent.source["spec"].get("hostNetwork")


def far_node(sent: Sent, by: Manifest) -> bool:
    """Nothing comes to pods of one node from others, over IPv6; it is none of those covered."""
    return of_ipv6(sent) and node_of(by) == "six-more11" != node_of(sent.source)


RECORDED = ("six-control-plane", "six-worker", "six-worker2")


def zone_of(pod: Manifest) -> int:
    name = node_of(pod)
    number = RECORDED.index(name) if name in RECORDED else int(name.removeprefix("six-more"))
    return number % ZONES


def boundary(sent: Sent, by: Manifest) -> bool:
    """Nothing goes from one zone to the other, over IPv6."""
    return of_ipv6(sent) and (zone_of(sent.source), zone_of(by)) == (0, 1)


def pair(sent: Sent, by: Manifest) -> bool:
    """Nothing goes from one node to its neighbour, over IPv6."""
    return of_ipv6(sent) and (node_of(sent.source), node_of(by)) == ("six-more11", "six-more13")


def test_a_healthy_cluster_of_many_nodes_is_green(tmp_path: Path) -> None:
    """Every test passes; of the nodes that are not covered none is left out, and each gets a pod
    and an agent in its host network."""
    cluster = SimulatedCluster(NODES, ZONES)
    ran = run(cluster, tmp_path, *ASKED)
    assert (ran.status, ran.bad) == (0, set()), ran.text[-4000:]
    assert ran.outcomes() == Counter(passed=11), ran.text
    assert f"{2 * 3 + NODES - 2} probe pods and {NODES} host-network agents are ready" in ran.text
    assert "not covered" not in ran.text


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (far_node, "to pods on six-more11 are DROPPED"),
        (pair, "from six-more11 to six-more13 are DROPPED"),
        (boundary, "from zone zone-0 to zone zone-1 are DROPPED"),
    ],
    ids=["node", "pair", "zone"],
)
def test_what_fails_beyond_the_covered_nodes_is_found(
    fault: Callable[[Sent, Manifest], bool], said: str, tmp_path: Path
) -> None:
    """In the family that it concerns; the first line names the node."""
    cluster = SimulatedCluster(NODES, ZONES)
    cluster.network.faults.append(fault)
    ran = run(cluster, tmp_path, *ASKED, only="pods_of_every_node or reaches_others")
    assert ran.status == 1
    assert ran.bad == {f"{POD_TO_POD}[IPv6]"}, ran.text[-4000:]
    (failed,) = (line for line in ran.text.splitlines() if line.startswith("FAILED"))
    assert f"all IPv6 flows {said}" in failed, ran.text[-4000:]


def test_few_nodes_are_covered_by_the_other_suites(tmp_path: Path) -> None:
    """Then every test says so; or that it was not wanted, and how it would be."""
    cluster = SimulatedCluster()
    ran = run(cluster, tmp_path, *ASKED, "--six-nodes=3", only="reaches_others")
    assert ran.outcomes() == Counter(skipped=2), ran.text
    assert "the other suites cover every node that takes probe pods" in ran.text


def test_further_nodes_can_be_left_out(tmp_path: Path) -> None:
    """The node that is left is named, with what would cover it."""
    cluster = SimulatedCluster()
    ran = run(cluster, tmp_path, *ASKED, "--six-further-nodes=0", only="reaches_others")
    assert ran.outcomes() == Counter(skipped=2), ran.text
    assert "no node beyond those of --six-nodes is tried" in ran.text
    assert "not covered: node" in ran.text
