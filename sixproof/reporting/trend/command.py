"""The command line of ``trend``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from sixproof import records
from sixproof.explain.command import Output
from sixproof.model import Family
from sixproof.reporting.compare import baseline
from sixproof.reporting.compare.command import write_page
from sixproof.reporting.pages import markup
from sixproof.reporting.pages.scoreboard import CLASSES
from sixproof.reporting.pages.styled_text import plain
from sixproof.reporting.trend import lines
from sixproof.reporting.trend.changes import Trend
from sixproof.reporting.trend.history import KEPT, History
from sixproof.reporting.trend.past_run import PastRun

_EPILOG = f"""
FILE is a file of one line per run, in JSON (sixproof/trend/v1), some kilobytes each; a nightly
job keeps it from night to night. It holds the last {KEPT} runs on one cluster. Times and tests are
compared between runs that asked the same: the same options, nodes and version of sixproof.

exit status: 0; 2 a file that cannot be read or written, or a run on another cluster
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a command line."""
    trend = commands.add_parser(
        "trend",
        help="say what many runs on one cluster show: when a verdict changed, flaky tests, times",
        description="Keep a history of runs on one cluster, and say what it shows: each run's "
        "verdicts, when one changed and why, tests that pass and fail in turn, and what became "
        "slower. Needs no cluster.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = trend.add_argument
    add("history", metavar="FILE", type=Path, help="the history; made with the first --add")
    run = "add this run: the directory of its report, or its results.json; may be repeated"
    add("--add", metavar="PATH", type=Path, action="append", default=[], help=run)
    page = "also write the trend as a page for a browser; replaces the file"
    add("--html", metavar="FILE", type=Path, help=page)
    add("--json", action="store_true", help="print one JSON object, no text")


def trend(arguments: argparse.Namespace) -> Output:
    """Add runs to a history, and say what it shows.

    Raises:
        UsageError: a file cannot be read or written, or a run was on another cluster.
    """
    history = History.read(arguments.history)
    for path in arguments.add:
        history = history.with_run(PastRun.of(baseline.read(path)))
    if arguments.add:
        history.write(arguments.history)
    found = Trend.of(history.runs)
    if arguments.html is not None:
        write_page(arguments.html, page(found))
    if arguments.json:
        return Output(0, json.dumps(records.to_json(found)) + "\n", history.damaged)
    return Output(0, plain(lines.trend_lines(found)), history.damaged)


def page(found: Trend) -> str:
    """The page, self-contained; the latest run first."""
    longest = max((run.seconds for run in found.runs), default=0.0)
    return markup.filled(
        "trend.html.j2",
        trend=found,
        families=list(Family),
        longest=longest or 1.0,
        sections=lines.sections(found),
        said=lines,
        classes=CLASSES,
    )
