"""Faults that crafted packets find: fragments and options dropped, segment sizes lowered, Packet
Too Big dropped, policy not enforced. Which tests must be red is written out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sixproof.checks.crafted.crafted_results import WAYS
from sixproof.checks.pmtu.path_results import slugs
from sixproof.model import Family
from sixproof.reporting.results.test_record import CaseOutcome
from tests.faults.conftest import SuiteRun, assert_first_line, faults, run_green, run_suites
from tests.faults.network.path_runs import assert_red, message, ran

pytestmark = [pytest.mark.bed, pytest.mark.usefixtures("mended", "assert_crafted_green")]

SUITE = "suites/mtu/test_crafted.py"
FRAGMENTS, HEADERS, QUOTES = (
    {f"{test}[{way}]" for way in slugs(WAYS)}
    for test in (
        "test_fragments_are_put_together",
        "test_extension_headers_are_no_obstacle",
        "test_packet_too_big_quotes_the_packet_that_was_sent",
    )
)
HANDSHAKE, SHUT = (
    "test_a_handshake_announces_what_its_link_leaves",
    "test_no_shape_of_packet_reaches_a_denied_port",
)


def measured(folder: Path, breaking: str = "", node: str = "") -> SuiteRun:
    """The crafted packets of a run."""
    suite_run = run_suites(folder, SUITE, breaking=breaking, node=node)
    assert suite_run.cases(CaseOutcome.BROKEN) == (), suite_run.output[-3000:]
    return suite_run


@pytest.fixture(scope="module")
def assert_crafted_green(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """After the module's tests, with their faults cleared, nothing is red."""
    yield
    faults("clear")
    run_green(tmp_path_factory.mktemp("after"), SUITE)


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_f1_fragments_that_a_node_drops(
    tmp_path: Path, workers: tuple[str, str], family: Family
) -> None:
    """F1: exactly the fragments of one family are lost, from pods of that node alone."""
    node = workers[0]
    suite_run = measured(tmp_path, f"F1 --node {node} --family {family}", node)
    assert_red(suite_run, FRAGMENTS, family)
    assert_red(suite_run, set(), family.other)
    for test in FRAGMENTS:
        said = message(suite_run, test, family)
        crafted_packets = [line for line in said.splitlines() if "packets left" in line]
        assert crafted_packets
        assert all(line.strip().startswith(f"raw@{node} -> ") for line in crafted_packets), said
        assert "0 reached the server's interface" in said
        assert f"class: {family}-only failure" in said


def test_f2_options_that_a_node_drops(tmp_path: Path, workers: tuple[str, str]) -> None:
    """F2: exactly the extension headers are lost, from pods of that node alone."""
    node = workers[0]
    suite_run = measured(tmp_path, f"F2 --node {node}", node)
    assert_red(suite_run, HEADERS, Family.IPV6)
    assert_red(suite_run, set(), Family.IPV4)
    for test in HEADERS:
        said = message(suite_run, test, Family.IPV6)
        assert f"raw@{node} -> " in said
        assert "hop-by-hop options did not arrive" in said
        assert "RFC 9673" in said
    words = (f"node {node}", "packet filter rule", " drop", "hop-by-hop options")
    assert_first_line(suite_run, *words, families=[Family.IPV6])


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_f3_segment_sizes_that_a_node_lowers(
    tmp_path: Path, workers: tuple[str, str], family: Family
) -> None:
    """F3: the SYNs of that node's pods are reported, with the MSS they left and arrived with."""
    node = workers[0]
    suite_run = measured(tmp_path, f"F3 --node {node} --family {family}", node)
    assert_red(suite_run, {HANDSHAKE}, family)
    assert_red(suite_run, set(), family.other)
    said = message(suite_run, HANDSHAKE, family)
    wanted = 1370 if family is Family.IPV6 else 1390
    assert f"came with MSS 1220, left with {wanted}" in said
    pair_lines = [line.strip() for line in said.splitlines() if " -> raw@" in line]
    assert pair_lines
    assert all(line.startswith(f"raw@{node} -> ") for line in pair_lines)


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_i2_a_bottleneck_quotes_what_was_sent(
    tmp_path: Path, workers: tuple[str, str], family: Family
) -> None:
    """I2: the node's Packet Too Big comes back through every translation, exact to the byte."""
    node, peer = workers
    faults("inject", "I2", "--node", node, "--peer", peer, "--family", family)
    suite_run = measured(tmp_path)
    assert suite_run.status == 0, suite_run.output[-3000:]
    assert ran(suite_run, CaseOutcome.PASSED, family) >= QUOTES
    kind = "ICMPv6 Packet Too Big"
    if family is Family.IPV4:
        kind = "ICMP Destination Unreachable: fragmentation needed"
    pair_lines = [
        line
        for file in (tmp_path / "allure-results").glob("*-attachment.txt")
        for line in file.read_text().splitlines()
        if line.startswith(f"raw@{node} -> raw@{peer} over {family}") and "1430 bytes" in line
    ]
    assert len(pair_lines) == len(WAYS)
    # A NodePort may lead elsewhere.
    assert sum(f"sent {kind}" in line for line in pair_lines) >= 2, pair_lines


def test_i1_with_a_bottleneck_no_icmp_error_comes_back(
    tmp_path: Path, workers: tuple[str, str]
) -> None:
    """I1 and I2: full-size packets are lost, and no ICMP error comes back; smaller ones pass."""
    node, peer = workers
    faults("inject", "I2", "--node", node, "--peer", peer, "--family", "IPv6")
    faults("inject", "I1", "--node", node, "--family", "IPv6")
    suite_run = measured(tmp_path)
    red = ran(suite_run, CaseOutcome.FAILED, Family.IPV6)
    to_pod = "test_packet_too_big_quotes_the_packet_that_was_sent[to-the-pod]"
    assert to_pod in red <= QUOTES
    assert_red(suite_run, set(), Family.IPV4)
    said = message(suite_run, to_pod, Family.IPV6)
    assert f"raw@{node} -> raw@{peer} over IPv6" in said
    assert "it was lost, and no Packet Too Big came back" in said


def test_i8_a_policy_that_is_not_enforced_lets_every_shape_through(
    tmp_path: Path, workers: tuple[str, str]
) -> None:
    """I8: what reaches the shut port of that node's pod is reported as a leak, over IPv6 alone."""
    node = workers[0]
    suite_run = measured(tmp_path, f"I8 --node {node} --family IPv6", node)
    assert_red(suite_run, {SHUT}, Family.IPV6)
    assert_red(suite_run, set(), Family.IPV4)
    said = message(suite_run, SHUT, Family.IPV6)
    assert f" -> guarded@{node} over IPv6 udp/8081" in said
    assert "class: Policy leak, IPv6-only failure" in said
