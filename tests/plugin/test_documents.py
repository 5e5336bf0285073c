"""What the documents tell a reader to type, and where they send him, is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fixtures.options import OPTIONS
from sixproof.reporting.results.requirements import CASES, ROWS
from tests.plugin.conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@pages
def test_every_make_command_has_a_target(page: Path) -> None:
    """`make kind` and its like are in the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"(?:`|^ {4})make ([a-z]+)", page.read_text(encoding="utf-8"), re.M))
    assert named <= targets


@pages
def test_every_option_exists(page: Path) -> None:
    """No page speaks of an option that pytest refuses."""
    named = set(re.findall(r"--six-[a-z0-9]+(?:-[a-z0-9]+)*", page.read_text(encoding="utf-8")))
    assert named - {"--six-option"} <= {option.switch for option in OPTIONS}


@pages
def test_every_link_leads_somewhere(page: Path) -> None:
    """Links to files of the repository name files of it."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "docs/usage.md"])
def test_the_way_from_a_clone_is_told(page: str) -> None:
    """Two lines make an environment, of a file that is there and pins every version by hash."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "    python3 -m venv venv && . venv/bin/activate\n" in text
    (named,) = re.findall(r"^ {4}pip install --require-hashes -r (\S+)$", text, re.MULTILINE)
    pinned = (ROOT / named).read_text(encoding="utf-8")
    entries = [line for line in pinned.splitlines() if re.match(r"[a-z]", line)]
    assert entries
    assert [e for e in entries if "==" not in e] == []
    # pip before 23.3 takes a pin without the extra that somebody asks for as no pin.
    assert any(e.startswith("coverage[toml]==") for e in entries)


def test_the_page_of_the_marker_lists_every_row() -> None:
    """docs/coverage.md is what the marker `covers` sends a reader to."""
    text = (ROOT / "docs/coverage.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| ([A-Z][A-Z0-9/]*) \|(?: [^|]+ \|)? ([^|]+) \|$", text, re.M))
    told = {code: row.title for code, row in ROWS.items()}
    told |= {code: row.title.partition(": ")[2] for code, row in CASES.items()}
    assert listed == told
