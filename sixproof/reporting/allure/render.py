"""Render a run: ``python -m sixproof.reporting.allure.render RESULTS_DIR OUT.html``.

RESULTS_DIR holds Allure results. OUT.html becomes one self-contained file, made by Allure 3. Where
results.json lies in or beside RESULTS_DIR, overview.html is written beside OUT.html too, which
needs no Node.js. Exit status: 0 rendered, 1 Allure failed, 2 nothing to render or no Node.js (0
with ``--if-possible``, and a hint in place of the report). With ``--if-new`` a report that is as
new as its results is kept, and missing results are no error: without a run, nothing is rendered.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sixproof.errors import SixproofError, UsageError
from sixproof.reporting.allure.allure_cli import NoAllure, allure_command, run
from sixproof.reporting.diagnosis.category import rules
from sixproof.reporting.pages.overview import overview
from sixproof.reporting.results.report_files import OVERVIEW, RESULTS, beside
from sixproof.reporting.results.results_json import Results

NAME = "sixproof"
GROUPS = ("epic", "feature", "story")
LATEST = Path("reports/latest")
_SECONDS = 600


def configuration(output: Path, history: Path | None) -> dict[str, object]:
    """Allure 3's configuration for one report.

    The categories are here because its report reads them nowhere else; results carry a
    categories.json for other tools.
    """
    options: dict[str, object] = {
        "reportName": NAME,
        "singleFile": True,
        "reportLanguage": "en",
        "theme": "auto",
        "groupBy": list(GROUPS),
        "defaultSortBy": "status,asc",
        "stepTreeExpansion": "expand_failed_only",
    }
    value: dict[str, object] = {
        "name": NAME,
        "output": str(output),
        "categories": {"rules": [_rule(rule) for rule in rules()]},
        "plugins": {"awesome": {"options": options}},
    }
    if history is not None:
        value |= {"historyPath": str(history), "appendHistory": True, "historyLimit": 50}
    return value


def render_allure(results: Path, out: Path, history: Path | None = None) -> None:
    """Make one HTML file of a directory of Allure results.

    Raises:
        UsageError: the directory holds no result.
        NoAllure: Allure 3 cannot be run here.
        SixproofError: Allure ran and failed.
    """
    if not any(results.glob("*-result.json")):
        raise UsageError(f"{results} holds no Allure result; run pytest with --alluredir first")
    command = allure_command(os.environ)
    with tempfile.TemporaryDirectory(prefix="sixproof-") as scratch:
        report = Path(scratch) / "report"
        config = Path(scratch) / "allurerc.json"
        where = history.resolve() if history else None
        config.write_text(json.dumps(configuration(report, where)), encoding="utf-8")
        arguments = ("generate", "--config", str(config), str(results.resolve()))
        done = run([*command, *arguments], cwd=Path(scratch), seconds=_SECONDS)
        pages = sorted(report.rglob("index.html"), key=lambda page: len(page.parts))
        if done.returncode or not pages:
            raise SixproofError(f"allure generate failed ({done.returncode}):\n{done.stdout}")
        out.parent.mkdir(parents=True, exist_ok=True)
        draft = out.with_name(f"{out.name}.part")
        draft.write_bytes(pages[0].read_bytes())
        draft.replace(out)


def render_overview(results: Path, out: Path) -> Path | None:
    """Write overview.html beside `out`, None where there is no results.json to write it from.

    Raises:
        UsageError: results.json is damaged or of another schema.
    """
    for directory in (results, results.parent):
        source = directory / RESULTS
        if source.is_file():
            page = out.parent / OVERVIEW
            if page.is_file() and page.stat().st_mtime >= source.stat().st_mtime:
                return page  # the run wrote it just now, and large results take long to read
            page.parent.mkdir(parents=True, exist_ok=True)
            text = overview(Results.read(source), diagnostics=beside(page.parent))
            page.write_text(text, encoding="utf-8")
            return page
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    options = _parser().parse_args(arguments)
    if options.if_new and not _is_new(options.results, options.out):
        return 0
    return _render(options.results, options.out, options.history, options.if_possible)


def report(arguments: Sequence[str], program: str) -> int:
    """``sixproof report``: render the report of a run again; returns the exit status. `program` is
    what the user typed."""
    parser = argparse.ArgumentParser(
        prog=program,
        description="Render the report of a run again: its overview.html, and allure.html where "
        "Node.js is installed. Needs no cluster.",
        epilog="Exit status: 0 rendered, 1 Allure failed, 2 nothing to render or no Node.js.",
    )
    parser.add_argument(
        "report",
        type=Path,
        metavar="DIR",
        nargs="?",
        default=LATEST,
        help=f"directory of the report; default {LATEST}",
    )
    _shared(parser)
    options = parser.parse_args(arguments)
    results = options.report / "allure-results"
    if not results.is_dir():
        _say(f"{options.report} holds no report of a run: name the directory of one, or measure a "
             f"cluster with `{program.rpartition(' ')[0]} run`")  # fmt: skip
        return 2
    return _render(results, options.report / "allure.html", options.history, options.if_possible)


def _render(results: Path, out: Path, history: Path | None, if_possible: bool) -> int:
    try:
        if (page := render_overview(results, out)) is not None:
            _say(f"overview: {page}")
        for group in shared_ids(results):
            _say(f"warning: one history id, so Allure shows one of: {'; '.join(group)}")
        render_allure(results, out, history)
    except NoAllure as error:
        _say(f"no Allure report: {error}")
        _say(f"The results stay in {results}; any Allure 2 or 3 can render them.")
        return 0 if if_possible else 2
    except UsageError as error:
        _say(str(error))
        return 2
    except SixproofError as error:
        _say(str(error))
        return 1
    _say(f"allure: {out} ({out.stat().st_size / 1e6:.1f} MB)")
    return 0


def _is_new(results: Path, out: Path) -> bool:
    """Whether a run has left results since the report was made."""
    made = out.stat().st_mtime if out.is_file() else 0.0
    return any(path.stat().st_mtime >= made for path in results.glob("*-result.json"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sixproof.reporting.allure.render",
        description="Render Allure results as one HTML file, and the overview page beside it.",
    )
    parser.add_argument("results", type=Path, metavar="RESULTS_DIR")
    parser.add_argument("out", type=Path, metavar="OUT.html")
    parser.add_argument(
        "--if-new", action="store_true", help="do nothing unless there are results newer than OUT"
    )
    _shared(parser)
    return parser


def _shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--history", type=Path, metavar="FILE", help="carry results of earlier runs in this file"
    )
    parser.add_argument(
        "--if-possible", action="store_true", help="exit 0 with a hint where Node.js is missing"
    )


def _rule(rule: dict[str, object]) -> dict[str, object]:
    """A rule without what Allure 3's configuration does not know."""
    return {key: value for key, value in rule.items() if key != "description"}


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def shared_ids(results: Path) -> tuple[tuple[str, ...], ...]:
    """The groups of different tests in an Allure results directory that share a history id.

    Two results of one test and parameters are its retries and belong together; different names
    under one id mean that the report hides a test.
    """
    names: dict[str, dict[str, None]] = {}
    for path in sorted(results.glob("*-result.json")):
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue  # a worker was killed while it wrote; the file is no test's result
        parameters = [(p.get("name"), p.get("value")) for p in value.get("parameters", ())]
        said = value.get("fullName", "") + ("" if not parameters else f" {parameters}")
        names.setdefault(value.get("historyId", ""), {})[said] = None
    return tuple(tuple(group) for group in names.values() if len(group) > 1)


if __name__ == "__main__":
    sys.exit(main())
