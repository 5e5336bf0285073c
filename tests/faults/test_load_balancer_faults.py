"""Load balancers: a bed that hands out addresses and announces them, and one family that it does
not announce."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import testbed
from sixproof.model import Family, MatrixKind
from tests.faults.conftest import assert_first_line, assert_green, faults, run_suites

pytestmark = pytest.mark.bed
SUITE = "suites/loadbalancer"
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
HEALTH = "test_health_checks_tell_which_nodes_have_a_backend"


@pytest.fixture
def mended_bed(bgp_bed: testbed.Bed) -> Iterator[None]:
    """Whatever a test does to it is mended."""
    faults("clear")
    yield
    faults("clear")


def test_load_balancers_answer_over_both_families(mended_bed: None, tmp_path: Path) -> None:
    """Nothing is red, and health checks of both families were seen."""
    suite_run = run_suites(tmp_path, SUITE)
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
    mended_bed: None, family: Family, tmp_path: Path
) -> None:
    """B1L: who comes from outside is answered over the other family alone; what needs no
    announcement is green. The range is named. All is well afterwards."""
    faults("inject", "B1L", "--family", family.value)
    suite_run = run_suites(tmp_path / "broken", SUITE)
    red = set(suite_run.red())
    assert red >= DEAD
    assert INSIDE | {f"{HEALTH}[{f}]" for f in Family} <= suite_run.green()
    wrong = {o.flow.family for o in suite_run.wrong_cells(OUTSIDE)}
    assert wrong == {family}
    assert_first_line(suite_run, "serviceLoadBalancerIPs", families=[family])
    faults("clear")
    assert_green(run_suites(tmp_path / "after", SUITE))
