"""Policy tests on a broken bed: a leak, an over-block, a neighbour out of reach and a dead server
are distinguished, over their family and on their node; mended, all is green again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sixproof.model import Family, Observation, Outcome
from sixproof.reporting.diagnosis.category import Category
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.faults.conftest import (
    SuiteRun,
    assert_first_line,
    faults,
    run_green,
    run_suites,
    touches,
)

pytestmark = [pytest.mark.bed, pytest.mark.usefixtures("mended", "workers")]

DENIES, SELECTS = "01-ingress-absent", "16-from-web"
"""A case that only denies, and one whose peers are chosen by selectors."""
VICTIM = "shop/web"
"""The pod that is broken, or on whose node the fault is; both cases isolate its namespace."""

SEED = "11"
"""Its first set is three policies of both APIs, two of which isolate pods of ``shop``."""
MINE = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: dns-only, namespace: prod}
spec:
  podSelector: {}
  egress:
    - to:
        - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
          podSelector: {matchLabels: {k8s-app: kube-dns}}
      ports: [{protocol: UDP, port: 53}]
  policyTypes: [Ingress, Egress]
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: db, namespace: data}
spec:
  selector: app == 'db'
  ingress:
    - action: Allow
      protocol: TCP
      source: {selector: role == 'client'}
      destination: {ports: [5432]}
"""

Break = Callable[[str, str], SuiteRun]


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Break:
    """Runs one case, or what words ask for, with a fault that is injected once the policy
    namespaces stand; then, with the fault cleared, the same must pass."""

    def run(case: str, fault: str) -> SuiteRun:
        monkeypatch.setenv("SIX_TEST_FAULT", fault)
        monkeypatch.setenv("SIX_TEST_FAULT_POD", VICTIM)
        words = ["suites/policy/test_kubernetes.py", "-k", case]
        if " " in case:
            words = case.split()
        patience = ["--six-settle-timeout", "8", "-p", "tests.faults.policies.policy_breaker"]
        suite_run = run_suites(tmp_path / "broken", *words, *patience)
        faults("clear")
        run_green(tmp_path / "after", *words)
        return suite_run

    return run


def the_bad(suite_run: SuiteRun) -> Case:
    """The one test that ended badly."""
    (bad,) = (c for c in suite_run.results.cases if c.outcome.bad)
    return bad


def wrong(suite_run: SuiteRun) -> tuple[Observation, ...]:
    """Every wrong cell of every matrix."""
    return tuple(d.observation for m in suite_run.results.matrices for d in m.disagreements())


def node_of_the_victim(suite_run: SuiteRun) -> str:
    """Where the fault was."""
    cells = (o for m in suite_run.results.matrices for o in m.matrix.observations())
    return next(o.flow.source.node for o in cells if o.flow.source.name == VICTIM)


