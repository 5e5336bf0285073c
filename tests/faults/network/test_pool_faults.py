"""Faults of the run's own pools: L5 in each of its fields, and I10 under them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sixproof.model import Family
from sixproof.reporting.results.test_record import CaseOutcome
from tests.faults.conftest import assert_first_line, assert_green, run_suites

pytestmark = [pytest.mark.bed, pytest.mark.usefixtures("mended")]

POOLS = "suites/calico/test_pools.py"
SERVED = "test_a_pod_gets_an_address_of_the_pool_that_its_annotation_names"
SIZED = "test_blocks_of_a_pool_have_its_block_size"
ALONE = "test_a_pool_of_manual_assignment_serves_only_pods_that_ask_for_it"
REACHED = "test_pods_of_a_new_pool_and_others_reach_each_other"
ROUTED = "test_packets_for_a_pool_take_the_way_that_its_encapsulation_means"
SEGMENT = "test_a_pool_that_selects_a_node_serves_it_and_no_other"
REFUSED = "test_a_pod_that_names_a_missing_or_disabled_pool_gets_no_address"
LEAVING = "test_pods_leave_their_pool_as_its_nat_outgoing_says"


def test_own_pools_are_green_and_go_with_the_run(tmp_path: Path) -> None:
    """All of it is asked on the bed in both families, and passes."""
    suite_run = run_suites(tmp_path, POOLS)
    assert_green(suite_run)
    asked = (SERVED, SIZED, ALONE, REACHED, ROUTED, SEGMENT)
    wanted = {f"{test}[{family}]" for test in asked for family in Family}
    wanted |= {f"{REFUSED}[{f}-{why}]" for f in Family for why in ("missing", "disabled")}
    assert suite_run.green() >= wanted, suite_run.output[-3000:]


@pytest.mark.parametrize(
    ("field", "after", "red"),
    [
        ("cidr", "own_pools", {f"{SERVED}[IPv6]", f"{SIZED}[IPv6]"}),
        ("blockSize", "own_pools", {f"{SIZED}[IPv6]"}),
        ("assignmentMode", "own_pools", {f"{ALONE}[IPv6]"}),
        ("nodeSelector", "own_pools", {f"{SEGMENT}[IPv6]"}),
        ("disabled", "own_pools", {f"{REFUSED}[IPv6-disabled]"}),
        ("natOutgoing", "pool_pods", {f"{LEAVING}[IPv6-on]"}),
        ("vxlanMode", "pool_pods", {f"{ROUTED}[IPv6]"}),
    ],
)
def test_l5_a_field_of_a_pool_that_does_not_hold_is_red_in_its_test(
    tmp_path: Path, field: str, after: str, red: set[str]
) -> None:
    """L5: one field, one family; what else the field decides may follow. The pool and the field are
    named first."""
    only = " or ".join(test.partition("[")[0] for test in red)
    suite_run = run_suites(
        tmp_path,
        *(POOLS, "-k", only),
        breaking=f"L5 --family IPv6 --value {field}",
        after=after,
    )
    assert suite_run.cases(CaseOutcome.BROKEN) == (), suite_run.output[-3000:]
    assert set(suite_run.red()) == red, suite_run.output[-3000:]
    assert all(case.family is Family.IPV6 for case in suite_run.red().values())
    purpose = {"nodeSelector": "segment", "disabled": "disabled"}.get(field, "masked")
    words = (f"-{purpose}-ipv6: ", f"{field} is ", " instead of ")
    assert_first_line(suite_run, *words, families=[Family.IPV6])


def test_i10_a_blackhole_for_a_new_pools_block_is_red_where_kernels_are_asked(
    tmp_path: Path, workers: tuple[str, str]
) -> None:
    """I10: routes and flows of the pair; addresses and blocks are what they should be."""
    suite_run = run_suites(
        tmp_path,
        *(POOLS, "-k", f"{ROUTED} or {REACHED} or {SERVED} or {SIZED}"),
        breaking=f"I10 --node {workers[0]} --peer {workers[1]} --family IPv6",
        after="pool_pods",
    )
    assert set(suite_run.red()) == {f"{ROUTED}[IPv6]", f"{REACHED}[IPv6]"}, suite_run.output[-3000:]
    # Felix has removed the route when the run ends; it was read when the tests failed.
    words = (f"node {workers[0]}", f"IPv6 packets to pods of {workers[1]}", "blackhole route")
    assert_first_line(suite_run, *words, families=[Family.IPV6])
