"""A fault of nodes beyond those that are covered: seen by the suite that tries every node."""

from __future__ import annotations

from pathlib import Path

import pytest

from sixproof.model import Family
from tests.faults.conftest import (
    assert_first_line,
    faults,
    run_green,
    run_suites,
)

pytestmark = [pytest.mark.bed, pytest.mark.usefixtures("mended")]
ASKED = ("suites/every_node", "--six-nodes", "1")


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_i10_a_missing_route_between_nodes_that_are_not_covered(
    tmp_path: Path, workers: tuple[str, str], family: Family
) -> None:
    """I10: the node, the peer and the route are named; all is well afterwards."""
    node, peer = workers
    faults("inject", "I10", "--node", node, "--peer", peer, "--family", family)
    suite_run = run_suites(tmp_path / "broken", *ASKED)
    red = set(suite_run.red())
    assert f"test_pods_of_every_node_reach_pods_of_others[{family}]" in red
    assert f"test_every_node_reaches_others[{family}]" not in red
    assert_first_line(suite_run, node, peer, "blackhole route", families=[family])
    faults("clear")
    run_green(tmp_path / "after", *ASKED)
