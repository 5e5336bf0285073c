"""The words of a comparison, the same in terminal, page and JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from sixproof.kube.api.json_fields import one_line
from sixproof.reporting.compare.cells import CellChange, EdgeClassChanges
from sixproof.reporting.compare.comparison import RunComparison, TimeChange
from sixproof.reporting.compare.differences import ComparedItem, ComparedKind, Difference
from sixproof.reporting.compare.known_failures import KnownFailures
from sixproof.reporting.diagnosis.pattern import said_count, said_list
from sixproof.reporting.pages.styled_text import Tone
from sixproof.reporting.results.test_record import RunRecord

LONGEST = 400
"""Characters of a line; what a file holds has no end of its own."""
NOTHING = "-"
_TONES = {
    Difference.NEW: Tone.BAD,
    Difference.CHANGED: Tone.UNSURE,
    Difference.STILL: Tone.QUIET,
    Difference.GONE: Tone.GOOD,
    Difference.NOT_COMPARED: Tone.UNSURE,
}
_TITLES = {
    Difference.NEW: "New",
    Difference.CHANGED: "Changed",
    Difference.STILL: "Still there",
    Difference.GONE: "Gone",
    Difference.NOT_COMPARED: "Not comparable",
}
_SIGNS = {
    Difference.NEW: "!",
    Difference.CHANGED: "~",
    Difference.STILL: "=",
    Difference.GONE: "+",
    Difference.NOT_COMPARED: "?",
}


@dataclasses.dataclass(frozen=True, slots=True)
class ComparedRow:
    """A line of a page: its sign, what it is about, what is said, and what the difference is."""

    sign: str
    label: str
    said: str
    why: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ComparedSection:
    """A section of a page; `lead` says what it means, "" where its title says it."""

    title: str
    rows: tuple[ComparedRow, ...]
    tone: Tone = Tone.HEAD
    lead: str = ""


def runs(comparison: RunComparison) -> str:
    """Which runs are compared."""
    return f"{_run(comparison.before)}, then {_run(comparison.after)}"


def _run(run: RunRecord) -> str:
    return one_line(f"run {run.id}" + (f" of {run.started}" if run.started else ""), 100)


def outcome(comparison: RunComparison) -> str:
    """What a comparison comes to, in a sentence."""
    if comparison.obstacle:
        return one_line(f"These runs cannot be compared: {comparison.obstacle}", LONGEST)
    failures = comparison.failures
    if failures.worse:
        said = [_new(failures), _unmeasured(failures), _blocked(failures), _known(failures)]
        text = "; ".join(filter(None, said))
        return one_line(f"{text[:1].upper()}{text[1:]}", LONGEST)
    if not failures.passed:
        return "No new failure, and no test passed: nothing is shown"
    known = _known(failures)
    return f"No new failure; {known}" if known else "No failure"


def _new(failures: KnownFailures) -> str:
    """``new failures: 2 tests and 1 port of applications``."""
    parts = [said_count(len(failures.new), "test")] if failures.new else []
    if number := len(failures.ports):
        parts.append(f"{said_count(number, 'port')} of applications")
    return f"new failures: {said_list(parts)}" if parts else ""


def _unmeasured(failures: KnownFailures) -> str:
    number = len(failures.unmeasured)
    return f"{said_count(number, 'test')} came to no verdict" if number else ""


def _blocked(failures: KnownFailures) -> str:
    """The first finding that left something unmeasured; all of them are items."""
    subjects = [one_line(finding.subject, 80) for finding in failures.blocked]
    return f"not all could be measured ({subjects[0]})" if subjects else ""


def _known(failures: KnownFailures) -> str:
    number = len(failures.known)
    verb = "fails" if number == 1 else "fail"
    return f"{said_count(number, 'test')} {verb} as before" if number else ""


def exit_reason(comparison: RunComparison, *, excused: bool, why_not: str = "") -> str:
    """Why a run that fails on new failures alone ends as it does. `why_not` is what else keeps it
    from being excused."""
    if excused:
        number = len(comparison.failures.known)
        return (
            f"Exit status 0: {said_count(number, 'test')} did not pass, and did not in run "
            f"{one_line(comparison.before.id, 40)} either; nothing is new (--six-fail-on new)"
        )
    if why_not:
        return f"Not excused by the baseline (--six-fail-on new): {why_not}"
    return f"Not excused by the baseline (--six-fail-on new): {outcome(comparison)}"


def sections(comparison: RunComparison) -> tuple[ComparedSection, ...]:
    """What a page says, in its order; sections without rows are left out."""
    found = (
        ComparedSection("Notes", tuple(_notes(comparison)), Tone.UNSURE),
        *(_of_difference(comparison, which) for which in Difference),
        ComparedSection("Results by class of edge", tuple(_classes(comparison.classes))),
        ComparedSection("Time until a change took effect", tuple(_times(comparison.times))),
        ComparedSection("What else differs", tuple(_surroundings(comparison))),
        ComparedSection("Verdict", tuple(_verdicts(comparison))),
    )
    return tuple(section for section in found if section.rows)


def _notes(comparison: RunComparison) -> Iterator[ComparedRow]:
    for note in comparison.notes:
        yield _row("?", "", note)


_LEADS = {
    Difference.NOT_COMPARED: "not measured in one of the two runs: neither new nor gone",
    Difference.GONE: "measured again, and right",
}


def _of_difference(comparison: RunComparison, which: Difference) -> ComparedSection:
    rows = (_item(one) for one in comparison.of_difference(which))
    return ComparedSection(_TITLES[which], tuple(rows), _TONES[which], _LEADS.get(which, ""))


def _item(one: ComparedItem) -> ComparedRow:
    label = "" if one.kind is ComparedKind.CAUSE else one.kind.value
    return _row(_SIGNS[one.difference], label, one.said, one.why)


def _row(sign: str, label: str, said: str, why: str = "") -> ComparedRow:
    return ComparedRow(sign, label, one_line(said, LONGEST), one_line(why, LONGEST) if why else "")


_CELL_WORDS = {
    CellChange.NEW: "newly wrong",
    CellChange.UNKNOWN_BEFORE: "wrong, not measured before",
    CellChange.CHANGED: "wrong in another way",
    CellChange.STILL: "still wrong",
    CellChange.GONE: "right again",
    CellChange.DRAWN: "differ by the backend that was drawn",
    CellChange.WRONG_UNMEASURED: "were wrong, not measured now",
    CellChange.RIGHT_UNMEASURED: "were right, not measured now",
    CellChange.ONLY_NOW: "right, not measured before",
    CellChange.RIGHT: "right in both",
}


def _classes(classes: Iterable[EdgeClassChanges]) -> Iterator[ComparedRow]:
    for row in classes:
        if not row.moved and not row.counts.get(CellChange.STILL):
            continue
        counts = [f"{row.counts[c]} {said}" for c, said in _CELL_WORDS.items() if row.counts.get(c)]
        label = f"{row.family} {row.kind.value}, {row.edge_class}"
        examples = f"new: {'; '.join(row.examples)}" if row.examples else ""
        yield _row(_sign(row), label, ", ".join(counts), examples)


def _sign(row: EdgeClassChanges) -> str:
    if any(which.arisen for which in row.counts):
        return _SIGNS[Difference.NEW]
    if row.counts.get(CellChange.GONE):
        return _SIGNS[Difference.GONE]
    return _SIGNS[Difference.NOT_COMPARED if row.moved else Difference.STILL]


def _times(times: Iterable[TimeChange]) -> Iterator[ComparedRow]:
    for one in times:
        said = (
            f"median {one.before:.1f} s, then {one.after:.1f} s "
            f"({said_count(one.number, 'change')} that both runs made)"
        )
        why = ""
        if one.worst:
            what, was, now = one.worst
            why = f"slower: {what}, {was:.1f} s, then {now:.1f} s"
        yield _row("~" if one.worst else " ", one.family or "both families", said, why)


def _surroundings(comparison: RunComparison) -> Iterator[ComparedRow]:
    for one in comparison.surroundings:
        before, after = one.before or NOTHING, one.after or NOTHING
        yield _row("~", one_line(one.name, 60), f"{before}, then {after}")


def _verdicts(comparison: RunComparison) -> Iterator[ComparedRow]:
    for one in comparison.verdicts:
        before, after = one.before or NOTHING, one.after or NOTHING
        said = f"{after}, as before" if one.before is one.after else f"{before}, then {after}"
        yield _row(" " if one.before is one.after else "~", one.family.value, said)
