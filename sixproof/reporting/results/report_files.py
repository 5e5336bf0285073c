"""The files of a run besides Allure's: what is under reports/latest/."""

from __future__ import annotations

import shutil
from pathlib import Path

from sixproof.reporting.conclusion.conclude import conclude
from sixproof.reporting.conclusion.conclusion import Conclusions
from sixproof.reporting.matrix.csv_table import write_matrices
from sixproof.reporting.pages.overview import overview
from sixproof.reporting.pages.styled_text import plain
from sixproof.reporting.pages.summary import summary_lines
from sixproof.reporting.results.results_json import Results

RESULTS = "results.json"
CELLS_JQ = "cells.jq"
"""Puts the cells of results.json together, for jq."""
OVERVIEW = "overview.html"
SUMMARY = "summary.txt"
CELLS = "matrices.csv"
ALLURE_RESULTS = "allure-results"
ALLURE_PAGE = "allure.html"
JUNIT = "junit.xml"
DIAGNOSTICS = "diagnostics.tar.gz"
COMPARE_PAGE = "compare.html"
COMPARE_TEXT = "compare.txt"
COMPARE_JSON = "compare.json"
PARTS = "parts"


def write_bundle(directory: Path, results: Results) -> tuple[Conclusions, dict[str, Path]]:
    """Write results.json and matrices.csv, then what is concluded: overview.html and summary.txt.

    Returns the conclusions, and what was written by name, the overview first, as `summary_lines`
    takes it, and the diagnostics where they were written earlier. Measurements are on disk before
    anything is concluded from them.

    Raises:
        OSError: the directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    paths = {
        "overview": directory / OVERVIEW,
        "results": directory / RESULTS,
        "cells": directory / CELLS,
        "summary": directory / SUMMARY,
    }
    results.write(paths["results"])
    shutil.copyfile(Path(__file__).with_name(CELLS_JQ), directory / CELLS_JQ)
    with paths["cells"].open("w", encoding="utf-8") as stream:
        write_matrices(stream, ((m.matrix, m.expected) for m in results.matrices))
    concluded = conclude(results)
    texts = {
        "overview": overview(results, concluded, diagnostics=beside(directory)),
        "summary": plain(summary_lines(results, conclusions=concluded)),
    }
    for name, text in texts.items():
        paths[name].write_text(text, encoding="utf-8")
    if diagnostics := beside(directory):
        paths["diagnostics"] = directory / diagnostics
    return concluded, paths


def beside(directory: Path) -> str:
    """The file of diagnostics in a report's directory, "" where there is none."""
    return DIAGNOSTICS if (directory / DIAGNOSTICS).is_file() else ""
