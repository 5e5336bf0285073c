"""overview.html: the page that a reviewer reads first. It needs neither Node nor Allure.

Verdict per family, what fails and where, findings, matrices, failing tests, the guide's coverage,
skips, times, environment; in the order of its template.
"""

from __future__ import annotations

from collections.abc import Iterable

from sixproof.model import Severity
from sixproof.reporting.conclusion import words
from sixproof.reporting.conclusion.conclude import conclude
from sixproof.reporting.conclusion.conclusion import Conclusions
from sixproof.reporting.diagnosis.faults import chosen
from sixproof.reporting.diagnosis.pattern import said_count
from sixproof.reporting.diagnosis.verdicts import Word, headline, verdicts
from sixproof.reporting.matrix.html_table import MatrixTables
from sixproof.reporting.pages import markup
from sixproof.reporting.pages.scoreboard import CLASSES, scoreboard
from sixproof.reporting.results import closed
from sixproof.reporting.results.application_record import Readiness, by_namespace
from sixproof.reporting.results.ledger import Coverage
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.skip import Skip
from sixproof.reporting.results.test_record import CaseOutcome

MATRICES = 12
MESSAGES = 40
TIMES = 20
_WORDS = {Word.WORKS: "works", Word.FAULTY: "broken", Word.BROKEN: "broken"}
_SEVERITIES = {Severity.BLOCKER: "bad", Severity.ERROR: "bad"}
_READINESS = {Readiness.READY: "good", Readiness.NOT_READY: "bad"}
_COVERAGES = {
    Coverage.PASSED: "good",
    Coverage.PARTLY: "good",
    Coverage.FAILED: "bad",
    Coverage.BROKEN: "bad",
}


def overview(
    results: Results, conclusions: Conclusions | None = None, *, diagnostics: str = ""
) -> str:
    """The page, self-contained; `conclusions` are those of `conclude`, where these are known, and
    `diagnostics` the file of diagnostics beside it, "" where there is none."""
    concluded = conclude(results) if conclusions is None else conclusions
    shown = chosen(results, concluded.found, MATRICES)
    order = list(Severity)
    ledger = results.ledger()
    counts = results.counts()
    return markup.filled(
        "overview.html.j2",
        results=results,
        headline=headline(results),
        said=_said(results),
        cluster=_cluster(results),
        diagnostics=diagnostics,
        tests=_counted((one, counts[one]) for one in CaseOutcome) or "no test ran",
        verdicts=verdicts(results)[::-1],
        words=_WORDS,
        classes=CLASSES,
        scoreboard=[
            (c, _counted((one, c.tests[one]) for one in CaseOutcome)) for c in scoreboard(results)
        ],
        unproven_title=closed.TITLE,
        sentences=closed.unproven(results),
        conclusion_title=words.TITLE,
        conclusions=concluded.every,
        conclusions_lead=concluded.lead,
        doubt=words.doubt,
        explains=words.explains,
        remarks=words.remarks,
        to_do=words.to_do,
        left=words.left(concluded),
        problems=concluded.problems,
        hidden=words.HIDDEN,
        applications=by_namespace(results.applications),
        readiness=_READINESS,
        findings=sorted(closed.others(results), key=lambda f: order.index(f.severity)),
        severities=_SEVERITIES,
        drawn=[(m, MatrixTables.of(m.matrix, m.expected)) for m in shown],
        failed=[c for c in results.cases if c.outcome.bad or c.outcome is CaseOutcome.NOT_PROVEN],
        messages=MESSAGES,
        ledger=ledger,
        counted=_counted((one, ledger.count(one)) for one in Coverage),
        coverages=_COVERAGES,
        skipped=_skipped(results),
        slowest=sorted(results.convergences, key=lambda c: -c.seconds),
        times_shown=TIMES,
    )


def _cluster(results: Results) -> str:
    """Which cluster it was, and what was covered."""
    known = dict(results.environment)
    said = (
        known.get("Cluster", ""),
        f"Kubernetes {known['Kubernetes']}" if known.get("Kubernetes") else "",
        known.get("CNI", ""),
        said_count(len(results.facts.nodes), "node") if results.facts else "",
    )
    return ", ".join(filter(None, said))


def _said(results: Results) -> str:
    """Which run this is, and when it was."""
    run = results.run
    when = " to ".join(filter(None, (run.started, run.finished)))
    return ", ".join(filter(None, (f"sixproof {run.harness}", f"run {run.id}", when)))


def _counted(numbers: Iterable[tuple[str, int]]) -> str:
    """``12 passed, 1 skipped``: what there is none of is left out."""
    return ", ".join(f"{number} {kind}" for kind, number in numbers if number)


def _skipped(results: Results) -> dict[Skip, list[str]]:
    """The names of the tests that were skipped for each reason."""
    reasons: dict[Skip, list[str]] = {}
    for case in results.cases:
        if case.outcome is CaseOutcome.SKIPPED:
            reasons.setdefault(Skip(case.reason, case.enable), []).append(case.name)
    return reasons
