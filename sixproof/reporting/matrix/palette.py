"""Colours of cells, distinct for readers who cannot tell red from green, and in grey print.

What is as expected is pale, what is wrong is dark; the letter says the rest. Every colour brings
its own text colour (contrast at least 4.5 to 1), so a page may be light or dark around it.
"""

from __future__ import annotations

import dataclasses

from sixproof.reporting.matrix.grid import CellState


@dataclasses.dataclass(frozen=True, slots=True)
class Paint:
    """Background, text and border of a cell, as CSS colours."""

    fill: str
    text: str
    border: str

    @property
    def css(self) -> str:
        """The inline style of a cell."""
        return f"background:{self.fill};color:{self.text};border:1px solid {self.border}"


_WRONG = Paint("#a63603", "#ffffff", "#5c1d00")
PAINTS = {
    CellState.WORKS: Paint("#d6e8f7", "#0b3a5e", "#a9c7e0"),
    CellState.DENIED: Paint("#e6e6ea", "#3f3f4a", "#c4c4cc"),
    CellState.CLOSED: Paint("#f4f4f6", "#5b5b66", "#c4c4cc"),
    CellState.BLOCKED: _WRONG,
    CellState.LEAK: Paint("#5e2a84", "#ffffff", "#2f0f47"),
    CellState.OTHER: Paint("#7a5200", "#ffffff", "#3d2900"),
    CellState.FAILS: _WRONG,
    CellState.UNKNOWN: Paint("#fff2b3", "#3d3000", "#b59a00"),
}
NOT_ASKED = Paint("transparent", "inherit", "transparent")
