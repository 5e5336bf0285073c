"""Under a policy of the cluster's owner: what it closes is not proven, and it is named first."""

from __future__ import annotations

from pathlib import Path

import pytest

from sixproof.model import Family, Outcome
from sixproof.reporting.diagnosis.verdicts import Word, verdicts
from sixproof.reporting.matrix.grid import CellState
from sixproof.reporting.results import closed
from sixproof.reporting.results.test_record import Case, CaseOutcome
from sixproof.workloads.existing.closed_flows import EXISTING_POLICIES
from tests.faults.conftest import MESH, SuiteRun, faults, named_by, run_green, run_suites

pytestmark = [pytest.mark.bed, pytest.mark.usefixtures("mended")]

POLICY = "GlobalNetworkPolicy six-default-deny"
HAIRPIN = "test_cluster_wide_policies_apply_to_a_pod_that_reaches_itself_by_its_service"
ROOMS = (
    *("pods", "nodes", "services", "dns", "mtu", "policy", "calico", "felix"),
    *("preflight", "every_node"),
)
TALK = "test_probe_pods_may_talk_to_each_other"
FURTHER = {"every_node": ("--six-nodes", "2")}
"""Options of rooms that skip everything where all nodes are covered."""
AFTERWARDS = {"policy": ("suites/policy/test_changes.py", "suites/policy/test_scenarios.py")}
"""What is run of a room once the policy is gone, where the whole takes minutes."""


def under(tmp_path: Path, value: str, *words: str) -> SuiteRun:
    """Suites while the policy stands."""
    faults("inject", "P0", "--value", value)
    return run_suites(tmp_path / value, *words)


def carried(suite_run: SuiteRun, case: Case) -> bool:
    """Whether some cell of a test's matrices came to what the test asks about; True where it has
    no matrix."""
    matrices = [m for m in suite_run.results.matrices if m.test == case.nodeid]
    cells = [(o, (m.expected or {}).get(k)) for m in matrices for k, o in m.matrix.cells.items()]
    return not cells or any(e is not None and e.proven_by(o.outcome) for o, e in cells)


def assert_the_policy_is_named_first(suite_run: SuiteRun) -> None:
    """In the terminal before the tests run, at the head of the summary, and as a finding."""
    named = [f for f in suite_run.results.findings if f.code == EXISTING_POLICIES.code]
    assert POLICY in {f.subject for f in named}
    before, _, after = suite_run.output.partition("probe pods and")
    assert POLICY in before
    summary = after.partition(closed.TITLE)[2]
    assert summary.lstrip().startswith(f"? {POLICY}")


@pytest.mark.parametrize("room", ROOMS)
def test_p0_what_a_default_deny_closes_is_not_proven(tmp_path: Path, room: str) -> None:
    """P0: no test passes that carried nothing, none fails, and the run is not green; once the
    policy is gone, all is."""
    assert_a_default_deny_leaves_nothing_proven(tmp_path, room)


@pytest.mark.xdist_group("own-bed")
@pytest.mark.usefixtures("bgp_bed")
@pytest.mark.parametrize("room", ["bgp", "loadbalancer"])
def test_p0_announced_addresses_that_a_default_deny_closes_are_not_proven(
    tmp_path: Path, room: str
) -> None:
    """P0 where nodes speak BGP: the same of what is announced to the rack behind the router."""
    try:
        assert_a_default_deny_leaves_nothing_proven(tmp_path, room)
    finally:
        faults("clear")


def assert_a_default_deny_leaves_nothing_proven(tmp_path: Path, room: str) -> None:
    """One room under the policy, and without it."""
    more = FURTHER.get(room, ())
    suite_run = under(tmp_path, "all", f"suites/{room}", "-n", "2", *more)
    assert suite_run.status == 1
    assert_the_policy_is_named_first(suite_run)
    assert suite_run.cases(CaseOutcome.FAILED) == (), suite_run.output[-6000:]
    assert suite_run.cases(CaseOutcome.BROKEN) == (), suite_run.output[-6000:]
    unproven = suite_run.cases(CaseOutcome.NOT_PROVEN)
    assert unproven
    assert all("six-default-deny" in case.reason for case in unproven)
    hollow = [c.nodeid for c in suite_run.cases(CaseOutcome.PASSED) if not carried(suite_run, c)]
    assert hollow == []
    if room == "policy":  # no flow is open to begin with but that of a pod to itself
        assert suite_run.green() <= {HAIRPIN}
    assert {v.word for v in verdicts(suite_run.results)} == {Word.UNPROVEN}
    if room == "preflight":
        assert {named_by(case.nodeid) for case in unproven} == {TALK}
    faults("clear")
    again = AFTERWARDS.get(room, (f"suites/{room}",))
    after = run_green(tmp_path / "after", *again, "-n", "2", *more)
    assert after.cases(CaseOutcome.NOT_PROVEN) == ()


def test_p0_what_is_left_open_is_measured_in_full(tmp_path: Path) -> None:
    """P0, half: what one namespace may send is carried and judged; how much is closed is said."""
    suite_run = under(tmp_path, "half", "suites/pods", "-n", "2")
    assert_the_policy_is_named_first(suite_run)
    assert suite_run.cases(CaseOutcome.FAILED) == (), suite_run.output[-6000:]
    assert MESH in suite_run.green()
    counts = suite_run.topology().states(Family.IPV6)
    assert counts[CellState.CLOSED] > 0
    assert counts[CellState.WORKS] > 0
    sources = {
        o.flow.source.name.partition("@")[0]
        for o in suite_run.topology().matrix.observations()
        if o.outcome is Outcome.ALLOWED and o.flow.source != o.flow.destination
    }
    assert sources == {"a"}
    assert "cells are closed" in suite_run.output


def test_p0_a_family_that_is_closed_says_nothing_of_the_other(tmp_path: Path) -> None:
    """P0, IPv6: IPv4 works, IPv6 is not proven, and nothing is called broken."""
    suite_run = under(tmp_path, "IPv6", "suites/pods", "-n", "2")
    assert_the_policy_is_named_first(suite_run)
    assert suite_run.cases(CaseOutcome.FAILED) == (), suite_run.output[-6000:]
    words = {v.family: v.word for v in verdicts(suite_run.results)}
    assert words == {Family.IPV4: Word.WORKS, Family.IPV6: Word.UNPROVEN}
    unproven = {named_by(c.nodeid) for c in suite_run.cases(CaseOutcome.NOT_PROVEN)}
    assert MESH in unproven
    assert not any("IPv4" in name for name in unproven)
