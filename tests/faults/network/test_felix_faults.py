"""Felix: metrics that one family does not get, and a Felix that hangs."""

from __future__ import annotations

from pathlib import Path

import pytest

from sixproof.model import Family
from sixproof.reporting.results.test_record import CaseOutcome
from tests.faults.conftest import (
    assert_first_line,
    assert_green,
    assert_red_is_exactly,
    faults,
    run_green,
    run_suites,
)

pytestmark = [pytest.mark.bed, pytest.mark.usefixtures("mended")]
SUITE = "suites/felix"
HEALTHY = "test_felix_says_on_every_node_that_it_is_healthy"
SCRAPED = "test_metrics_of_felix_can_be_scraped_on_every_node"
FAILSAFE = "test_no_policy_closes_fail_safe_ports_of_a_host"
FOLLOWS = "test_felix_takes_a_change_over_on_every_node"
RULES = "test_felix_has_rules_of_each_family_in_the_backend_it_is_set_to"


def test_felix_is_well_and_was_asked_over_both_families(tmp_path: Path) -> None:
    """Nothing is red, and what the bed has on was asked for."""
    suite_run = run_suites(tmp_path, SUITE)
    assert_green(suite_run)
    asked = {f"{test}[{family}]" for test in (HEALTHY, SCRAPED, RULES) for family in Family}
    assert suite_run.green() == {*asked, FOLLOWS, FAILSAFE}


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_c3_metrics_of_one_family_are_dropped(
    workers: tuple[str, str], family: Family, tmp_path: Path
) -> None:
    """C3: the scrape of that node over that family is red, with the rule that drops it; Felix is
    healthy and follows. All is well afterwards."""
    faults("inject", "C3", "--node", workers[0], "--family", family.value)
    suite_run = run_suites(tmp_path / "broken", SUITE)
    assert_red_is_exactly(suite_run, {f"{SCRAPED}[{family}]"}, None)
    wrong = suite_run.wrong_cells(f"{SCRAPED}[{family}]")
    assert {o.flow.destination.node for o in wrong} == {workers[0]}
    assert len({o.flow.source.name for o in wrong}) == 2, "the node itself, and a pod"
    assert_first_line(suite_run, workers[0], "dport 9091", families=[family])
    faults("clear")
    run_green(tmp_path / "after", SUITE)


def test_c2_a_felix_that_stands_still_answers_nobody(
    workers: tuple[str, str], tmp_path: Path
) -> None:
    """C2: its endpoints are red over both families, its state is not measured: never passed."""
    faults("inject", "C2", "--node", workers[0])
    suite_run = run_suites(tmp_path / "broken", SUITE)
    red = {f"{test}[{family}]" for test in (HEALTHY, SCRAPED) for family in Family}
    assert set(suite_run.red()) == red, suite_run.output[-3000:]
    broken = {case.nodeid.rpartition("::")[2] for case in suite_run.cases(CaseOutcome.BROKEN)}
    assert broken == {FOLLOWS, *(f"{RULES}[{family}]" for family in Family)}
    assert_first_line(suite_run, workers[0], "Felix does not follow", families=list(Family))
    faults("clear")
    run_green(tmp_path / "after", SUITE)


def test_c5_a_felix_to_which_no_change_comes(workers: tuple[str, str], tmp_path: Path) -> None:
    """C5: Felix answers and calls itself alive, and what it does not take over names the node. All
    is well afterwards."""
    suite_run = run_suites(
        tmp_path / "broken",
        *(SUITE, "-k", FOLLOWS),
        breaking=f"C5 --node {workers[0]}",
        node=workers[0],
    )
    assert_red_is_exactly(suite_run, {FOLLOWS}, None)
    words = (workers[0], "although a pod started there")
    assert_first_line(suite_run, *words, families=list(Family))
    faults("clear")
    run_green(tmp_path / "after", SUITE, "-k", FOLLOWS)


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_c4_a_fail_safe_port_of_one_family_is_dropped(
    workers: tuple[str, str], family: Family, tmp_path: Path
) -> None:
    """C4: the guarded host is the last worker; that family is red and no other test is. All is well
    afterwards, and no host endpoint is left."""
    faults("inject", "C4", "--node", workers[1], "--family", family.value)
    suite_run = run_suites(tmp_path / "broken", SUITE)
    assert_red_is_exactly(suite_run, {FAILSAFE}, None)
    assert {o.flow.family for o in suite_run.wrong_cells(FAILSAFE)} == {family}
    assert_first_line(suite_run, workers[1], "dport 6667", families=[family])
    faults("clear")
    run_green(tmp_path / "after", SUITE)
