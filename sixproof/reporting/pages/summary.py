"""What the terminal says at the end of a run, and summary.txt keeps."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from sixproof.model import Family, Finding, Severity
from sixproof.reporting.conclusion import words
from sixproof.reporting.conclusion.conclude import conclude
from sixproof.reporting.conclusion.conclusion import Conclusion, Conclusions
from sixproof.reporting.diagnosis.faults import FailingPlace, chosen
from sixproof.reporting.diagnosis.pattern import said_count
from sixproof.reporting.diagnosis.verdicts import verdicts
from sixproof.reporting.matrix.text import matrix_lines
from sixproof.reporting.pages.scoreboard import TONES, Concern, scoreboard
from sixproof.reporting.pages.styled_text import Text, Tone, folded
from sixproof.reporting.results import closed
from sixproof.reporting.results.application_record import Readiness, by_namespace
from sixproof.reporting.results.ledger import Coverage
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.skip import Skip
from sixproof.reporting.results.test_record import CaseOutcome, Convergence

MATRICES = 3
CONCLUSIONS = 8
CASES = 3
APPLICATIONS = 10
"""Ports of one namespace that are not ready."""
_SEVERITIES = {Severity.BLOCKER: Tone.BAD, Severity.ERROR: Tone.BAD, Severity.WARNING: Tone.UNSURE}
_OUTCOMES = {
    CaseOutcome.PASSED: Tone.GOOD,
    CaseOutcome.FAILED: Tone.BAD,
    CaseOutcome.BROKEN: Tone.BAD,
    CaseOutcome.NOT_PROVEN: Tone.UNSURE,
}


def summary_lines(
    results: Results,
    *,
    width: int = 100,
    reports: Mapping[str, Path] | None = None,
    conclusions: Conclusions | None = None,
) -> tuple[Text, ...]:
    """The conclusion, matrices, findings, skips, times, coverage, verdicts and where reports are.

    `conclusions` are those of `conclude`, where the caller has them. The verdicts come last, next
    to the prompt.
    """
    concluded = conclude(results) if conclusions is None else conclusions
    unproven = (closed.TITLE, list(_unproven(results, width)))
    conclusion = (words.TITLE, list(_conclusions(concluded, width)))
    sections = (
        *((conclusion, unproven) if concluded.lead else (unproven, conclusion)),
        ("", list(_matrices(results, concluded.found, width))),
        ("Applications", list(_applications(results, width))),
        ("Findings", list(_findings(closed.others(results), width))),
        ("Known limitations of this cluster", list(_limits(results, width))),
        ("Skipped", list(_skips(results))),
        ("Time until a change took effect", list(_convergences(results.convergences))),
        (
            "Results that could not be read",
            [Text(f"  {text}", Tone.UNSURE) for text in results.damaged],
        ),
        ("Scoreboard", list(_scoreboard(scoreboard(results)))),
        ("Verdict", list(_verdicts(results, width))),
        ("Reports", list(_reports(reports or {}))),
    )
    lines: list[Text] = []
    for title, body in sections:
        if body:
            lines += [*([Text()] if lines else []), *([Text(title, Tone.HEAD)] * bool(title))]
            lines += body
    return tuple(lines)


def _unproven(results: Results, width: int) -> Iterator[Text]:
    for sentence in closed.unproven(results):
        yield from folded(Text("  ? ", Tone.UNSURE), sentence, width)


def _matrices(results: Results, found: Sequence[FailingPlace], width: int) -> Iterator[Text]:
    shown = chosen(results, found, MATRICES)
    for index, measured in enumerate(shown):
        if index:
            yield Text()
        yield from matrix_lines(measured.matrix, measured.expected, width=width)
    if left := len(results.matrices) - len(shown):
        others = [m for m in results.unexcused() if not any(m is one for one in shown)]
        bad = [cells for m in others if (cells := m.disagreements())]
        wrong = sum(any(d.observation.outcome.measured for d in cells) for cells in bad)
        unknown = len(bad) - wrong
        said = [f"{wrong} of them with wrong cells"] * bool(wrong)
        said += [f"{unknown} not measured in full"] * bool(unknown)
        more = "more " if shown else ""
        yield Text(f"{left} {more}matrices, {', '.join(said) or 'all as expected'}", Tone.QUIET)


def _conclusions(concluded: Conclusions, width: int) -> Iterator[Text]:
    for conclusion in concluded.every[:CONCLUSIONS]:
        yield from _conclusion(conclusion, width)
    if len(concluded.every) > CONCLUSIONS:
        left = len(concluded.every) - CONCLUSIONS
        yield Text(f"  ... and {left} more, see the overview", Tone.QUIET)
    if unexplained := words.left(concluded):
        yield from folded(Text("  - ", Tone.UNSURE), unexplained, width)
    for problem in concluded.problems:
        yield from folded(Text("  - ", Tone.QUIET), problem, width)


def _conclusion(conclusion: Conclusion, width: int) -> Iterator[Text]:
    """The cause, what to do, how sure it is, what shows it, and what it explains; of what has no
    known cause the place."""
    tone = Tone.BAD if conclusion.measured else Tone.UNSURE
    sign = "!" if conclusion.measured else "?"
    yield from folded(Text(f"  {sign} ", tone), conclusion.headline, width)
    for label, line in _said(conclusion):
        lead = Text(f"      {label:<9} ", Tone.QUIET)
        if isinstance(line, str):
            yield from folded(lead, line, width)
        else:  # a command is copied: no line break of ours may be in it
            yield lead + Text(str(line))


def _said(conclusion: Conclusion) -> Iterator[words.Remark]:
    """What is below a first line: labels and lines."""
    yield from words.to_do(conclusion)
    if doubt := words.doubt(conclusion):
        yield "how sure", doubt
    yield from words.remarks(conclusion)
    if conclusion.known:
        yield from (("explains", line) for line in words.explains(conclusion))
    elif conclusion.faults:
        yield "seen in", conclusion.faults[0].where_seen.removeprefix("seen in ")
    else:
        yield from (("test", case.name) for case in conclusion.cases[:CASES])
    if not conclusion.alone:
        yield "note", words.HIDDEN


def _applications(results: Results, width: int) -> Iterator[Text]:
    """Each namespace with its score, and each of its ports that is not ready with the reason."""
    for one in by_namespace(results.applications):
        tone = Tone.GOOD if one.asked and one.ready == one.asked else Tone.UNSURE
        yield Text(f"  {one.namespace}: {one.score}", tone)
        fine = (Readiness.READY, Readiness.NOT_ASKED)
        bad = [row for row in one.rows if row.readiness not in fine]
        for row in bad[:APPLICATIONS]:
            lead = Text("    ! ", Tone.BAD)
            said = f"{row.service} {row.port}: {'; '.join(row.problems)}"
            said += f" ({'; '.join(row.remedies)})" if row.remedies else ""
            yield from folded(lead, said, width)
        if len(bad) > APPLICATIONS:
            yield Text(f"    ... and {len(bad) - APPLICATIONS} more, see the overview", Tone.QUIET)


def _findings(findings: Iterable[Finding], width: int) -> Iterator[Text]:
    order = list(Severity)
    for finding in sorted(findings, key=lambda f: order.index(f.severity)):
        tone = _SEVERITIES.get(finding.severity, Tone.QUIET)
        lead = Text(f"  {finding.severity:<7} ", tone)
        yield from folded(lead, f"[{finding.code}] {finding}", width)


def _limits(results: Results, width: int) -> Iterator[Text]:
    """Tests that fail because of a known limit of this cluster, with the reason."""
    for case in results.limits():
        yield from folded(Text("  ~ ", Tone.UNSURE), f"{case.name}: {case.reason}", width)


def _skips(results: Results) -> Iterator[Text]:
    """Every reason once, with how many tests it keeps from running and what would enable them."""
    reasons: dict[Skip, int] = {}
    for case in results.cases:
        if case.outcome is CaseOutcome.SKIPPED:
            skip = Skip(case.reason, case.enable)
            reasons[skip] = reasons.get(skip, 0) + 1
    for skip, number in sorted(reasons.items(), key=lambda item: -item[1]):
        yield Text(f"  {number:>4}  {skip.reason or 'no reason was given'}")
        if skip.enable:
            yield Text(f"        enable: {skip.enable}", Tone.QUIET)


def _convergences(convergences: Iterable[Convergence]) -> Iterator[Text]:
    groups: dict[Family | None, list[Convergence]] = {}
    for convergence in convergences:
        groups.setdefault(convergence.family, []).append(convergence)
    for family, group in sorted(groups.items(), key=lambda item: str(item[0])):
        times = [c.seconds for c in group]
        worst = max(group, key=lambda c: c.seconds)
        yield Text(
            f"  {family or 'both families'}: median {statistics.median(times):.1f} s, "
            f"worst {worst.seconds:.1f} s ({worst.what}), {said_count(len(group), 'change')}"
        )


def _scoreboard(concerns: Sequence[Concern]) -> Iterator[Text]:
    """A line per suite; of one suite alone the verdict says all."""
    if len(concerns) < 2:
        return
    widest = max(len(concern.name) for concern in concerns)
    families = list(concerns[0].words)
    yield Text(f"  {'':<{widest}}  {''.join(f'{f:<14}' for f in families)}tests", Tone.QUIET)
    for concern in concerns:
        line = Text(f"  {concern.name:<{widest}}  ")
        for family in families:
            said = concern.words[family]
            line.append(f"{said:<14}", TONES[said])
        yield line + Text(", ".join(f"{n} {o}" for o in CaseOutcome if (n := concern.tests[o])))


def _verdicts(results: Results, width: int) -> Iterator[Text]:
    for verdict in verdicts(results):
        word = f"{verdict.word:<12}", TONES[verdict.word]
        lead = Text.assemble(f"  {verdict.family}  ", word, "  ")
        yield from folded(lead, verdict.reason, width)
    counts = results.counts()
    tests = [Text(f"{counts[o]} {o}", _OUTCOMES.get(o, "")) for o in CaseOutcome if counts[o]]
    if tests:
        yield Text("  Tests  ") + Text(", ").join(tests)
    yield _coverage(results)


def _reports(reports: Mapping[str, Path]) -> Iterator[Text]:
    widest = max(map(len, reports), default=0)
    for name, path in reports.items():
        yield Text(f"  {name:<{widest}}  {path}")


def _coverage(results: Results) -> Text:
    ledger = results.ledger()
    counts = ((coverage, ledger.count(coverage)) for coverage in Coverage)
    said = ", ".join(f"{number} {coverage}" for coverage, number in counts if number)
    unknown = f"; codes without a row: {', '.join(ledger.unknown)}" if ledger.unknown else ""
    return Text(f"  Guide  {len(ledger.entries)} rows: {said}{unknown}")
