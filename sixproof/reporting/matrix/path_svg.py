"""Paths as SVG: one bar per hop, as wide as its MTU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sixproof.agent.protocol import Event
from sixproof.probes.pmtu.path_run import PathResult
from sixproof.reporting.matrix.drawing import CHAR, LINE, PAD, Bar, Drawing, Shape, Words
from sixproof.reporting.matrix.grid import CellState
from sixproof.reporting.matrix.palette import PAINTS
from sixproof.reporting.matrix.path_text import narrower, sizes

_SCALE = 0.25
"""Pixels a byte."""


def paths_svg(title: str, path_results: Sequence[PathResult], notes: Sequence[str] = ()) -> str:
    """One picture of many paths; `notes` hold a line for each, empty ones are left out."""
    widest = max((hop.mtu for p in path_results for hop in p.path.hops), default=1500)
    labels = [_label(p, i) for p in path_results for i in range(len(p.path.hops))]
    texts = [*(sizes(p) for p in path_results), *notes, title]
    left = PAD + max(map(len, labels), default=0) * CHAR + PAD
    width = max(left + widest * _SCALE + 60 * CHAR, max(map(len, texts)) * CHAR + 3 * PAD)
    rows = sum(len(p.path.hops) + 3 for p in path_results) + 1 + len(notes)
    height = rows * LINE + 2 * PAD
    shapes = tuple(_rows(title, path_results, notes, left))
    return Drawing(title, width, height, shapes).svg()


def _rows(
    title: str, path_results: Sequence[PathResult], notes: Sequence[str], left: float
) -> Iterator[Shape]:
    y = PAD + LINE * 0.7
    yield Words(PAD, y, title, bold=True)
    for number, path_result in enumerate(path_results):
        note = notes[number] if number < len(notes) else ""
        y += LINE * 1.5
        yield Words(PAD, y, path_result.name, bold=True)
        narrowest = path_result.path.narrowest if narrower(path_result) else None
        for index, hop in enumerate(path_result.path.hops):
            y += LINE
            broken = hop is narrowest and _loses(path_result)
            paint = PAINTS[CellState.FAILS if broken else CellState.WORKS]
            yield Words(PAD, y, _label(path_result, index))
            yield Bar(left, y - 12, hop.mtu * _SCALE, 15, paint)
            yield Words(left + 6, y, str(hop.mtu), paint.text)
            mark = "<- narrowest" if hop is narrowest else ""
            yield Words(left + hop.mtu * _SCALE + 8, y, "  ".join(filter(None, (hop.why, mark))))
        y += LINE
        yield Words(PAD, y, sizes(path_result))
        if note:
            y += LINE
            yield Words(PAD, y, note)
        y += LINE * 0.5


def _loses(path_result: PathResult) -> bool:
    """Whether anything large was lost without a word."""
    sent = (path_result.first, *path_result.pattern[-1:], path_result.beyond)
    return any(s.event == Event.SILENT for s in sent) or path_result.first.event != Event.ECHOED


def _label(path_result: PathResult, index: int) -> str:
    hop = path_result.path.hops[index]
    return f"{hop.where} {hop.device}"
