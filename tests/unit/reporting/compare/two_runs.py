"""Runs in miniature, two of which are compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sixproof.model import ClusterFacts, Family, Flow, Matrix, Outcome
from sixproof.reporting.compare.comparison import RunComparison
from sixproof.reporting.compare.differences import ComparedItem, ComparedKind
from sixproof.reporting.compare.run_digest import RunDigest
from sixproof.reporting.conclusion.conclude import conclude
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome, RunRecord
from tests.unit.reporting.samples import Rule, all_open, facts, topology, v6_tunnel_broken, works

MESH = "suites/pods/test_mesh.py::test_mesh"
OTHER = "suites/dns/test_names.py::test_other"
PASSED, FAILED, BROKEN = CaseOutcome.PASSED, CaseOutcome.FAILED, CaseOutcome.BROKEN


def named(number: int) -> RunRecord:
    """The record of a run: the higher its number, the later it was."""
    day = f"2026-11-{number:02}"
    return RunRecord(
        f"a{number}b{number}c{number}", f"{day}T02:00:00Z", f"{day}T02:01:00Z", 60.0, "0.1.0", 1
    )


def mesh(
    rule: Rule = works, *, test: str = MESH, title: str = "full mesh", **more: Any
) -> Measured:
    """The full mesh as a test measured it: everything must be allowed."""
    matrix = topology(rule, title=title, **more)
    return Measured(matrix, all_open(matrix), test)


def case(outcome: CaseOutcome, nodeid: str = MESH, **more: Any) -> Case:
    """How a test ended."""
    return Case(nodeid, outcome, title=nodeid.rpartition("::")[2], **more)


def run(
    number: int,
    *matrices: Measured,
    cases: Iterable[Case] | None = None,
    cluster: ClusterFacts | None = None,
    **more: Any,
) -> Results:
    """A run. Without `cases`, tests failed whose matrices have wrong cells, and the others passed;
    one test more passed."""
    ended = (
        [case(FAILED if m.disagreements() else PASSED, m.test) for m in matrices]
        if cases is None
        else list(cases)
    )
    ended.append(case(PASSED, "suites/nodes/test_one.py::test_one"))
    return Results(
        named(number), facts=cluster or facts(), cases=tuple(ended), matrices=matrices, **more
    )


def digest(results: Results) -> RunDigest:
    """What is compared of a run."""
    return RunDigest.of(results, conclude(results))


def compared(before: Results, after: Results) -> RunComparison:
    """The comparison of two runs."""
    return RunComparison.of(digest(before), digest(after))


def found(comparison: RunComparison, kind: ComparedKind) -> list[ComparedItem]:
    """The items of one kind."""
    return [one for one in comparison.items if one.kind is kind]


def said(comparison: RunComparison, kind: ComparedKind) -> dict[str, str]:
    """How the items of one kind compare, by their keys."""
    return {one.key: one.difference.value for one in found(comparison, kind)}


def written(directory: Path, results: Results) -> Path:
    """The directory of a report with these results."""
    results.write(directory / "results.json")
    return directory


def everything(outcome: Outcome) -> Rule:
    """Every flow ends so."""
    return lambda _: outcome


def over(family: Family, outcome: Outcome = Outcome.DROPPED) -> Rule:
    """Flows of one family end so, the others work."""
    return lambda flow: outcome if flow.family is family else Outcome.ALLOWED


def on(*nodes: str, outcome: Outcome = Outcome.DROPPED) -> Rule:
    """Flows that cross to or from one of these nodes over IPv6 end so."""

    def rule(flow: Flow) -> Outcome:
        here = {flow.source.node, flow.destination.node} & {*nodes}
        hit = here and flow.crosses_nodes and flow.family is Family.IPV6
        return outcome if hit else Outcome.ALLOWED

    return rule


def without(results: Results, **changed: Any) -> Results:
    """A run with other values."""
    return dataclasses.replace(results, **changed)


def renamed(matrix: Matrix, title: str) -> Matrix:
    """A matrix under another title."""
    return dataclasses.replace(matrix, title=title)


TUNNEL = v6_tunnel_broken
