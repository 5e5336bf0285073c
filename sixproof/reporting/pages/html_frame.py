"""The frame of the overview page: one file, no script, nothing loaded, light, dark and on paper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root{color-scheme:light dark;--fg:#1b1b1f;--bg:#fbfbfd;--card:#fff;--line:#d9d9e0;--mute:#5b5b66;
--good:#0b5c8a;--bad:#a63603;--unsure:#7a5b00;--goodbg:#e3f0fa;--badbg:#fdebe0;--unsurebg:#fff6d6}
@media (prefers-color-scheme:dark){:root{--fg:#ececf1;--bg:#16161a;--card:#1f1f25;--line:#3a3a44;
--mute:#a9a9b6;--good:#8cc8f2;--bad:#ff9d66;--unsure:#ffd866;--goodbg:#12293a;--badbg:#3a1d0d;
--unsurebg:#332a08}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1100px;padding:24px 20px 60px;background:var(--bg);color:var(--fg);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:24px;margin:0 0 2px}
h2{font-size:18px;margin:34px 0 8px;border-bottom:1px solid var(--line)}
h3{font-size:15px;margin:18px 0 4px}p{margin:4px 0}
.mute{color:var(--mute);font-size:13px}
.verdicts{display:flex;flex-wrap:wrap;gap:12px;margin:16px 0}
.verdict{flex:1 1 260px;border:1px solid var(--line);border-left-width:8px;border-radius:6px;
padding:10px 14px;background:var(--card)}
.verdict b{font-size:20px;display:block}
.works{border-left-color:var(--good);background:var(--goodbg)}.works b{color:var(--good)}
.broken{border-left-color:var(--bad);background:var(--badbg)}.broken b{color:var(--bad)}
.unsure{border-left-color:var(--unsure);background:var(--unsurebg)}.unsure b{color:var(--unsure)}
.fault{border-left:5px solid var(--bad);background:var(--badbg);padding:8px 12px;margin:8px 0;
border-radius:4px}
.fault.unsure{border-left-color:var(--unsure);background:var(--unsurebg)}
.tag{display:inline-block;border:1px solid currentColor;border-radius:10px;padding:0 8px;
font-size:12px;margin-right:6px;white-space:nowrap}
.sheet{background:#fff;color:#1b1b1f;border:1px solid var(--line);border-radius:6px;
padding:4px 14px;margin:6px 0 14px}
table.list{border-collapse:collapse;width:100%;font-size:14px;background:var(--card)}
table.list th,table.list td{text-align:left;vertical-align:top;padding:4px 10px;
border-bottom:1px solid var(--line)}
table.list th{font-weight:600;color:var(--mute)}
td.num{text-align:right;white-space:nowrap}
td.bad{color:var(--bad);font-weight:600}td.good{color:var(--good)}td.unsure{color:var(--unsure)}
pre{font:12.5px/1.45 ui-monospace,Menlo,Consolas,monospace;white-space:pre-wrap;
overflow-wrap:anywhere;background:var(--card);border:1px solid var(--line);
border-radius:4px;padding:8px 12px;margin:6px 0}
details{margin:6px 0}summary{cursor:pointer}summary:focus-visible{outline:2px solid var(--good)}
.wide{overflow-x:auto}
nav a{margin-right:14px;color:inherit}
code{font:13px ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}
@media print{body{max-width:none;padding:0;background:#fff;color:#000;font-size:11px}
nav{display:none}
h2,h3,h3+p{break-after:avoid}tr,.sheet table,.fault,.verdict{break-inside:avoid}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
""".strip()


def page(title: str, body: Iterable[str]) -> str:
    """A whole document."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE}\n</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def section(anchor: str, title: str, body: Iterable[str]) -> str:
    """A section, empty where nothing is in it."""
    inner = "\n".join(body)
    if not inner:
        return ""
    head = f'<h2 id="{anchor}">{escape(title)}</h2>'
    return f'<section aria-labelledby="{anchor}">{head}\n{inner}</section>'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A list table; cells are HTML, either inner or a whole ``<td>``."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    if not lines:
        return ""
    thead = f"<thead><tr>{head}</tr></thead>" if heads else ""
    return f'<div class="wide"><table class="list">{thead}<tbody>{lines}</tbody></table></div>'


def toned(text: str, tone: str) -> str:
    """A table cell of a tone: good, bad, unsure or none."""
    return f'<td class="{tone}">{escape(text)}</td>' if tone else f"<td>{escape(text)}</td>"


def _cell(text: str) -> str:
    return text if text.startswith("<td") else f"<td>{text}</td>"
