"""Lines of report text whose parts carry a tone, so that one layout serves terminal and file."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable


class Tone(enum.StrEnum):
    """What a part of a line says, apart from its words; the terminal turns it into colour."""

    PLAIN = "plain"
    HEAD = "head"
    GOOD = "good"
    QUIET = "quiet"
    BAD = "bad"
    LEAK = "leak"
    UNSURE = "unsure"


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """A piece of one line."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One line; `str()` is its plain text without trailing blanks."""

    spans: tuple[Span, ...] = ()

    @classmethod
    def of(cls, text: str = "", tone: Tone = Tone.PLAIN) -> Line:
        """A line of one tone."""
        return cls((Span(text, tone),))

    def __add__(self, other: Line) -> Line:
        return Line(self.spans + other.spans)

    def __str__(self) -> str:
        return "".join(span.text for span in self.spans).rstrip()


def plain(lines: Iterable[Line]) -> str:
    """The lines as one text that ends with a newline, empty for no lines."""
    return "".join(f"{line}\n" for line in lines)
