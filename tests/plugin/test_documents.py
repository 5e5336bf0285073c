"""What the documents ask a reader to type, and where they send him, is there."""

from __future__ import annotations

import configparser
import importlib.metadata
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

import sixproof
from fixtures.options import OPTIONS, Option
from sixproof import pytest_command
from sixproof.explain.findings import every_finding
from sixproof.explain.findings import table as table_of_findings
from sixproof.model import FindingType, Outcome
from sixproof.reporting.allure import render
from sixproof.reporting.conclusion import known_faults, rules
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
def test_the_way_from_a_clone_is_documented(page: str) -> None:
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


def ci(workflow: str, job: str) -> dict[str, Any]:
    """A job of a workflow of CI."""
    path = ROOT / ".github/workflows" / f"{workflow}.yml"
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"][job]
    return found


@pytest.mark.parametrize("page", ["README.md", "docs/usage.md"])
def test_ci_goes_the_way_from_a_clone(page: str) -> None:
    """The lines that a reader is asked to type are those that CI runs, and `pytest suites` works
    after them."""
    text = (ROOT / page).read_text(encoding="utf-8")
    documented = re.findall(
        r"^ {4}(python3 -m venv .*|pip install --require.*)$", text, re.MULTILINE
    )
    *made, tried = ci("tests", "clone")["steps"][-1]["run"].splitlines()
    assert made == documented
    assert tried == "pytest suites --collect-only -q"


