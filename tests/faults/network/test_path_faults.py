"""Faults of a path's size: I1 to I4 and their kin, by the tests of suites/mtu that they turn red.

Which tests must be red is written out: another red one is as wrong as one that is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sixproof.model import Family
from sixproof.reporting.results.test_record import CaseOutcome
from tests.faults.conftest import SuiteRun, assert_first_line, faults, run_green, run_suites
from tests.faults.network.path_runs import assert_red, message, ran

pytestmark = [pytest.mark.bed, pytest.mark.usefixtures("mended", "assert_paths_green")]

TOO_BIG = {Family.IPV4: "ICMP Fragmentation Needed", Family.IPV6: "ICMPv6 Packet Too Big"}
RESTRICTED = tuple(
    f"suites/mtu/test_{part}.py"
    for part in ["bulk", "interfaces", "packet_too_big", "path", "policies", "services", "underlay"]
)
"""What needs no privilege."""
DIRECT = {"test_one_byte_more_than_the_path_mtu_is_refused", "test_a_plain_udp_socket_gets_through"}
DIRECT |= {"test_a_fragmented_datagram_arrives", "test_bulk_passes_both_ways_without_a_stall"}
DIRECT |= {"test_segments_fill_the_path"}
THROUGH = {"a-plain-UDP-socket-gets-through", "fragments-arrive", "bulk-passes-both-ways"}
SERVICE = THROUGH | {"segments-fill-the-path"}
POLICY = THROUGH | {"one-byte-more-is-refused"}
VANISHING = (
    DIRECT
    | {f"test_a_cluster_ip_carries_what_the_pod_does[{rule}]" for rule in SERVICE}
    | {f"test_a_node_port_carries_what_the_pod_does[{rule}]" for rule in SERVICE}
    | {f"test_a_default_deny_leaves_the_allowed_port_its_path[{rule}]" for rule in POLICY}
)
"""What cannot pass where large packets vanish."""
FROM_OUTSIDE = "test_a_client_outside_sends_full_size_to_a_node_port"
NOT_DELIVERED = {
    "test_packet_too_big_reaches_the_sender",
    "test_packet_too_big_comes_back_through_a_cluster_ip",
    "test_packet_too_big_comes_back_through_a_node_port",
    "test_packet_too_big_passes_a_default_deny",
}
PACKET_TOO_BIG_TESTS = {
    "test_packet_too_big_is_made",
    "test_packet_too_big_names_the_paths_mtu",
    "test_packet_too_big_is_honoured",
    "test_packet_too_big_is_honoured_through_a_cluster_ip",
    "test_packet_too_big_is_honoured_through_a_node_port",
    "test_packet_too_big_is_honoured_under_a_default_deny",
    "test_what_was_learnt_is_kept_for_five_minutes_and_then_forgotten",
    *NOT_DELIVERED,
}
"""What is skipped unless a hop is narrower than the pods' link."""


def measured(folder: Path, breaking: str = "", node: str = "") -> SuiteRun:
    """The suite of path MTU, without the raw tier."""
    suite_run = run_suites(folder, *RESTRICTED, "-n", "2", breaking=breaking, node=node)
    assert suite_run.cases(CaseOutcome.BROKEN) == ()
    return suite_run


