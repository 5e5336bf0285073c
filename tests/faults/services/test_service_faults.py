"""Faults of services and of the addresses that servers see: S1, S2, I18, A2 behind a service, and
R1 in the middle of a run.

Each run holds tests that must see the fault, and tests beside them that it must not touch.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import testbed
from sixproof.model import Family, Observation, Outcome, Protocol
from tests.faults.conftest import (
    assert_cells,
    assert_first_line,
    assert_red_is_exactly,
    run_suites,
)

pytestmark = [pytest.mark.bed, pytest.mark.usefixtures("mended")]

FAMILIES = "suites/services/test_families.py"
KINDS = "suites/services/test_kinds.py"
SOURCES = "suites/services/test_source_address.py"
NODES = "suites/nodes/test_reachability.py"

ANSWER = "test_every_service_answers_in_each_family_it_has"
SHARE = "test_every_backend_takes_its_share"
SLICES = "test_endpoint_slices_list_the_ready_pods_of_each_family"
DIRECT = "test_backends_of_a_headless_service_answer_at_their_own_addresses"
HAIRPIN = "test_a_backend_reaches_itself_through_its_service"
HOSTS = "test_backends_on_the_host_network_take_their_share"
NODE_PORT = "test_a_node_port_answers_on_every_address_of_every_node"
NEW = "test_a_new_service_answers"
FROM_NODES = "test_nodes_reach_cluster_ips"
TO_PODS = "test_nodes_reach_pods"

GONE = {Outcome.DROPPED, Outcome.REFUSED, Outcome.REJECTED, Outcome.UNROUTABLE}


# Not IPv4: the CNI plugin of a node asks the API server at its clusterIP.
@pytest.mark.parametrize("family", [Family.IPV6], ids=str)
def test_s1_a_node_without_service_rules_has_pods_but_no_services(
    tmp_path: Path, workers: tuple[str, str], family: Family
) -> None:
    """S1: one node carries no service of one family, neither for its pods nor for itself, and its
    NodePorts are closed. Pods at their own addresses answer, and so does the other family."""
    node = workers[0]
    suite_run = run_suites(
        tmp_path,
        f"{FAMILIES}::{ANSWER}",
        f"{NODES}::{FROM_NODES}",
        f"suites/services/test_node_ports.py::{NODE_PORT}",
        f"{KINDS}::{DIRECT}",
        f"{NODES}::{TO_PODS}",
        breaking=f"S1 --node {node} --family {family}",
        node=node,
        after="shared_services",
    )
    assert_red_is_exactly(suite_run, {ANSWER, FROM_NODES, NODE_PORT}, family)
    assert {DIRECT, TO_PODS} <= suite_run.green()

    def from_there(o: Observation) -> bool:
        return o.flow.family is family and o.flow.source.node == node

    def to_there(o: Observation) -> bool:
        return o.flow.family is family and o.flow.destination.node == node

    assert_cells(suite_run, ANSWER, from_there, GONE)
    assert_cells(suite_run, FROM_NODES, from_there, GONE)
    assert_cells(suite_run, NODE_PORT, to_there, {Outcome.REFUSED})
    assert all(node in case.message for case in suite_run.red().values())


def test_r1_kube_proxy_that_stops_during_the_run_is_new(
    tmp_path: Path, workers: tuple[str, str]
) -> None:
    """R1, once services have been right: one that is made afterwards does not work from that node,
    over either family; those made before go on. The first line says that it was not so when the run
    began, and the conclusion which test saw it first."""
    node = workers[0]
    suite_run = run_suites(
        tmp_path,
        f"{FAMILIES}::{ANSWER}",
        f"suites/services/test_convergence.py::{NEW}",
        f"suites/services/test_node_ports.py::{NODE_PORT}",
        breaking=f"R1 --node {node}",
        node=node,
        after="mutable_service",
    )
    assert_red_is_exactly(suite_run, {NEW}, None)
    assert {ANSWER, NODE_PORT} <= suite_run.green()
    assert_cells(suite_run, NEW, lambda o: o.flow.source.node == node, GONE)
    words = (f"node {node}", "kube-proxy does not follow", "(new since the run began)")
    assert_first_line(suite_run, *words, families=Family)
    since = suite_run.conclusions.every[0].since
    assert since.startswith("first seen "), since


@pytest.mark.parametrize("family", [Family.IPV6], ids=str)
def test_s2_a_slice_made_by_hand_is_named(
    tmp_path: Path, workers: tuple[str, str], family: Family
) -> None:
    """S2: a slice leads part of one service's connections to nowhere, over one family. That slice
    is named, and every other service is well."""
    suite_run = run_suites(
        tmp_path,
        f"{FAMILIES}::{SLICES}",
        f"{FAMILIES}::{SHARE}",
        f"{KINDS}::{HOSTS}",
        f"{KINDS}::{DIRECT}",
        breaking=f"S2 --service {{service}} --family {family}",
        node=workers[0],
        after="shared_services",
    )
    listed = f"{SLICES}[PreferDualStack-any]"
    assert_red_is_exactly(suite_run, {listed, SHARE}, family)
    assert {HOSTS, DIRECT} <= suite_run.green()
    assert len([name for name in suite_run.green() if name.startswith(SLICES)]) > 5
    message = suite_run.red()[listed].message
    assert "EndpointSlice six-fault-web-prefer-any (kept by no controller)" in message
    assert "no ready pod has it" in message
    assert f"{family} TCP" in message

    def misled(o: Observation) -> bool:
        flow = o.flow
        return flow.family is family and (str(flow.protocol), flow.port) == ("TCP", 80)

    assert_cells(suite_run, SHARE, misled, GONE)


def test_a2_a_backend_bound_to_one_family_is_named_behind_every_service(
    tmp_path: Path, workers: tuple[str, str]
) -> None:
    """A2: a backend on one node refuses IPv6. It is named behind each service that it stands
    behind, and services with other backends are well."""
    node = workers[0]
    suite_run = run_suites(
        tmp_path,
        f"{FAMILIES}::{ANSWER}",
        f"{FAMILIES}::{SHARE}",
        f"{FAMILIES}::{SLICES}",
        f"{KINDS}::{DIRECT}",
        f"{KINDS}::{HAIRPIN}",
        f"{KINDS}::{HOSTS}",
        f"{NODES}::{TO_PODS}",
        breaking="A2 --pod {pod} --family IPv6",
        node=node,
        after="shared_services",
    )
    assert_red_is_exactly(suite_run, {ANSWER, SHARE, DIRECT, HAIRPIN}, Family.IPV6)
    assert {HOSTS, TO_PODS} <= suite_run.green()
    victim = f"web@{node}"

    def its_own_address(o: Observation) -> bool:
        return o.flow.family is Family.IPV6 and o.flow.destination.name == victim

    def behind(o: Observation) -> bool:
        return o.flow.family is Family.IPV6

    assert_cells(suite_run, DIRECT, its_own_address, {Outcome.REFUSED})
    # A node sends few ICMP errors a second: of many datagrams some are refused without a word.
    assert_cells(suite_run, SHARE, behind, {Outcome.REFUSED, Outcome.DROPPED})
    over_tcp = [o for o in suite_run.wrong_cells(SHARE) if o.flow.protocol is Protocol.TCP]
    assert {o.outcome for o in over_tcp} == {Outcome.REFUSED}
    share = suite_run.red()[SHARE].message
    assert f"web-{node} never answered" in share
    assert "IPv6 flows" in share
    assert all(f"web-{other} never" not in share for other in workers if other != node)


def test_i18_without_source_nat_a_pod_is_seen_by_its_own_address(
    tmp_path: Path, workers: tuple[str, str], bed: testbed.Bed
) -> None:
    """I18: pods of one node leave their pool under their own IPv6 addresses. Whoever sees pods of
    other nodes from outside of the pool reports it; everything is carried all the same."""
    node = workers[0]
    suite_run = run_suites(
        tmp_path,
        SOURCES,
        "suites/nodes/test_source_address.py",
        f"{NODES}::test_pods_reach_other_nodes",
        breaking=f"I18 --node {node} --family IPv6",
        node=node,
    )
    wanted = {
        "test_a_node_sees_pods_as_nat_outgoing_of_their_pool_says",
        "test_a_backend_on_the_host_network_sees_who_leaves_the_pool",
        "test_local_external_traffic_keeps_the_client_s_address",
        "test_a_host_port_keeps_the_client_s_address",
    }
    assert_red_is_exactly(suite_run, wanted, Family.IPV6)
    assert "test_pods_reach_other_nodes" in suite_run.green()
    assert "test_a_node_port_masquerades_under_the_dialled_node" in suite_run.green()
    pods = next(s for s in bed.pod_subnets if ":" in s).partition("::")[0]
    for case in suite_run.red().values():
        lines = [line for line in case.message.splitlines() if " saw " in line]
        assert lines
        assert all(f"a@{node} -> " in line for line in lines), case.message
        assert all(f" saw {pods}" in line for line in lines), case.message
        assert "natOutgoing" in case.message
