"""The command line of ``compare``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from sixproof.errors import UsageError
from sixproof.explain.command import Output
from sixproof.reporting.compare import baseline
from sixproof.reporting.compare.comparison import RunComparison
from sixproof.reporting.compare.lines import compared_lines
from sixproof.reporting.compare.page import compared_json, compared_page
from sixproof.reporting.pages.styled_text import plain

COMPARABLE, WORSE, NOT_COMPARABLE = 0, 1, 2
"""Exit statuses."""

_EPILOG = """
A and B are the directories of two reports (reports/runs/…, reports/latest), or their results.json;
A is the earlier one. Conclusions are compared by their code and object, tests by node id, results
by who asked whom what over which family in which test. Run ids, generated names of pods, clusterIPs
and NodePorts make no difference. What one of the runs did not measure is listed as not comparable:
it is never called gone.

exit status: 0 tests passed in B, and none failed that A does not show; 1 one did, or could not be
measured in B, or none passed; 2 nothing can be compared: a file that cannot be read or is of
another schema, two clusters, or an answer that could not be written
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a command line."""
    compare = commands.add_parser(
        "compare",
        help="say what is new, gone, changed and still there between two runs",
        description="Say what is new, gone, changed and still there between two runs on one "
        "cluster, and what cannot be compared. Needs no cluster.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = compare.add_argument
    add("before", metavar="A", type=Path, help="the earlier run: its directory or results.json")
    add("after", metavar="B", type=Path, help="the later run: its directory or results.json")
    page = "also write the comparison as a page for a browser; replaces the file"
    add("--html", metavar="FILE", type=Path, help=page)
    add("--json", action="store_true", help="print one JSON object (sixproof/compare/v1), no text")
    every = "print all lines; without this, a long section is cut (the page and JSON are not)"
    add("--all", action="store_true", help=every)


def compare(arguments: argparse.Namespace) -> Output:
    """Compare two runs.

    Raises:
        UsageError: a run cannot be read, or the page cannot be written.
    """
    for path in (arguments.before, arguments.after):
        baseline.head(path)  # what is wrong at the beginning is said before the first is read
    before, after = (baseline.read(path) for path in (arguments.before, arguments.after))
    comparison = RunComparison.of(before, after)
    if arguments.html is not None:
        write_page(arguments.html, compared_page(comparison))
    if arguments.json:
        text = json.dumps(compared_json(comparison)) + "\n"
    else:
        text = plain(compared_lines(comparison, every=arguments.all))
    return Output(_status(comparison), text, ())


def _status(comparison: RunComparison) -> int:
    if comparison.obstacle:
        return NOT_COMPARABLE
    return COMPARABLE if comparison.failures.excuses else WORSE


def write_page(path: Path, text: str) -> None:
    """Write a page.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        said = f"{baseline.shown(path)} cannot be written: {baseline.reason(error)}"
        raise UsageError(said) from error