@pytest.fixture(scope="module")
def assert_paths_green(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """After the module's tests, with their faults cleared, nothing is red."""
    yield
    faults("clear")
    again = [f"suites/mtu/test_{part}.py" for part in ("interfaces", "path", "underlay")]
    run_green(tmp_path_factory.mktemp("after"), *again)


def test_i2_a_bottleneck_that_says_so_is_honoured_and_nothing_is_red(
    tmp_path: Path, workers: tuple[str, str]
) -> None:
    """I2: a node's routes to another node's pods carry 1350 bytes; the tests of Packet Too Big,
    skipped without it, run and pass."""
    node, peer = workers
    for family in Family:
        faults("inject", "I2", "--node", node, "--peer", peer, "--family", family)
    suite_run = measured(tmp_path)
    assert suite_run.status == 0, suite_run.output[-3000:]
    for family in Family:
        assert PACKET_TOO_BIG_TESTS - ran(suite_run, CaseOutcome.PASSED, family) == set()


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_i1_with_a_bottleneck_is_a_black_hole_at_the_node_that_eats(
    tmp_path: Path, workers: tuple[str, str], family: Family
) -> None:
    """I1 and I2: made on the node, dropped there; what does not need large packets passes."""
    node, peer = workers
    faults("inject", "I2", "--node", node, "--peer", peer, "--family", family)
    faults("inject", "I1", "--node", node, "--family", family)
    suite_run = measured(tmp_path)
    wanted = VANISHING | NOT_DELIVERED
    if family is Family.IPV4:  # a router may fragment what has no DF, and fragments have none
        wanted = {test for test in wanted if "fragment" not in test}
    assert_red(suite_run, wanted, family)
    assert_red(suite_run, set(), family.other)
    assert_red(suite_run, set(), None)
    assert "test_packet_too_big_is_made" in ran(suite_run, CaseOutcome.PASSED, family)
    said = message(suite_run, "test_packet_too_big_reaches_the_sender", family)
    assert f"of {node} 1350" in said
    assert f"lost on {node}" in said
    assert f"look at {node} first" in said
    assert "MTU black hole" in said
    words = (f"node {node}", "packet filter rule", " drop", TOO_BIG[family])
    assert_first_line(suite_run, *words, families=[family])
    assert len(suite_run.conclusions.every) == 1


def test_i1_without_a_bottleneck_eats_nothing(tmp_path: Path, workers: tuple[str, str]) -> None:
    """I1: where every hop carries what pods send, nobody makes a Packet Too Big; this tier cannot
    see who would eat one, and the tests that would are skipped, not passed."""
    faults("inject", "I1", "--node", workers[0])
    suite_run = measured(tmp_path)
    assert suite_run.status == 0, suite_run.output[-3000:]
    assert ran(suite_run, CaseOutcome.SKIPPED, Family.IPV6) >= PACKET_TOO_BIG_TESTS


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_i1_a_client_outside_gets_no_packet_too_big(
    tmp_path: Path, workers: tuple[str, str], family: Family
) -> None:
    """I1: the link of a client outside is wider than a tunnel, so the node that it dials has to say
    so, and is not heard; what goes through other nodes, and what fits, passes."""
    faults("inject", "I1", "--node", workers[0], "--family", family)
    suite_run = run_suites(tmp_path, "suites/mtu/test_outside.py")
    assert suite_run.cases(CaseOutcome.BROKEN) == ()
    delivery_test = "test_packet_too_big_reaches_the_client_outside"
    wanted = {delivery_test, f"{FROM_OUTSIDE}[a-plain-UDP-socket-gets-through]"}
    if family is Family.IPV6:  # a router may fragment what has no DF, and fragments have none
        wanted |= {f"{FROM_OUTSIDE}[fragments-arrive]"}
    assert_red(suite_run, wanted, family)
    assert_red(suite_run, set(), family.other)
    assert "test_a_node_sends_packet_too_big_to_the_client_outside" in ran(
        suite_run, CaseOutcome.PASSED, family
    )
    said = message(suite_run, delivery_test, family)
    assert "1 of 3 ordered pairs" in said
    assert "1500 bytes were too big for a hop, and no ICMP error reached the sender" in said
    assert f"{workers[0]} made" in said
    words = (f"node {workers[0]}", "packet filter rule", " drop", TOO_BIG[family])
    assert_first_line(suite_run, *words, families=[family])
    assert len(suite_run.conclusions.every) == 1


def test_i2s_a_bottleneck_that_says_nothing(tmp_path: Path, workers: tuple[str, str]) -> None:
    """I2S: larger packets vanish before the node's kernel measures them; nothing was made, so
    nothing else is asked of it."""
    node = workers[0]
    suite_run = measured(tmp_path, f"I2S --node {node}", node)
    first = {
        "test_the_first_full_size_packet_passes",
        "test_a_cluster_ip_carries_what_the_pod_does[the-first-full-size-packet-passes]",
        "test_a_default_deny_leaves_the_allowed_port_its_path[the-first-full-size-packet-passes]",
    }
    made = {"test_packet_too_big_is_made"}
    spared = {  # the sender's own kernel refuses it; nodes' addresses are left alone by the fault
        "test_one_byte_more_than_the_path_mtu_is_refused",
        "test_a_default_deny_leaves_the_allowed_port_its_path[one-byte-more-is-refused]",
        "test_a_node_port_carries_what_the_pod_does[a-plain-UDP-socket-gets-through]",
        "test_a_node_port_carries_what_the_pod_does[fragments-arrive]",
    }
    assert_red(suite_run, (VANISHING - spared) | first | made, Family.IPV6)
    assert_red(suite_run, set(), Family.IPV4)
    said = message(suite_run, "test_packet_too_big_is_made", Family.IPV6)
    assert "no node of the path made a Packet Too Big" in said
    assert f"look at {node} first" in said


def test_i3_a_wrong_mtu_inside_a_pod(tmp_path: Path, workers: tuple[str, str]) -> None:
    """I3: the pod is named, with what was expected and what it has; its packets are of no test."""
    suite_run = measured(tmp_path, "I3 --pod {pod} --value 1500", workers[0])
    assert_red(suite_run, {"test_every_interface_of_a_pod_has_what_the_encapsulation_leaves"}, None)
    for family in Family:
        assert_red(suite_run, set(), family)
    assert f"a@{workers[0]}" in suite_run.output
    assert "expected 1430, seen 1500 on eth0" in suite_run.output


def test_i3t_a_wrong_mtu_on_tunnels(tmp_path: Path, workers: tuple[str, str]) -> None:
    """I3T: the devices and their node are named; what they carry is honoured.

    Over IPv4 the kernel goes on by Felix' routes, which carry an MTU of their own; over IPv6 it
    takes that down with the device's.
    """
    node = workers[0]
    for family in Family:
        faults("inject", "I3T", "--node", node, "--family", family)
    suite_run = measured(tmp_path)
    test = "test_every_tunnel_of_a_node_leaves_room_for_its_headers"
    assert_red(suite_run, {test}, None)
    for family in Family:
        assert_red(suite_run, set(), family)
    assert PACKET_TOO_BIG_TESTS - ran(suite_run, CaseOutcome.PASSED, Family.IPV6) == set()
    assert PACKET_TOO_BIG_TESTS & ran(suite_run, CaseOutcome.PASSED, Family.IPV4) == set()
    said = message(suite_run, test, None)
    assert f"{node}: expected 1430, seen 1300 on vxlan-v6.calico" in said
    assert f"{node}: expected 1450, seen 1300 on vxlan.calico" in said
    assert said.count("seen") == 2, "another node is named"


def test_i4_a_link_below_what_ipv6_needs(tmp_path: Path, workers: tuple[str, str]) -> None:
    """I4: the pod, its interface and the reason are named; IPv6 to that pod is closed."""
    suite_run = measured(tmp_path, "I4 --pod {pod}", workers[0])
    interfaces = {
        "test_every_interface_of_a_pod_has_what_the_encapsulation_leaves",
        "test_every_interface_is_wide_enough_for_ipv6",
        "test_every_ipv6_address_of_a_pod_is_on_an_interface",
    }
    assert_red(suite_run, interfaces, None)
    said = message(suite_run, "test_every_ipv6_address_of_a_pod_is_on_an_interface", None)
    assert f"a@{workers[0]}: IPv6 is gone" in said
    assert "eth0 has MTU 1270, IPv6 needs 1280" in said
    refused = "test_one_byte_more_than_the_path_mtu_is_refused"
    closed = (DIRECT - {refused}) | {"test_the_first_full_size_packet_passes"}
    assert_red(suite_run, closed, Family.IPV6)
    plain = {"test_a_plain_udp_socket_gets_through", "test_a_fragmented_datagram_arrives"}
    unsaid = {refused, "test_packet_too_big_is_made"}  # its node's end of the link still takes 1430
    assert_red(suite_run, plain | unsaid, Family.IPV4)
    said = message(suite_run, "test_the_first_full_size_packet_passes", Family.IPV6)
    assert "not even small packets pass" in said
    assert f"a@{workers[0]}" in said
    assert "MTU black hole" not in said


def test_i2l_a_link_of_another_size_under_the_tunnels(
    tmp_path: Path, workers: tuple[str, str]
) -> None:
    """I2L: one node's link is set to 9000 bytes; that node is named, and no other.

    Felix takes the link's size over for tunnels and new pods of that node, sooner or later: what
    they then do is reported as well, and nobody can say beforehand how far it gets meanwhile.
    """
    node = workers[0]
    faults("inject", "I2L", "--node", node)
    suite_run = measured(tmp_path)
    test = "test_all_nodes_send_by_interfaces_of_one_size"
    taken_over = {
        "test_every_interface_of_a_pod_has_what_the_encapsulation_leaves",
        "test_every_tunnel_of_a_node_leaves_room_for_its_headers",
    }
    red = ran(suite_run, CaseOutcome.FAILED, None)
    assert {test} <= red <= {test} | taken_over
    for other in red & taken_over:
        lines = [x for x in message(suite_run, other, None).splitlines() if "expected 1" in x]
        assert lines
        assert all(f"{node}: " in x or f"@{node} (" in x for x in lines), lines
    said = message(suite_run, test, None)
    assert f"{node}: sends to other nodes by an interface of MTU 9000, most have 1500" in said
    assert_first_line(suite_run, f"node {node}: eth0 has MTU 9000", families=Family)
    assert len(suite_run.conclusions.every) == 1


def test_i2f_what_was_learnt_is_forgotten_too_soon(
    tmp_path: Path, workers: tuple[str, str]
) -> None:
    """I2F and I2: pods of a node forget after a minute; only their expiry is red."""
    node, peer = workers
    faults("inject", "I2", "--node", node, "--peer", peer)
    suite_run = measured(tmp_path, f"I2F --node {node}", node)
    test = "test_what_was_learnt_is_kept_for_five_minutes_and_then_forgotten"
    assert_red(suite_run, {test}, Family.IPV6)
    assert_red(suite_run, set(), Family.IPV4)
    said = message(suite_run, test, Family.IPV6)
    assert f"@{node} -> " in said
    assert f"@{peer} -> " not in said
    assert_first_line(suite_run, node, "mtu_expires is 60 s", families=[Family.IPV6])
