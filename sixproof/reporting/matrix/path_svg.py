"""Paths as SVG: a bar a hop, as wide as its MTU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from sixproof.agent.protocol import Event
from sixproof.probes.pmtu.probe import Passage
from sixproof.reporting.matrix.grid import Standing
from sixproof.reporting.matrix.palette import PAINTS
from sixproof.reporting.matrix.path_text import narrower, sizes

_LINE, _PAD, _CHAR = 19, 10, 7.4
_SCALE = 0.25
"""Pixels a byte."""


def paths_svg(title: str, passages: Sequence[Passage], notes: Sequence[str] = ()) -> str:
    """One picture of many paths; `notes` hold a line for each, empty ones are left out."""
    widest = max((hop.mtu for p in passages for hop in p.path.hops), default=1500)
    labels = [_label(p, i) for p in passages for i in range(len(p.path.hops))]
    texts = [*(sizes(p) for p in passages), *notes, title]
    left = _PAD + max(map(len, labels), default=0) * _CHAR + _PAD
    width = max(left + widest * _SCALE + 60 * _CHAR, max(map(len, texts)) * _CHAR + 3 * _PAD)
    rows = sum(len(p.path.hops) + 3 for p in passages) + 1 + len(notes)
    height = rows * _LINE + 2 * _PAD
    body = "".join(_rows(title, passages, notes, left))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" '
        'font-family="ui-monospace,Menlo,Consolas,DejaVu Sans Mono,monospace" font-size="12">'
        f'<title>{escape(title)}</title><rect width="100%" height="100%" rx="6" fill="#ffffff"/>'
        f"{body}</svg>\n"
    )


def _rows(
    title: str, passages: Sequence[Passage], notes: Sequence[str], left: float
) -> Iterator[str]:
    y = _PAD + _LINE * 0.7
    yield _text(_PAD, y, title, bold=True)
    for number, passage in enumerate(passages):
        note = notes[number] if number < len(notes) else ""
        y += _LINE * 1.5
        yield _text(_PAD, y, passage.name, bold=True)
        narrowest = passage.path.narrowest if narrower(passage) else None
        for index, hop in enumerate(passage.path.hops):
            y += _LINE
            broken = hop is narrowest and _loses(passage)
            paint = PAINTS[Standing.FAILS if broken else Standing.WORKS]
            yield _text(_PAD, y, _label(passage, index))
            yield (
                f'<rect x="{left:.1f}" y="{y - 12:.1f}" width="{hop.mtu * _SCALE:.1f}" '
                f'height="15" rx="2" fill="{paint.fill}" stroke="{paint.border}"/>'
            )
            yield _text(left + 6, y, str(hop.mtu), ink=paint.text)
            mark = "<- narrowest" if hop is narrowest else ""
            yield _text(left + hop.mtu * _SCALE + 8, y, "  ".join(filter(None, (hop.why, mark))))
        y += _LINE
        yield _text(_PAD, y, sizes(passage))
        if note:
            y += _LINE
            yield _text(_PAD, y, note)
        y += _LINE * 0.5


def _loses(passage: Passage) -> bool:
    """Whether anything large was lost without a word."""
    sent = (passage.first, *passage.pattern[-1:], passage.beyond)
    return any(s.event == Event.SILENT for s in sent) or passage.first.event != Event.ECHOED


def _label(passage: Passage, index: int) -> str:
    hop = passage.path.hops[index]
    return f"{hop.where} {hop.device}"


def _text(x: float, y: float, text: str, *, ink: str = "#1b1b1f", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{ink}"{weight} xml:space="preserve">'
        f"{escape(text)}</text>"
    )
