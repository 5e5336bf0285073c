"""Lines on a terminal: colour where it is wanted, and only characters that it can show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.text import Text

from sixproof.reporting.pages.styled_line import Line, Tone

_STYLES = {
    Tone.PLAIN: "",
    Tone.HEAD: "bold",
    Tone.GOOD: "green",
    Tone.QUIET: "dim",
    Tone.BAD: "bold red",
    Tone.LEAK: "bold magenta",
    Tone.UNSURE: "yellow",
}


def write(lines: Iterable[Line], stream: TextIO, *, colour: bool | None = None) -> None:
    """Write lines to a stream, never wrapped.

    `colour` None asks the stream and ``NO_COLOR``. A character that the stream's encoding lacks is
    written as its escape instead of failing the run.
    """
    console = Console(
        file=stream,
        force_terminal=colour,
        no_color=None if colour is None else not colour,
        highlight=False,
        soft_wrap=True,
        legacy_windows=False,
    )
    encoding = getattr(stream, "encoding", None) or "utf-8"
    for line in lines:
        text = Text()
        for span in line.spans:
            safe = span.text.encode(encoding, "backslashreplace").decode(encoding)
            text.append(safe, _STYLES[span.tone])
        text.rstrip()
        console.print(text)