@pytest.mark.parametrize("page", ["README.md", "docs/usage.md"])
def test_ci_installs_the_command_that_is_documented(page: str) -> None:
    """Elsewhere than in the clone."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = ci("tests", "installed")["steps"][-1]["run"].splitlines()
    assert "pip install ." in text
    assert lines == ["pip install .", "cd /", "sixproof run -- --collect-only -q"]


def test_a_night_on_kind_leaves_its_report() -> None:
    """The command of README.md, its summary and the trend for the run's page, and what it left as
    artifacts, also where tests failed."""
    *_, kept, uploaded = steps = ci("nightly", "kind")["steps"]
    runs = [step for step in steps if "run" in step]
    (tried, told, trend) = [step["run"] for step in runs]
    assert " make kind " in tried
    assert "report/summary.txt" in told
    assert " -m sixproof trend reports/trend.jsonl --add report " in trend
    assert all("$GITHUB_STEP_SUMMARY" in step for step in (told, trend))
    histories = ["reports/history.jsonl", "reports/trend.jsonl"]
    assert kept["with"]["path"].split() == histories
    assert uploaded["with"]["path"].split() == ["report", *histories]
    assert all(step["if"] == "always()" for step in (*runs[1:], kept, uploaded))


def test_the_include_for_gitlab_uses_commands_that_exist() -> None:
    include = yaml.safe_load((ROOT / "deploy/gitlab.yml").read_text(encoding="utf-8"))
    job = include[".sixproof"]
    for line in (*job["script"], *job["after_script"]):
        program, name, *options = shlex.split(line)
        assert program == "sixproof"
        assert name in pytest_command.COMMANDS
        ours = {f"--six-{option.name}" for option in OPTIONS}
        assert {o for o in options if o.startswith("--six")} <= ours
    assert job["artifacts"]["reports"]["junit"].startswith(job["artifacts"]["paths"][0])


def test_ci_floods_an_agent_every_week() -> None:
    """With a hundred thousand datagrams; the test that is run reads how many."""
    job = ci("weekly", "flood")
    *_, tried = job["steps"][-1]["run"].splitlines()
    assert job["env"] == {"FUZZ": "100000"}
    flood = (ROOT / tried.removeprefix("pytest ")).read_text(encoding="utf-8")
    assert 'os.environ.get("FUZZ", ' in flood
    assert re.search(r"^ +FUZZ$", (ROOT / "tox.ini").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_page_of_findings_lists_all_of_them() -> None:
    """docs/findings.md holds what the command prints."""
    text = (ROOT / "docs/findings.md").read_text(encoding="utf-8")
    assert text.endswith("\n\n" + table_of_findings()), (
        "python -m sixproof findings prints the table anew"
    )


def test_the_page_of_the_diagnosis_lists_all_causes() -> None:
    """docs/diagnosis.md holds what the command prints, and each cause has a fault that shows it and
    that a test injects, or a test by recorded facts."""
    text = (ROOT / "docs/diagnosis.md").read_text(encoding="utf-8")
    assert rules.table() in text, "python -m sixproof causes prints the table anew"
    assert known_faults.table() in text, "python -m sixproof causes prints the table anew"
    files = (ROOT / "tests/unit/reporting").rglob("test_*.py")
    tests = "".join(path.read_text(encoding="utf-8") for path in files)
    known = {path.stem for path in (ROOT / "testbed/faults/catalogue").glob("*.toml")}
    beds = (ROOT / "tests/faults").rglob("*.py")
    injected = set(
        re.findall(r"""["; ]([A-Z]\d*[A-Z]?)[" ]""", "".join(p.read_text("utf-8") for p in beds))
    )
    for rule in rules.rules():
        assert set(rule.shown_by) <= known, rule.code
        assert set(rule.shown_by) <= injected, f"{rule.code}: no test on the bed injects it"
        assert rule.shown_by or f'"{rule.code}"' in tests, rule.code


def test_findings_are_made_by_what_declares_them() -> None:
    """Each code is declared once, with a title; nothing else makes a finding."""
    made = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for room in ("sixproof", "fixtures")
        for path in sorted((ROOT / room).rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"\bFinding\(", line) and path.name != "finding.py"
    ]
    assert made == []
    assert all(one.title for one in every_finding())
    with pytest.raises(ValueError, match="the finding calico-mtu is declared twice"):
        FindingType("calico-mtu", "again")


def test_the_pages_of_outcomes_list_all_of_them() -> None:
    """With their letters in a matrix: as expected and, in capitals, wrong."""
    text = (ROOT / "docs/reading-a-report.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| (`.+`) \| ([A-Z_]+) \| \S", text, re.M)
    letters = {o: dict.fromkeys((f"`{o.mark.lower()}`", f"`{o.mark}`")) for o in Outcome}
    assert listed == [(" ".join(marks), outcome.value) for outcome, marks in letters.items()]
    text = (ROOT / "docs/verdicts.md").read_text(encoding="utf-8")
    marks = dict(re.findall(r"^\| ([A-Z_]+) \| .+ \| `(.)` \|$", text, re.M))
    assert marks == {outcome.value: outcome.mark for outcome in Outcome}


def test_the_page_of_the_marker_lists_every_row() -> None:
    """docs/coverage.md is what the marker `covers` sends a reader to."""
    text = (ROOT / "docs/coverage.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| ([A-Z][A-Z0-9/]*) \|(?: [^|]+ \|)? ([^|]+) \|$", text, re.M))
    titles = {code: row.title for code, row in ROWS.items()}
    titles |= {code: row.title.partition(": ")[2] for code, row in CASES.items()}
    assert listed == titles


def sources(*folders: str) -> dict[Path, str]:
    """The text of every Python file of these folders."""
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return {path: path.read_text(encoding="utf-8") for path in found}


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_is_read_by_something(option: Option) -> None:
    """An option that nothing reads promises what nobody keeps."""
    read = re.compile(rf"(?:settings|SETTINGS\]|self)\.{option.key}\b")
    assert any(read.search(text) for text in sources("fixtures").values())


def test_every_marker_marks_something() -> None:
    """Those of the plugin mark live tests, those of the project its own."""
    plugin = (ROOT / "fixtures/plugin.py").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = re.findall(r'^ {8}"(\w+)(?:\(.*?\))?: ', plugin, re.MULTILINE)
    own = re.findall(r'^ {4}"(\w+): ', project, re.MULTILINE)
    assert named
    assert own
    live, tests = (
        " ".join(text for folder in folders for text in sources(folder).values())
        for folders in (("suites", "fixtures"), ("tests",))
    )
    assert [name for name in named if f"pytest.mark.{name}" not in live] == []
    assert [name for name in own if f"pytest.mark.{name}" not in tests] == []


def test_every_document_that_the_code_names_is_there() -> None:
    """Messages and docstrings send readers to pages that exist."""
    missing = {
        name
        for text in sources("sixproof", "fixtures", "suites", "testbed", "benchmarks").values()
        for name in re.findall(r"\bdocs/[\w./-]+\.md\b", text)
        if not (ROOT / name).exists()
    }
    assert missing == set()


def test_the_places_of_the_architecture_are_there() -> None:
    """Every path that the page names leads to a file or a folder."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    roots = "suites|fixtures|sixproof|testbed|tests|benchmarks"
    named = set(re.findall(rf"`((?:{roots})/[\w./*-]*)`", text))
    assert len(named) > 20
    assert [name for name in sorted(named) if not [*ROOT.glob(name.rstrip("/"))]] == []