def test_i8_shows_in_policies_of_your_own(broken: Break, tmp_path: Path) -> None:
    """I8: what leaks over IPv6 is found with --six-policies as well."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "all.yaml").write_text(MINE)
    suite_run = broken(
        f"suites/policy/test_own.py --six-nodes 1 --six-policies {tmp_path / 'mine'}",
        "I8 --node {node} --family IPv6",
    )
    bad = the_bad(suite_run)
    assert bad.outcome is CaseOutcome.FAILED
    assert {o.flow.family for o in wrong(suite_run)} == {Family.IPV6}
    assert {o.outcome for o in wrong(suite_run)} == {Outcome.ALLOWED}
    assert set(bad.categories) == {Category.LEAK, Category.IPV6_ONLY}
    assert_first_line(suite_run, "no jump to cali-FORWARD", families=[Family.IPV6])


def test_i8_a_random_set_that_leaks_is_shrunk_to_one_policy(broken: Break) -> None:
    """I8: one small policy is left that shows the leak, and a command that repeats the whole."""
    suite_run = broken(
        f"suites/policy/test_generated.py --six-generate 1 --six-seed {SEED}",
        "I8 --node {node} --family IPv6",
    )
    bad = the_bad(suite_run)
    assert bad.outcome is CaseOutcome.FAILED
    assert set(bad.categories) == {Category.LEAK, Category.IPV6_ONLY}
    shrunk = bad.message.partition("shrunk to ")[2]
    assert shrunk.startswith("1 policy in ")
    assert shrunk.count("kind: NetworkPolicy") == 1
    assert f"--six-generate 1 --six-seed {SEED} -k 'set-1]'" in shrunk


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_i8_a_policy_that_is_not_enforced_over_one_family_is_a_leak_there(
    broken: Break, family: Family
) -> None:
    """I8: what a node does not police leaks into its isolated pods, over that family only."""
    suite_run = broken(DENIES, f"I8 --node {{node}} --family {family}")
    node, bad = node_of_the_victim(suite_run), the_bad(suite_run)
    assert bad.outcome is CaseOutcome.FAILED
    assert {o.flow.family for o in wrong(suite_run)} == {family}
    assert {o.outcome for o in wrong(suite_run)} == {Outcome.ALLOWED}
    assert {o.flow.destination.node for o in wrong(suite_run)} == {node}
    assert VICTIM in {o.flow.destination.name for o in wrong(suite_run)}
    only = Category.IPV6_ONLY if family is Family.IPV6 else Category.IPV4_ONLY
    assert set(bad.categories) == {Category.LEAK, only}
    assert node in bad.message
    words = (f"node {node}", "no jump to cali-FORWARD", f"not enforced there over {family}")
    assert_first_line(suite_run, *words, families=[family])


def test_i9_a_neighbour_out_of_reach_is_no_matter_of_policy(broken: Break) -> None:
    """I9: IPv6 of one node is dead for want of neighbour discovery; no policy is blamed."""
    suite_run = broken(SELECTS, "I9 --node {node}")
    node, bad = node_of_the_victim(suite_run), the_bad(suite_run)
    assert bad.outcome is CaseOutcome.FAILED
    assert {o.flow.family for o in wrong(suite_run)} == {Family.IPV6}
    assert all(touches(o, node) for o in wrong(suite_run))
    assert Outcome.ALLOWED not in {o.outcome for o in wrong(suite_run)}
    assert Category.IPV6_ONLY in bad.categories
    assert not {Category.LEAK, Category.OVER_BLOCK} & set(bad.categories)
    assert node in bad.message
    words = (f"node {node}", "packet filter rule", " drop", "Neighbor Solicitation")
    assert_first_line(suite_run, *words, families=[Family.IPV6])


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_c1_empty_ip_sets_of_one_family_are_an_over_block_there(
    broken: Break, family: Family
) -> None:
    """C1: peers chosen by selectors are shut out on one node, over one family."""
    suite_run = broken(SELECTS, f"C1 --node {{node}} --family {family}")
    node, bad = node_of_the_victim(suite_run), the_bad(suite_run)
    assert bad.outcome is CaseOutcome.FAILED
    assert {o.flow.family for o in wrong(suite_run)} == {family}
    assert {o.outcome for o in wrong(suite_run)} == {Outcome.DROPPED}
    assert {o.flow.destination.node for o in wrong(suite_run)} == {node}
    only = Category.IPV6_ONLY if family is Family.IPV6 else Category.IPV4_ONLY
    assert set(bad.categories) == {Category.OVER_BLOCK, only}
    assert node in bad.message
    # The sets are gone with their policy at the end: they are read when the test fails.
    of_selectors = f"Felix's IP set cali{family.version}0s"
    words = (f"node {node}", of_selectors, "(no members) lacks", f"deny their {family} packets")
    assert_first_line(suite_run, *words, families=[family])


def test_c2_felix_that_stands_still_is_a_leak_on_its_node(broken: Break) -> None:
    """C2: a policy comes and one node does not follow, over both families."""
    suite_run = broken(DENIES, "C2 --node {node}")
    node, bad = node_of_the_victim(suite_run), the_bad(suite_run)
    assert bad.outcome is CaseOutcome.FAILED
    assert {o.flow.family for o in wrong(suite_run)} == set(Family)
    assert {o.outcome for o in wrong(suite_run)} == {Outcome.ALLOWED}
    assert {o.flow.destination.node for o in wrong(suite_run)} == {node}
    assert set(bad.categories) == {Category.LEAK}
    assert node in bad.message
    words = (f"node {node}", "Felix does not follow", "over IPv4 and IPv6 alike")
    assert_first_line(suite_run, *words, families=Family)


def test_a1_a_dead_agent_is_never_taken_for_a_policy(broken: Break) -> None:
    """A1: the isolated pod's agent is dead; its silence is no denial, and no verdict at all."""
    suite_run = broken(DENIES, "A1 --pod {pod}")
    bad = the_bad(suite_run)
    assert bad.outcome is CaseOutcome.BROKEN
    assert {o.outcome for o in wrong(suite_run)} == {Outcome.UNKNOWN}
    assert all(VICTIM in (o.flow.source.name, o.flow.destination.name) for o in wrong(suite_run))
    assert_no_denial_is_reported(suite_run, Family.IPV4)
    assert_no_denial_is_reported(suite_run, Family.IPV6)
    assert VICTIM in bad.message


def test_a2_a_dead_server_is_never_taken_for_a_policy(broken: Break) -> None:
    """A2: the isolated pod's server is dead over one family; there, silence is no denial."""
    family = Family.IPV6
    suite_run = broken(DENIES, f"A2 --pod {{pod}} --family {family}")
    bad = the_bad(suite_run)
    assert {o.flow.family for o in wrong(suite_run)} == {family}
    assert {o.outcome for o in wrong(suite_run)} <= {Outcome.UNKNOWN, Outcome.REFUSED}
    assert {o.flow.destination.name for o in wrong(suite_run)} == {VICTIM}
    assert_no_denial_is_reported(suite_run, family)
    assert VICTIM in bad.message


def assert_no_denial_is_reported(suite_run: SuiteRun, family: Family) -> None:
    """No flow to the victim over that family counts as denied."""
    cells = (o for m in suite_run.results.matrices for o in m.matrix.observations())
    seen = {
        o.outcome
        for o in cells
        if o.flow.destination.name == VICTIM
        and o.flow.family is family
        and o.flow.source.name != VICTIM
    }
    assert seen
    assert not seen & {Outcome.DROPPED, Outcome.REJECTED}, seen
