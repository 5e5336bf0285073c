"""A comparison as a page and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sixproof import records
from sixproof.reporting.compare import wording
from sixproof.reporting.compare.comparison import RunComparison
from sixproof.reporting.compare.lines import compared_lines
from sixproof.reporting.pages import markup
from sixproof.reporting.pages.styled_text import Tone, plain
from sixproof.reporting.results import report_files

SCHEMA = "sixproof/compare/v1"
ROWS = 500
"""Rows of a section of the page."""
_TONES = {
    Tone.HEAD: "plain",
    Tone.GOOD: "gone",
    Tone.QUIET: "plain",
    Tone.BAD: "",
    Tone.UNSURE: "unsure",
}


def compared_page(comparison: RunComparison, status: str = "") -> str:
    """The page, self-contained; `status` is what it means for the exit status of a run."""
    return markup.filled(
        "compare.html.j2",
        runs=wording.runs(comparison),
        outcome=wording.outcome(comparison),
        status=status,
        grade=_grade(comparison),
        sections=wording.sections(comparison),
        tones=_TONES,
        most=ROWS,
    )


def _grade(comparison: RunComparison) -> str:
    """The colour of the outcome: that of a verdict."""
    if comparison.worse:
        return "broken"
    calm = comparison.failures.passed and not comparison.obstacle and not comparison.notes
    return "works" if calm else "unsure"


def compared_json(comparison: RunComparison) -> dict[str, Any]:
    """The comparison under a versioned schema; members are only added to it. `counts` of an item
    says whether it is a new failure."""
    failures = comparison.failures
    return {
        "schema": SCHEMA,
        "before": records.to_json(comparison.before),
        "after": records.to_json(comparison.after),
        "outcome": wording.outcome(comparison),
        "comparable": not comparison.obstacle,
        "newFailures": [one.nodeid for one in failures.new],
        "newPorts": [" ".join(port) for port in failures.ports],
        "knownFailures": [one.nodeid for one in failures.known],
        "notes": list(comparison.notes),
        "verdicts": list(map(records.to_json, comparison.verdicts)),
        "items": list(map(records.to_json, comparison.items)),
        "classes": [
            {
                "kind": row.kind.value,
                "edges": row.edge_class,
                "family": row.family.value,
                "counts": {which.value: number for which, number in row.counts.items()},
                "examples": list(row.examples),
            }
            for row in comparison.classes
        ],
        "times": list(map(records.to_json, comparison.times)),
        "surroundings": list(map(records.to_json, comparison.surroundings)),
    }


def write_comparison(
    directory: Path, comparison: RunComparison, status: str = ""
) -> dict[str, Path]:
    """Write the page, the text and the JSON into a report's directory; what was written, by name.

    Raises:
        OSError: the directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    texts = {
        report_files.COMPARE_PAGE: compared_page(comparison, status),
        report_files.COMPARE_TEXT: plain(compared_lines(comparison, every=True, status=status)),
        report_files.COMPARE_JSON: json.dumps(compared_json(comparison), indent=1) + "\n",
    }
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    return {
        "comparison": directory / report_files.COMPARE_PAGE,
        "as text": directory / report_files.COMPARE_TEXT,
        "as JSON": directory / report_files.COMPARE_JSON,
    }
