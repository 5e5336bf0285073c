"""The preflight's tests: over nothing they are not passed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fixtures import cluster
from fixtures.run.state import RunState
from sixproof import records
from sixproof.errors import NotAsked, VerdictError
from sixproof.model import ClusterFacts, Finding, Severity

FINDING = Finding("nodes-ready", Severity.BLOCKER, "a", "no node is Ready")


def check(*findings: Finding, unseen: tuple[tuple[str, str], ...] = ()) -> Callable[..., None]:
    facts = ClusterFacts("https://api", "", ())
    state = RunState("abc", facts, findings, None, "", "", "", "", unseen=unseen)
    assert records.from_json(RunState, records.to_json(state)) == state
    made: Callable[..., None] = cluster.no_finding.__wrapped__(state)  # type: ignore[attr-defined]
    return made


def test_a_check_that_could_not_look_is_skipped_with_the_reason() -> None:
    """No finding over zero nodes is no verdict."""
    with pytest.raises(NotAsked, match="the nodes could not be seen"):
        check(unseen=(("nodes-ready", "the nodes could not be seen"),))("nodes-ready")


def test_a_finding_is_reported_although_something_else_could_not_be_seen() -> None:
    """What is known to be wrong stays wrong."""
    with pytest.raises(VerdictError, match="no node is Ready"):
        check(FINDING, unseen=(("node-family", "x"),))("nodes-ready", "node-family")


def test_a_check_that_looked_passes() -> None:
    """What others could not see is not held against it."""
    check(unseen=(("pod-family", "x"),))("nodes-ready")


def test_a_node_that_is_not_covered_keeps_a_run_from_being_green() -> None:
    """Blockers and nodes without a probe do; a warning does not."""
    gone = Finding("probe-pods", Severity.ERROR, "node arm", "not covered: exec format error")
    late = Finding("nodes-ready", Severity.WARNING, "b", "not Ready; left out")
    facts = ClusterFacts("https://api", "", ())
    state = RunState("abc", facts, (gone, late, FINDING), None, "", "", "", "")
    assert state.unproven == (gone, FINDING)
