"""The network under the tunnels: one MTU for all nodes, and jumbo frames where it supports them."""

from __future__ import annotations

import pytest

from sixproof.checks.pmtu.interfaces import NoneWrong
from sixproof.checks.pmtu.path_results import PathResults
from sixproof.model import Family
from sixproof.probes.pmtu import interfaces
from sixproof.probes.pmtu import judge as pmtu_judge

pytestmark = [pytest.mark.feature("Path MTU"), pytest.mark.story("underlay")]


@pytest.mark.covers("F2/M15")
def test_all_nodes_send_by_interfaces_of_one_size(
    underlays: dict[str, int], none_wrong: NoneWrong
) -> None:
    """The interfaces through which nodes reach each other have the same MTU on every node.

    Why: no Packet Too Big is sent between two nodes on one link; if one takes 9000 bytes and
    another 1500, packets of sizes in between are lost.
    """
    none_wrong("what most of the nodes have", interfaces.mixed(underlays))


@pytest.mark.covers("F2/M15", "F2/M3")
def test_jumbo_packets_pass_at_the_first_try(
    path_results: PathResults, jumbo: int, ip_family: Family
) -> None:
    """If the underlay carries more than 1500 bytes, every path between pods does too, at the first
    try and in both directions."""
    title = f"a packet that fills {jumbo} bytes of underlay passes"
    path_results.must(title, pmtu_judge.jumbo(jumbo), ip_family)
