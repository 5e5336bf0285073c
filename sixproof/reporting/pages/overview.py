"""overview.html: the page that a reviewer reads first. It needs neither Node nor Allure.

Verdict a family, what fails and where, findings, matrices, failing tests, the guide's coverage,
skips, times, environment; in that order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from sixproof.model import Finding, Severity
from sixproof.reporting.diagnosis.faults import Fault, chosen, faults
from sixproof.reporting.diagnosis.verdicts import Word, headline, verdicts
from sixproof.reporting.matrix.html_table import matrix_html
from sixproof.reporting.pages.html_frame import page, section, table, toned
from sixproof.reporting.results import closed
from sixproof.reporting.results.ledger import Coverage, Entry
from sixproof.reporting.results.matrix_record import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.skip import Skip
from sixproof.reporting.results.test_record import CaseOutcome

MATRICES = 12
MESSAGES = 40
_WORDS = {Word.WORKS: "works", Word.BROKEN: "broken"}
_COVERAGE = {
    Coverage.PASSED: "good",
    Coverage.PARTLY: "good",
    Coverage.FAILED: "bad",
    Coverage.BROKEN: "bad",
}


def overview(results: Results) -> str:
    """The page, self-contained."""
    found = faults(results)
    bodies = {
        closed.TITLE: _unproven(results),
        "What fails, and where": _faults(found),
        "Findings": _findings(closed.others(results)),
        "Matrices": _matrices(results, found),
        "Tests that did not pass": _failures(results),
        "Known of this cluster": _limits(results),
        "Coverage of the guide": _coverage(results),
        "Skipped, and how to enable": _skips(results),
        "Time until a change showed": _times(results),
        "Environment": _environment(results),
        "Not read": (f"<p>{escape(text)}</p>" for text in results.damaged),
    }
    told = {title: section(_anchor(title), title, body) for title, body in bodies.items()}
    sections = {title: text for title, text in told.items() if text}
    links = (f'<a href="#{_anchor(title)}">{escape(title)}</a>' for title in sections)
    parts = (_head(results), f"<nav>{''.join(links)}</nav>", *sections.values())
    return page(f"sixproof {results.run.id}: {headline(results)}", parts)


def _anchor(title: str) -> str:
    return title.partition(",")[0].lower().replace(" ", "-")


def _head(results: Results) -> str:
    run = results.run
    counts = results.counts()
    tests = ", ".join(f"{counts[o]} {o}" for o in CaseOutcome if counts[o]) or "no test ran"
    when = " to ".join(filter(None, (run.started, run.finished)))
    cards = "".join(
        f'<div class="verdict {_WORDS.get(v.word, "unsure")}"><b>{v.family} {v.word}</b>'
        f"{escape(v.reason)}</div>"
        for v in reversed(verdicts(results))
    )
    said = ", ".join(filter(None, (f"sixproof {run.harness}", f"run {run.id}", when)))
    return (
        f"<header><h1>Does IPv6 work in this cluster?</h1>"
        f'<p class="mute">{escape(said)}, {run.seconds:.0f} s</p></header>\n'
        f'<div class="verdicts">{cards}</div>\n<p>Tests: {escape(tests)}</p>'
    )


def _unproven(results: Results) -> Iterator[str]:
    for sentence in closed.unproven(results):
        yield f'<div class="fault unsure"><p><b>{escape(sentence)}</b></p></div>'


def _faults(found: Sequence[Fault]) -> Iterator[str]:
    for fault in found:
        tags = "".join(f'<span class="tag">{escape(c)}</span>' for c in fault.categories)
        contrasts = "; ".join(fault.contrasts)
        beside = f"<p>{escape(contrasts)}</p>" if contrasts else ""
        seen = escape(fault.where_seen)
        kind = "fault" if fault.measured else "fault unsure"
        yield (
            f'<div class="{kind}"><p><b>{escape(fault.pattern.fact)}</b></p>{beside}'
            f'<p class="mute">{tags}{seen}</p></div>'
        )


def _findings(findings: tuple[Finding, ...]) -> Iterator[str]:
    order = list(Severity)
    bad = (Severity.BLOCKER, Severity.ERROR)
    rows = [
        (
            toned(f.severity.value, "bad" if f.severity in bad else "unsure"),
            f"<code>{escape(f.code)}</code>" + (f"<br>{escape(f.title)}" if f.title else ""),
            escape(f.subject),
            escape(f.seen) + (f"<br>wanted: {escape(f.wanted)}" if f.wanted else ""),
            f"<code>{escape(f.remedy)}</code>" if f.remedy else "",
        )
        for f in sorted(findings, key=lambda f: order.index(f.severity))
    ]
    yield table(("Severity", "Check", "Where", "Seen", "Remedy"), rows)


def _matrices(results: Results, found: Sequence[Fault]) -> Iterator[str]:
    """The telling ones drawn, always on white: on black, pale cells would outshine wrong ones."""
    shown = chosen(results, found, MATRICES)
    for measured in shown:
        yield f"<h3>{escape(measured.matrix.title)}</h3>"
        yield f'<p class="mute">{escape(measured.test)}</p>' if measured.test else ""
        yield f'<div class="sheet">{matrix_html(measured.matrix, measured.expected)}</div>'
    if len(results.matrices) > len(shown):
        rows = [_matrix_row(measured) for measured in results.matrices]
        heads = ("Matrix", "Cells", "Wrong", "Test")
        yield (
            f"<details><summary>All {len(rows)} matrices, as numbers</summary>"
            f"{table(heads, rows)}</details>"
        )


def _matrix_row(measured: Measured) -> tuple[str, ...]:
    wrong = len(measured.disagreements())
    return (
        escape(measured.matrix.title),
        f'<td class="num">{len(measured.matrix.cells)}</td>',
        f'<td class="num {"bad" if wrong else ""}">{wrong}</td>',
        f"<code>{escape(measured.test)}</code>",
    )


def _failures(results: Results) -> Iterator[str]:
    unproven = CaseOutcome.NOT_PROVEN
    bad = [case for case in results.cases if case.outcome.bad or case.outcome is unproven]
    for number, case in enumerate(bad[:MESSAGES]):
        state = " open" if number < 3 else ""
        yield (
            f'<details{state}><summary><span class="tag">{case.outcome}</span>'
            f"<b>{escape(case.name)}</b> <code>{escape(case.nodeid)}</code></summary>"
            f"<pre>{escape(case.message or case.reason or 'no message')}</pre></details>"
        )
    if len(bad) > MESSAGES:
        yield f"<p>{len(bad) - MESSAGES} more in results.json and in the Allure report.</p>"


def _limits(results: Results) -> Iterator[str]:
    rows = [(escape(case.name), escape(case.reason)) for case in results.limits()]
    yield table(("Test that fails as it must here", "Why"), rows)


def _coverage(results: Results) -> Iterator[str]:
    ledger = results.ledger()
    counted = ((coverage, ledger.count(coverage)) for coverage in Coverage)
    yield f"<p>{', '.join(f'{number} {coverage}' for coverage, number in counted if number)}</p>"
    if ledger.unknown:
        yield f"<p>Codes that no row has: {escape(', '.join(ledger.unknown))}</p>"
    yield table(("Row", "What must hold", "Result", "Tests"), map(_coverage_row, ledger.entries))


def _coverage_row(entry: Entry) -> tuple[str, ...]:
    why = "; ".join(map(str, entry.skips))
    cases = f"cases {', '.join(code.partition('/')[2] for code in entry.finer)}"
    said = [entry.tally(), cases if entry.finer else "", why]
    return (
        escape(entry.row.code),
        escape(entry.row.title),
        toned(entry.coverage.value, _COVERAGE.get(entry.coverage, "unsure")),
        "<br>".join(escape(text) for text in said if text),
    )


def _skips(results: Results) -> Iterator[str]:
    reasons: dict[Skip, list[str]] = {}
    for case in results.cases:
        if case.outcome is CaseOutcome.SKIPPED:
            reasons.setdefault(Skip(case.reason, case.enable), []).append(case.name)
    rows = [
        (
            f'<td class="num">{len(names)}</td>',
            escape(skip.reason or "no reason was given"),
            f"<code>{escape(skip.enable)}</code>" if skip.enable else "not on this cluster",
            escape(", ".join(names[:3]) + (" ..." if len(names) > 3 else "")),
        )
        for skip, names in reasons.items()
    ]
    yield table(("Tests", "Why", "Enable with", "Which"), rows)


def _times(results: Results) -> Iterator[str]:
    slowest = sorted(results.convergences, key=lambda c: -c.seconds)
    rows = [
        (
            escape(c.what),
            c.family.value if c.family else "both",
            f'<td class="num">{c.seconds:.1f} s</td>',
            f'<td class="num">{c.rounds or ""}</td>',
        )
        for c in slowest[:20]
    ]
    yield table(("Change", "Family", "Time", "Rounds"), rows)
    if len(slowest) > len(rows):
        yield f"<p>The slowest {len(rows)} of {len(slowest)}.</p>"


def _environment(results: Results) -> Iterator[str]:
    yield table((), ((escape(name), escape(value)) for name, value in results.environment))
