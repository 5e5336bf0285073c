"""BGP: a bed of its own whose nodes speak it, and a node whose sessions of one family are gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import testbed
from sixproof.model import Family, MatrixKind
from tests.faults.conftest import assert_first_line, assert_green, faults, run_suites

pytestmark = pytest.mark.bed
SESSIONS = "test_every_node_has_its_bgp_sessions"


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
    assert_green(run_suites(tmp_path / "after", "suites/bgp"))


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
    assert_green(run_suites(tmp_path / "after", "suites/bgp"))