def test_every_room_is_drawn_in_the_architecture() -> None:
    """A package of the library that the page does not name would be a room that nobody finds."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    library = ROOT / "sixproof"
    rooms = [path.parent for path in library.glob("*/__init__.py")]
    assert [room.name for room in rooms if f"  {room.name}/" not in text] == []
    topics = {path.parent.name for room in rooms for path in room.glob("*/__init__.py")}
    assert {topic for topic in topics if not re.search(rf"\b{topic}\b", text)} == set()


def test_a_room_of_tests_holds_at_most_12_files() -> None:
    """Many rooms of tests hold one file: the test of a room that is small."""
    files = (ROOT / "tests").rglob("*.py")
    rooms = Counter(path.parent for path in files if path.name != "__init__.py")
    assert len(rooms) > 30
    assert {str(room): count for room, count in rooms.items() if count > 12} == {}


def test_a_room_holds_4_to_12_files() -> None:
    """Those that hold fewer and no room are listed with the reason, and no others."""
    rooms = {
        path.parent: [file for file in path.parent.glob("*.py") if file != path]
        for folder in ("sixproof", "fixtures", "testbed", "benchmarks")
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert len(rooms) > 50
    assert [str(room) for room, files in rooms.items() if len(files) > 12] == []
    parents = {room.parent for room in rooms}
    small = {
        str(room.relative_to(ROOT))
        for room, files in rooms.items()
        if len(files) < 4 and room not in parents
    }
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| room \|.*\n((?:\|.*\n)+)", text, re.M)
    assert small == set(re.findall(r"^\| `(\S+)` \| \S.* \|$", table, re.M))


def test_a_release_has_one_version() -> None:
    """pyproject.toml and the package say the same, and the change log has room for what comes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == sixproof.__version__
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


PARTS = {"allure-python-commons": "allure-pytest"}
"""Distributions that are one with another, which is declared."""


def test_every_library_that_is_imported_is_declared() -> None:
    """One that merely comes with another may go with it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[<>=]", wanted)[0] for wanted in project["dependencies"]}
    named = {
        name.partition(".")[0]
        for text in sources("sixproof", "fixtures", "suites", "testbed").values()
        for name in re.findall(r"^ *(?:from|import) (\w[\w.]*)(?: import .+| as \w+)?$", text, re.M)
    }
    found = importlib.metadata.packages_distributions()
    owners = {
        re.sub("[-_.]+", "-", owner).lower() for name in named for owner in found.get(name, ())
    } - {"sixproof"}
    assert len(owners) > 10
    assert {PARTS.get(owner, owner) for owner in owners} <= declared


def test_commands_of_the_readme_that_need_no_cluster_run() -> None:
    """Its table is what `make help` lists; help and the list of tests need no cluster."""
    table = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `make ([a-z]+)` \|", table, re.M))
    help_text = _ran("make", "help")
    assert named
    assert named <= set(re.findall(r"^ +make ([a-z]+) ", help_text, re.M))

    assert "--six-context" in _ran(sys.executable, "-m", "pytest", "--help")
    listed = _ran(sys.executable, "-m", "pytest", "suites", "--collect-only", "-q")
    assert re.search(r"^\d{3,} tests collected", listed, re.M)
    assert _ran(sys.executable, "-m", "sixproof", "findings") == table_of_findings()


@pytest.mark.parametrize("environment", ["live", "kind"])
def test_make_ends_as_its_run_ended(
    environment: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What tox does after the run cannot change its status, and renders nothing where the run left
    no results, as with `--six-plan`."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    section = tox[f"testenv:{environment}"]
    *before, suites = section["commands"].strip().splitlines()
    assert suites.startswith("python -m pytest suites ")
    assert [line for line in before if "pytest" in line and not line.startswith("- ")] == []
    (after,) = section["commands_post"].strip().splitlines()
    ignored, _, words = after.partition(f"python -m {render.__name__} ")
    assert ignored == "- "
    monkeypatch.chdir(tmp_path)
    assert render.main(shlex.split(words)) == 0
    assert list(tmp_path.iterdir()) == []


def _ran(*command: str) -> str:
    """What a command prints that ends well, without a cluster to talk to."""
    nowhere = {**os.environ, "KUBECONFIG": os.devnull, "SIX_PROVIDER": "live"}
    done = subprocess.run(
        command, cwd=ROOT, env=nowhere, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
