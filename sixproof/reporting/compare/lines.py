"""A comparison in the terminal, and as text in a file."""

from __future__ import annotations

from collections.abc import Iterator

from sixproof.reporting.compare import wording
from sixproof.reporting.compare.comparison import RunComparison
from sixproof.reporting.compare.wording import ComparedRow, ComparedSection
from sixproof.reporting.diagnosis.pattern import said_count
from sixproof.reporting.pages.styled_text import Text, Tone, folded

ROWS = 12
"""Lines of a section that a terminal has room for; all of them are on the page."""
CALM_ROWS = 4
"""The same of what is still there, which a reader knows."""


def compared_lines(
    comparison: RunComparison, *, width: int = 100, every: bool = False, status: str = ""
) -> tuple[Text, ...]:
    """The comparison in lines of at most `width` characters: what is new first, what it comes to
    last, next to the prompt. `every` leaves nothing out; `status` is what it means for the
    exit status of a run."""
    lines = list(folded(Text("Compared: ", Tone.HEAD), wording.runs(comparison), width))
    for section in wording.sections(comparison):
        lines += [Text(), *_title(section, width)]
        most = len(section.rows) if every else _room(section)
        for row in section.rows[:most]:
            lines += _row(row, section, width)
        if (left := len(section.rows) - most) > 0:
            lines.append(Text(f"  ... and {said_count(left, 'more line')}", Tone.QUIET))
    tone = Tone.BAD if comparison.worse or comparison.obstacle else Tone.HEAD
    lines += [Text(), *folded(Text(), wording.outcome(comparison), width, tone)]
    return (*lines, *(folded(Text(), status, width, Tone.HEAD) if status else ()))


def _title(section: ComparedSection, width: int) -> Iterator[Text]:
    title = Text(f"{section.title} ", Tone.HEAD)
    if section.lead:
        return folded(title, f"({section.lead})", width, Tone.QUIET)
    return iter((title,))


def _room(section: ComparedSection) -> int:
    return CALM_ROWS if section.tone is Tone.QUIET else ROWS


def _row(row: ComparedRow, section: ComparedSection, width: int) -> Iterator[Text]:
    said = f"{row.label}: {row.said}" if row.label else row.said
    tone = "" if section.tone is Tone.HEAD else section.tone
    yield from folded(Text(f"  {row.sign} ", tone), said, width)
    if row.why:
        yield from folded(Text(" " * 6), row.why, width, Tone.QUIET)
