"""Rendering: one HTML file where Node.js is there, a clear hint where it is not.

Node.js and npm are played by scripts here; the report itself is looked at in a browser by people.
"""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest

from sixproof.reporting.allure import allure_cli, render
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import RunRecord

PAGE = "<html>report</html>"
NODE = """#!/bin/sh
if [ "$1" = --version ]; then echo ${FAKE_NODE:-v20.1.0}; exit 0; fi
echo "$@" > "$FAKE_LOG"
for word in "$@"; do case "$word" in *.json) config=$word;; esac; done
cp "$config" "$FAKE_LOG.json"
[ -n "$FAKE_FAIL" ] && { echo "it went wrong"; exit 1; }
out=$(sed 's/.*"output": "\\([^"]*\\)".*/\\1/' "$config")
mkdir -p "$out/awesome" && printf '<html>report</html>' > "$out/awesome/index.html"
"""
NPM = """#!/bin/sh
[ -n "$FAKE_NPM_FAIL" ] && { echo "network is unreachable"; exit 1; }
echo "$@" >> "$FAKE_LOG.npm"
mkdir -p node_modules/allure && touch node_modules/allure/cli.js
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with a played Node.js and npm, and a cache of its own; returns the log's path."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name, text in (("node", NODE), ("npm", NPM)):
        (directory / name).write_text(text)
        (directory / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    return tmp_path / "log"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A directory with one Allure result, results.json beside it."""
    directory = tmp_path / "latest" / "allure-results"
    directory.mkdir(parents=True)
    (directory / "1-result.json").write_text('{"historyId": "h", "fullName": "t"}')
    Results(RunRecord("six-1")).write(directory.parent / "results.json")
    return directory


def test_one_file_and_the_overview_are_written(
    tools: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = results.parent / "allure.html"
    history = results.parent / "history.jsonl"
    assert render.main([str(results), str(out), "--history", str(history)]) == 0
    assert out.read_text() == PAGE
    assert "IPv6 not measured" in (out.parent / "overview.html").read_text()
    config = json.loads(Path(f"{tools}.json").read_text())
    assert config["historyPath"] == str(history)
    assert config["plugins"]["awesome"]["options"]["singleFile"] is True
    assert config["plugins"]["awesome"]["options"]["groupBy"] == ["epic", "feature", "story"]
    assert config["categories"]["rules"][0]["name"] == "Policy leak"
    assert f"allure: {out}" in capsys.readouterr().out


def test_an_overview_that_is_newer_than_its_results_stays(tools: Path, results: Path) -> None:
    """Results of a large run take long to read; older pages are written again."""
    page, source = results.parent / "overview.html", results.parent / "results.json"
    page.write_text("kept")
    os.utime(page, (source.stat().st_mtime + 1,) * 2)
    assert render.main([str(results), str(results.parent / "a.html")]) == 0
    assert page.read_text() == "kept"
    os.utime(page, (source.stat().st_mtime - 1,) * 2)
    assert render.main([str(results), str(results.parent / "a.html")]) == 0
    assert "IPv6 not measured" in page.read_text()


def test_allure_is_installed_once_into_the_cache(
    tools: Path, results: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        assert render.main([str(results), str(tmp_path / "a.html")]) == 0
    assert len(Path(f"{tools}.npm").read_text().splitlines()) == 1
    (home,) = (tmp_path / "cache").iterdir()
    assert re.fullmatch(r"allure-\d+\.\d+\.\d+", home.name)
    assert "--no-package-lock" in Path(f"{tools}.npm").read_text()


@pytest.mark.parametrize(("options", "status"), [([], 2), (["--if-possible"], 0)])
@pytest.mark.parametrize(
    ("lack", "said"),
    [
        ("node", "Node.js is not on PATH; Allure 3 needs version 18 or newer"),
        ("npm", "npm is not on PATH"),
        ("old", "is v16.20.0; Allure 3 needs Node.js 18 or newer"),
        ("network", "npm could not install allure-"),
    ],
)
def test_what_is_missing_is_a_hint_and_the_overview_is_written_all_the_same(
    tools: Path,
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    status: int,
    lack: str,
    said: str,
) -> None:
    if lack in ("node", "npm"):
        (tools.parent / "bin" / lack).unlink()
        monkeypatch.setattr("shutil.which", _which(tools.parent / "bin"))
    monkeypatch.setenv("FAKE_NODE", "v16.20.0" if lack == "old" else "v22.1.0")
    monkeypatch.setenv("FAKE_NPM_FAIL", "1" if lack == "network" else "")
    out = results.parent / "allure.html"
    assert render.main([str(results), str(out), *options]) == status
    assert not out.exists()
    assert (out.parent / "overview.html").exists()
    text = capsys.readouterr().out
    assert said in text
    assert f"The results stay in {results}" in text


def _which(directory: Path) -> object:
    """`shutil.which` that looks into one directory only."""

    def which(name: str) -> str | None:
        path = directory / name
        return str(path) if path.exists() else None

    return which


def test_a_directory_without_results_is_refused(
    tools: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render.main([str(tmp_path), str(tmp_path / "a.html")]) == 2
    assert "holds no Allure result; run pytest with --alluredir first" in capsys.readouterr().out


def test_a_failure_of_allure_is_reported_in_its_own_words(
    tools: Path,
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FAKE_FAIL", "1")
    assert render.main([str(results), str(results.parent / "a.html")]) == 1
    assert "it went wrong" in capsys.readouterr().out


def test_tests_that_hide_each_other_are_warned_of(
    tools: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (results / "2-result.json").write_text('{"historyId": "h", "fullName": "u"}')
    assert render.main([str(results), str(results.parent / "a.html")]) == 0
    assert "one history id, so Allure shows one of: t; u" in capsys.readouterr().out


def test_results_of_another_schema_are_refused(tools: Path, results: Path) -> None:
    (results.parent / "results.json").write_text('{"schema": "other"}')
    assert render.main([str(results), str(results.parent / "a.html")]) == 2


def test_without_results_json_there_is_no_overview(tools: Path, results: Path) -> None:
    (results.parent / "results.json").unlink()
    assert render.main([str(results), str(results.parent / "a.html")]) == 0
    assert not (results.parent / "overview.html").exists()


def test_the_manifest_pins_one_version_and_names_no_registry() -> None:
    text = allure_cli.MANIFEST.read_text()
    assert re.fullmatch(r"\d+\.\d+\.\d+", json.loads(text)["dependencies"]["allure"])
    assert "http" not in text
    assert not list(allure_cli.MANIFEST.parent.glob("*lock*"))


def test_what_ended_without_a_run_renders_nothing(tmp_path: Path) -> None:
    """After `--six-plan` there are no results, or those of a run that is rendered already."""
    out = tmp_path / "allure.html"
    arguments = ["--if-new", str(tmp_path / "allure-results"), str(out)]
    assert render.main(arguments) == 0
    (tmp_path / "allure-results").mkdir()
    (tmp_path / "allure-results" / "a-result.json").write_text("{}", encoding="utf-8")
    out.write_text("rendered", encoding="utf-8")
    os.utime(tmp_path / "allure-results" / "a-result.json", (1, 1))
    assert render.main(arguments) == 0
    assert out.read_text(encoding="utf-8") == "rendered"


def test_results_newer_than_the_report_are_rendered(tools: Path, results: Path) -> None:
    """A run made again is a new report."""
    out = results.parent / "allure.html"
    out.write_text("of an earlier run", encoding="utf-8")
    os.utime(out, (1, 1))
    assert render.main(["--if-new", str(results), str(out)]) == 0
    assert out.read_text(encoding="utf-8") == PAGE
