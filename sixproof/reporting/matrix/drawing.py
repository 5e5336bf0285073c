"""Drawings as SVG: bars and words, placed on white."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from sixproof.reporting.matrix.palette import Paint
from sixproof.reporting.pages import markup

CHAR = 7.4
"""Width of a character, wide enough for any monospaced font."""
LINE = 19
PAD = 10
_INK = "#1b1b1f"
FAINT = "#5b5b66"


@dataclasses.dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle; x and y are its upper left corner."""

    x: float
    y: float
    width: float
    height: int
    paint: Paint


@dataclasses.dataclass(frozen=True, slots=True)
class Words:
    """A line of text; x is its start, or its middle, and y its baseline."""

    x: float
    y: float
    text: str
    fill: str = _INK
    middle: bool = False
    bold: bool = False


Shape = Bar | Words


@dataclasses.dataclass(frozen=True, slots=True)
class Drawing:
    """A picture of its own size, in pixels."""

    title: str
    width: float
    height: float
    shapes: Sequence[Shape]

    def svg(self) -> str:
        """The picture."""
        return markup.filled("drawing.svg.j2", drawing=self)
