"""What a run could not prove, mostly due to policies of the cluster's owner: reported first."""

from __future__ import annotations

from collections.abc import Iterator

from sixproof.model import Finding, Severity
from sixproof.reporting.matrix.grid import CellState
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import CaseOutcome
from sixproof.workloads.existing.closed_flows import EXISTING_POLICIES

TITLE = "Not proven, and why"
NAMED = 4
"""Tests that the text names."""


def unproven(results: Results) -> tuple[str, ...]:
    """Sentences: the policies, how many tests proved nothing, how much of the others is closed.

    Empty where everything that was asked could be measured.
    """
    return (*_policies(results), *_tests(results), *_cells(results))


def others(results: Results) -> tuple[Finding, ...]:
    """The findings that are not reported here, nor in the table of applications."""
    closing = _policy_findings(results)
    found = (f for f in results.findings if f not in closing)
    return tuple(
        f for f in found if not (results.applications and f.code.startswith("application-"))
    )


def _policy_findings(results: Results) -> tuple[Finding, ...]:
    return tuple(
        f
        for f in results.findings
        if f.code == EXISTING_POLICIES.code and f.severity is not Severity.NOTE
    )


def _policies(results: Results) -> Iterator[str]:
    order = list(Severity)
    for finding in sorted(_policy_findings(results), key=lambda f: order.index(f.severity)):
        yield str(finding)


def _tests(results: Results) -> Iterator[str]:
    cases = [c for c in results.cases if c.outcome is CaseOutcome.NOT_PROVEN]
    if not cases:
        return
    names = list(dict.fromkeys(case.name.partition(" [")[0] for case in cases))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    verb = "test carried" if len(cases) == 1 else "tests carried"
    yield (
        f"{len(cases)} {verb} none of the flows they need, and neither passed nor failed: "
        f"{'; '.join(names[:NAMED])}{more}"
    )


def _cells(results: Results) -> Iterator[str]:
    closed = total = tests = 0
    unproven = {c.nodeid for c in results.cases if c.outcome is CaseOutcome.NOT_PROVEN}
    for measured in results.matrices:
        here = sum(measured.states(f)[CellState.CLOSED] for f in measured.matrix.families())
        if here and measured.test not in unproven:
            closed += here
            total += len(measured.matrix.cells)
            tests += 1
    if closed:
        yield (
            f"{tests} more matrices were judged by their open flows only: "
            f"{closed} of their {total} cells are closed"
        )
