"""Faults of one node: I7 and I10."""

from __future__ import annotations

from pathlib import Path

import pytest

from sixproof.model import Family, Observation, Outcome, Protocol
from sixproof.reporting.results.test_record import CaseOutcome
from tests.faults.conftest import SuiteRun, crosses, faults, run_suites, touches

pytestmark = [pytest.mark.bed, pytest.mark.usefixtures("mended", "assert_all_green")]


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_i7_icmp_passes_while_tcp_and_udp_are_dead_between_nodes(
    tmp_path: Path, workers: tuple[str, str], family: Family
) -> None:
    """I7: cross-node TCP and UDP of one family die at one node; ICMP, the other family and traffic
    that stays on a node live."""
    node = workers[0]
    faults("inject", "I7", "--node", node, "--family", family)
    suite_run = run_suites(tmp_path, "suites/pods")

    def must_be_dead(o: Observation) -> bool:
        tcp_or_udp = o.flow.protocol is not Protocol.ICMP
        return tcp_or_udp and o.flow.family is family and crosses(o) and touches(o, node)

    assert_exactly(suite_run, must_be_dead)
    assert {o.outcome for o in suite_run.wrong()} <= {Outcome.DROPPED, Outcome.REPLY_LOST}
    assert_only_this_family_is_red(suite_run, family)
    assert node in suite_run.output
    assert "ICMP" in suite_run.output


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_i10_a_missing_route_breaks_one_node_pair_in_one_family(
    tmp_path: Path, workers: tuple[str, str], family: Family
) -> None:
    """I10: a node has no way to the pods of one other node."""
    node, peer = workers
    faults("inject", "I10", "--node", node, "--peer", peer, "--family", family)
    suite_run = run_suites(tmp_path, "suites/pods")

    def must_be_dead(o: Observation) -> bool:
        ends = {o.flow.source.node, o.flow.destination.node}
        return o.flow.family is family and ends == {node, peer}

    assert_exactly(suite_run, must_be_dead)
    assert_only_this_family_is_red(suite_run, family)
    assert node in suite_run.output
    assert peer in suite_run.output


def assert_exactly(suite_run: SuiteRun, must_be_dead: object) -> None:
    """Every cell of the full mesh that must be dead is red, and no other."""
    assert callable(must_be_dead)
    wrong = {(o.flow.family, str(o.flow)) for o in suite_run.wrong()}
    wanted = {
        (o.flow.family, str(o.flow))
        for o in suite_run.topology().matrix.observations()
        if must_be_dead(o)
    }
    assert wanted, "the fault reaches no cell"
    assert wrong - wanted == set(), f"red without a cause: {sorted(wrong - wanted)[:5]}"
    assert wanted - wrong == set(), f"not found: {sorted(wanted - wrong)[:5]}"


def assert_only_this_family_is_red(suite_run: SuiteRun, family: Family) -> None:
    """Tests of the other family pass, and nothing is broken."""
    assert suite_run.cases(CaseOutcome.BROKEN) == ()
    red = suite_run.cases(CaseOutcome.FAILED)
    assert red
    assert all(case.family in (family, None) for case in red), [c.nodeid for c in red]
