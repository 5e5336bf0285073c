"""Jumbo frames: a bed of its own whose network carries 9000 bytes, and a node of it that does not.

The bed is brought up beside the other, and taken down where it did not stand before.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import testbed
from sixproof.model import Family
from sixproof.reporting.results.test_record import CaseOutcome
from tests.faults.conftest import another_bed, faults, run_suites
from tests.faults.network.path_runs import message, ran

pytestmark = [pytest.mark.bed, pytest.mark.xdist_group("own-bed")]
NAME = "jumbo"
ONE_SIZE = "test_all_nodes_send_by_interfaces_of_one_size"
JUMBO = "test_jumbo_packets_pass_at_the_first_try"


@pytest.fixture(scope="module")
def jumbo_bed(bed: testbed.Bed) -> Iterator[testbed.Bed]:
    """A bed with jumbo frames, beside the other one, which shows that beds can be made here."""
    with another_bed(NAME) as made:
        yield made


@pytest.fixture
def node(jumbo_bed: testbed.Bed) -> Iterator[str]:
    """A worker of it; whatever a test does to it is mended."""
    faults("clear")
    yield jumbo_bed.nodes[1].name
    faults("clear")


def test_every_test_of_the_path_passes_with_jumbo_frames(node: str, tmp_path: Path) -> None:
    """Nothing is red where all have 9000 bytes, and what is skipped elsewhere is measured."""
    suite_run = run_suites(tmp_path, "suites/mtu", "-n", "2")
    assert suite_run.status == 0, suite_run.output[-3000:]
    for family in Family:
        assert JUMBO in ran(suite_run, CaseOutcome.PASSED, family)


def test_i2l_a_node_without_jumbo_frames(node: str, tmp_path: Path) -> None:
    """I2L: one node's link takes 1500 bytes. That node is named; no jumbo packet passes between it
    and the others, and nobody makes a Packet Too Big of what vanishes on the link.

    Felix takes the link's size over, so which packets are too large depends on how far it is.
    """
    faults("inject", "I2L", "--node", node, "--value", "1500")
    suite_run = run_suites(tmp_path, "suites/mtu/test_path.py", "suites/mtu/test_underlay.py")
    text = message(suite_run, ONE_SIZE, None)
    assert f"{node}: sends to other nodes by an interface of MTU 1500, most have 9000" in text
    for family in Family:
        text = message(suite_run, JUMBO, family)
        edges = [line for line in text.splitlines() if " -> " in line]
        assert edges
        assert all(f"@{node} " in line or f"@{node}:" in line for line in edges), edges
