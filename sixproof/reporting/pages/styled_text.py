"""Lines of report text whose parts carry a tone, so that one layout serves terminal and file.

The only importer of rich: a line is its `Text`, whose styles are tones.
"""

from __future__ import annotations

import enum
import io
import textwrap
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text
from rich.theme import Theme

__all__ = ["Text", "Tone", "folded", "plain", "rendered"]


class Tone(enum.StrEnum):
    """What a part of a line says, apart from its words; the terminal turns it into colour."""

    HEAD = "head"
    GOOD = "good"
    QUIET = "quiet"
    BAD = "bad"
    LEAK = "leak"
    UNSURE = "unsure"


_THEME = Theme(
    {
        Tone.HEAD: "bold",
        Tone.GOOD: "green",
        Tone.QUIET: "dim",
        Tone.BAD: "bold red",
        Tone.LEAK: "bold magenta",
        Tone.UNSURE: "yellow",
    },
    inherit=False,
)


def folded(lead: Text, text: str, width: int, tone: str = "") -> Iterator[Text]:
    """Text behind a lead, folded to the width in characters, its lines below each other; nothing
    for no text."""
    parts = textwrap.wrap(text, max(40, width - len(lead)), break_on_hyphens=False)
    for number, part in enumerate(parts):
        yield Text.assemble(" " * len(lead) if number else lead, (part, tone))


def plain(lines: Iterable[Text]) -> str:
    """The lines as one text that ends with a newline, empty for no lines; no trailing blanks."""
    return "".join(f"{line.plain.rstrip()}\n" for line in lines)


def rendered(lines: Iterable[Text], *, colour: bool, encoding: str = "utf-8") -> str:
    """Lines for a terminal, never wrapped. A character that its encoding lacks is written as its
    escape instead of failing the run."""
    console = Console(
        file=io.StringIO(),
        force_terminal=colour,
        no_color=not colour,
        highlight=False,
        soft_wrap=True,
        legacy_windows=False,
        theme=_THEME,
    )
    with console.capture() as written:
        for line in lines:
            shown = line.copy()
            shown.rstrip()
            console.print(shown)
    return written.get().encode(encoding, "backslashreplace").decode(encoding)
