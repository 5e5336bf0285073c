"""BGP, on a bed of its own whose nodes speak it: sessions of one family that are gone, a password
that the router does not have, and addresses of services of one family that are not announced."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import testbed
from sixproof.kube.api import resources
from sixproof.kube.api.client import Cluster
from sixproof.model import Family, MatrixKind
from tests.faults.conftest import assert_first_line, assert_green, faults, run_green, run_suites

pytestmark = [pytest.mark.bed, pytest.mark.xdist_group("own-bed")]
SESSIONS = "test_every_node_has_its_bgp_sessions"
LED = "test_the_router_sends_packets_for_every_pod_to_its_node"
LED_TO_SERVICES = "test_the_router_sends_packets_for_ranges_of_services_to_nodes"
REACHED = "test_a_client_behind_the_router_reaches_every_pod"
LOAD_BALANCERS = "suites/loadbalancer"
OUTSIDE = "test_load_balancers_answer_from_outside"
INSIDE = {
    "test_load_balancers_answer_from_inside",
    "test_load_balancers_have_an_address_of_each_family",
    "test_nodes_without_a_backend_do_not_answer",
}
DEAD = {
    OUTSIDE,
    "test_external_traffic_of_the_cluster_comes_from_a_node",
    "test_local_external_traffic_keeps_the_address_of_a_client_outside",
    "test_source_ranges_bar_clients_of_each_family",
}
CLUSTER_IPS = "test_advertised_cluster_ips_answer_behind_the_router"
EXTERNAL = "test_external_ips_answer_behind_the_router"
EXTERNAL_INSIDE = "test_external_ips_answer_inside_the_cluster"
HEALTH = "test_health_checks_tell_which_nodes_have_a_backend"
FOLLOWED = "test_nodes_that_a_bgppeer_selects_connect_and_no_other_does"
ANNOUNCED = "test_nodes_announce_their_blocks_and_the_ranges_of_services"


def home_of_calicos_api(bed: testbed.Bed) -> str:
    """The node of the pod that serves projectcalico.org/v3."""
    with Cluster.connect(bed.kubeconfig, bed.context) as cluster:
        (pod,) = cluster.list(resources.POD, "calico-apiserver")
    return str(pod["spec"]["nodeName"])


@pytest.fixture
def node(bgp_bed: testbed.Bed) -> Iterator[str]:
    """A worker of it; whatever a test does to it is mended."""
    faults("clear")
    yield bgp_bed.nodes[1].name
    faults("clear")


def test_sessions_stand_and_the_rack_is_reached(node: str, tmp_path: Path) -> None:
    """Nothing is red, and sessions of both families were seen."""
    suite_run = run_suites(tmp_path, "suites/bgp")
    assert_green(suite_run)
    seen = [
        o.flow.family
        for m in suite_run.results.matrices
        if m.matrix.kind is MatrixKind.SESSIONS
        for o in m.matrix.observations()
    ]
    assert set(seen) == set(Family)


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_b1_sessions_of_one_family_are_gone(node: str, family: Family, tmp_path: Path) -> None:
    """B1: that node and that family are named though every pod is Ready; all is well afterwards."""
    faults("inject", "B1", "--node", node, "--family", family.value)
    suite_run = run_suites(tmp_path / "broken", "suites/bgp")
    red = set(suite_run.red())
    assert f"{SESSIONS}[{family}]" in red
    assert f"{SESSIONS}[{family.other}]" not in red
    assert_first_line(suite_run, node, "179", families=[family])
    faults("clear")
    run_green(tmp_path / "after", "suites/bgp")


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_b2_a_password_that_the_router_does_not_have(
    node: str, family: Family, bgp_bed: testbed.Bed, tmp_path: Path
) -> None:
    """B2: the router, that family and the passwords are named; all is well afterwards."""
    router = bgp_bed.router
    assert router is not None
    faults("inject", "B2", "--family", family.value)
    suite_run = run_suites(tmp_path / "broken", "suites/bgp")
    red = set(suite_run.red())
    assert f"{SESSIONS}[{family}]" in red
    assert f"{SESSIONS}[{family.other}]" not in red
    address = router.ipv6 if family is Family.IPV6 else router.ipv4
    assert_first_line(suite_run, address, "passwords differ", families=[family])
    faults("clear")
    run_green(tmp_path / "after", "suites/bgp")


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_b3_a_filter_keeps_pods_routes_of_one_family_from_the_router(
    node: str, family: Family, tmp_path: Path
) -> None:
    """B3: the router lacks that family's routes to pods, and the client behind it is not answered;
    sessions and services are well. The filter is named. All is well afterwards."""
    faults("inject", "B3", "--family", family.value)
    suite_run = run_suites(tmp_path / "broken", "suites/bgp")
    red = set(suite_run.red())
    assert {f"{LED}[{family}]", f"{REACHED}[{family}]"} <= red
    well = {f"{test}[{f}]" for test in (SESSIONS, LED_TO_SERVICES) for f in Family}
    assert well | {f"{LED}[{family.other}]", f"{REACHED}[{family.other}]"} <= suite_run.green()
    assert_first_line(suite_run, "BGPFilter six-fault-b3", families=[family])
    faults("clear")
    run_green(tmp_path / "after", "suites/bgp")


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_b3_a_filter_keeps_services_routes_of_one_family_from_the_router(
    node: str, family: Family, tmp_path: Path
) -> None:
    """B3 of services: the router lacks that family's route to ClusterIPs alone, and the client
    behind it is not answered there; pods are reached. The filter is named. All is well
    afterwards."""
    faults("inject", "B3", "--family", family.value, "--value", "services")
    suite_run = run_suites(tmp_path / "broken", "suites/bgp")
    red = set(suite_run.red())
    assert {f"{LED_TO_SERVICES}[{family}]", CLUSTER_IPS} <= red
    well = {f"{test}[{f}]" for test in (SESSIONS, LED, REACHED) for f in Family}
    assert well | {f"{LED_TO_SERVICES}[{family.other}]"} <= suite_run.green()
    assert {o.flow.family for o in suite_run.wrong_cells(CLUSTER_IPS)} == {family}
    assert_first_line(suite_run, "BGPFilter six-fault-b3", families=[family])
    faults("clear")
    run_green(tmp_path / "after", "suites/bgp")


def test_b5_a_node_follows_no_change_of_bgp(node: str, tmp_path: Path) -> None:
    """B5: every session is Established and every pod is reached; the node that does not connect to
    a new peer is named, over both families at once. All is well afterwards."""
    faults("inject", "B5", "--node", node)
    suite_run = run_suites(tmp_path / "broken", "suites/bgp")
    red = set(suite_run.red())
    assert {f"{FOLLOWED}[{family}]" for family in Family} <= red
    well = {f"{test}[{f}]" for test in (SESSIONS, LED, LED_TO_SERVICES, REACHED) for f in Family}
    assert well <= suite_run.green()
    assert_first_line(suite_run, node, "does not connect", families=list(Family))
    faults("clear")
    run_green(tmp_path / "after", "suites/bgp")


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_b6_a_node_announces_nothing_of_one_family(
    node: str, family: Family, tmp_path: Path
) -> None:
    """B6, once nodes have connected to the run's peer: sessions are Established, and the node's
    blocks and ranges of that family are announced to no peer: the node, the family and a block are
    named. All is well afterwards."""
    suite_run = run_suites(
        tmp_path / "broken",
        "suites/bgp/test_own_peer.py",
        "suites/bgp/test_sessions.py",
        breaking=f"B6 --node {node} --family {family.value}",
        node=node,
        after="own_peer",
    )
    red = set(suite_run.red())
    assert f"{ANNOUNCED}[{family}]" in red
    well = {f"{test}[{f}]" for test in (SESSIONS, FOLLOWED) for f in Family}
    assert well | {f"{ANNOUNCED}[{family.other}]"} <= suite_run.green()
    assert_first_line(suite_run, node, "does not announce", families=[family])
    faults("clear")
    run_green(tmp_path / "after", "suites/bgp")


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_b4_a_node_announces_another_node_s_pods(
    node: str, family: Family, bgp_bed: testbed.Bed, tmp_path: Path
) -> None:
    """B4: every session is Established and every pod Ready, and the router sends packets for the
    pods of another node to this one, over that family. Both nodes are named. All is well
    afterwards."""
    home = home_of_calicos_api(bgp_bed)  # without it no session is read
    node, other = sorted((one.name for one in bgp_bed.nodes[1:]), key=lambda name: name != home)
    suite_run = run_suites(
        tmp_path / "broken",
        "suites/bgp",
        breaking=f"B4 --node {node} --peer {other} --family {family.value}",
        node=node,
        after="",
    )
    red = set(suite_run.red())
    assert {f"{LED}[{family}]", f"{REACHED}[{family}]"} <= red
    well = {f"{test}[{f}]" for test in (SESSIONS, LED_TO_SERVICES) for f in Family}
    assert well | {f"{LED}[{family.other}]", f"{REACHED}[{family.other}]"} <= suite_run.green()
    assert {o.flow.destination.node for o in suite_run.wrong_cells(f"{LED}[{family}]")} == {other}
    assert_first_line(suite_run, node, other, families=[family])
    faults("clear")
    run_green(tmp_path / "after", "suites/bgp")


def test_load_balancers_answer_over_both_families(node: str, tmp_path: Path) -> None:
    """Nothing is red, and health checks of both families were seen."""
    suite_run = run_suites(tmp_path, LOAD_BALANCERS)
    assert_green(suite_run)
    assert {OUTSIDE, *INSIDE, *DEAD} <= suite_run.green()
    seen = [
        o.flow.family
        for m in suite_run.results.matrices
        if m.matrix.kind is MatrixKind.HEALTH
        for o in m.matrix.observations()
    ]
    assert set(seen) == set(Family)


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_b1l_addresses_of_one_family_are_announced_to_nobody(
    node: str, family: Family, tmp_path: Path
) -> None:
    """B1L: who comes from outside is answered over the other family alone; what needs no
    announcement is green. The range is named. All is well afterwards."""
    faults("inject", "B1L", "--family", family.value)
    suite_run = run_suites(tmp_path / "broken", LOAD_BALANCERS)
    red = set(suite_run.red())
    assert red >= DEAD
    assert INSIDE | {f"{HEALTH}[{f}]" for f in Family} <= suite_run.green()
    wrong = {o.flow.family for o in suite_run.wrong_cells(OUTSIDE)}
    assert wrong == {family}
    assert_first_line(suite_run, "serviceLoadBalancerIPs", families=[family])
    faults("clear")
    run_green(tmp_path / "after", LOAD_BALANCERS)


def test_b1l_external_ips_of_one_family_are_not_announced(node: str, tmp_path: Path) -> None:
    """B1L of external IPs: a client behind the router is answered over the other family alone, pods
    and nodes over both. The setting is named. All is well afterwards."""
    suites = ("suites/bgp", "-k", "external_ips")
    suite_run = run_suites(
        tmp_path / "broken",
        *suites,
        breaking="B1L --family IPv6 --value serviceExternalIPs",
        after="external_ip_targets",
    )
    assert EXTERNAL in suite_run.red()
    assert EXTERNAL_INSIDE in suite_run.green()
    assert {o.flow.family for o in suite_run.wrong_cells(EXTERNAL)} == {Family.IPV6}
    assert_first_line(suite_run, "serviceExternalIPs has no IPv6 range", families=[Family.IPV6])
    faults("clear")
    run_green(tmp_path / "after", *suites)


def test_b1l_cluster_ips_of_one_family_are_not_announced(node: str, tmp_path: Path) -> None:
    """B1L of ClusterIPs: a client behind the router is answered over the other family alone. The
    setting is named. All is well afterwards."""
    suites = ("suites/bgp", "-k", "cluster_ips")
    suite_run = run_suites(
        tmp_path / "broken",
        *suites,
        breaking="B1L --family IPv6 --value serviceClusterIPs",
        after="advertised_services",
    )
    assert CLUSTER_IPS in suite_run.red()
    assert {o.flow.family for o in suite_run.wrong_cells(CLUSTER_IPS)} == {Family.IPV6}
    assert_first_line(suite_run, "serviceClusterIPs has no IPv6 range", families=[Family.IPV6])
    faults("clear")
    run_green(tmp_path / "after", *suites)
