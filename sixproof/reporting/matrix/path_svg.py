"""Paths as SVG: a bar a hop, as wide as its MTU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from sixproof.agent.protocol import Event
from sixproof.probes.pmtu.probe import PathResult
from sixproof.reporting.matrix.grid import Standing
from sixproof.reporting.matrix.palette import PAINTS
from sixproof.reporting.matrix.path_text import narrower, sizes

_LINE, _PAD, _CHAR = 19, 10, 7.4
_SCALE = 0.25
"""Pixels a byte."""


def paths_svg(title: str, path_results: Sequence[PathResult], notes: Sequence[str] = ()) -> str:
    """One picture of many paths; `notes` hold a line for each, empty ones are left out."""
    widest = max((hop.mtu for p in path_results for hop in p.path.hops), default=1500)
    labels = [_label(p, i) for p in path_results for i in range(len(p.path.hops))]
    texts = [*(sizes(p) for p in path_results), *notes, title]
    left = _PAD + max(map(len, labels), default=0) * _CHAR + _PAD
    width = max(left + widest * _SCALE + 60 * _CHAR, max(map(len, texts)) * _CHAR + 3 * _PAD)
    rows = sum(len(p.path.hops) + 3 for p in path_results) + 1 + len(notes)
    height = rows * _LINE + 2 * _PAD
    body = "".join(_rows(title, path_results, notes, left))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" '
        'font-family="ui-monospace,Menlo,Consolas,DejaVu Sans Mono,monospace" font-size="12">'
        f'<title>{escape(title)}</title><rect width="100%" height="100%" rx="6" fill="#ffffff"/>'
        f"{body}</svg>\n"
    )


def _rows(
    title: str, path_results: Sequence[PathResult], notes: Sequence[str], left: float
) -> Iterator[str]:
    y = _PAD + _LINE * 0.7
    yield _text(_PAD, y, title, bold=True)
    for number, path_result in enumerate(path_results):
        note = notes[number] if number < len(notes) else ""
        y += _LINE * 1.5
        yield _text(_PAD, y, path_result.name, bold=True)
        narrowest = path_result.path.narrowest if narrower(path_result) else None
        for index, hop in enumerate(path_result.path.hops):
            y += _LINE
            broken = hop is narrowest and _loses(path_result)
            paint = PAINTS[Standing.FAILS if broken else Standing.WORKS]
            yield _text(_PAD, y, _label(path_result, index))
            yield (
                f'<rect x="{left:.1f}" y="{y - 12:.1f}" width="{hop.mtu * _SCALE:.1f}" '
                f'height="15" rx="2" fill="{paint.fill}" stroke="{paint.border}"/>'
            )
            yield _text(left + 6, y, str(hop.mtu), ink=paint.text)
            mark = "<- narrowest" if hop is narrowest else ""
            yield _text(left + hop.mtu * _SCALE + 8, y, "  ".join(filter(None, (hop.why, mark))))
        y += _LINE
        yield _text(_PAD, y, sizes(path_result))
        if note:
            y += _LINE
            yield _text(_PAD, y, note)
        y += _LINE * 0.5


def _loses(path_result: PathResult) -> bool:
    """Whether anything large was lost without a word."""
    sent = (path_result.first, *path_result.pattern[-1:], path_result.beyond)
    return any(s.event == Event.SILENT for s in sent) or path_result.first.event != Event.ECHOED


def _label(path_result: PathResult, index: int) -> str:
    hop = path_result.path.hops[index]
    return f"{hop.where} {hop.device}"


def _text(x: float, y: float, text: str, *, ink: str = "#1b1b1f", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{ink}"{weight} xml:space="preserve">'
        f"{escape(text)}</text>"
    )
