"""``python -m sixproof compare``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from sixproof.__main__ import main
from sixproof.model import ClusterFacts
from tests.unit.reporting.compare.two_runs import mesh, on, run, written


@pytest.fixture
def good(tmp_path: Path) -> str:
    """The report of a green run."""
    return str(written(tmp_path / "good", run(1, mesh())))


@pytest.fixture
def bad(tmp_path: Path) -> str:
    """The report of a run with a fault."""
    return str(written(tmp_path / "bad", run(2, mesh(on("worker")))))


def test_two_runs_with_one_fault_between_them_are_told_apart(
    good: str, bad: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 1 where something is new, 0 where something is gone."""
    assert main(["compare", good, bad]) == 1
    assert "\n\nNew failures: 1 test\n" in capsys.readouterr().out
    assert main(["compare", bad, good]) == 0
    assert "\nGone (measured again, and right)\n" in capsys.readouterr().out
    assert main(["compare", bad, f"{bad}/results.json"]) == 0
    assert "fails as before" in capsys.readouterr().out


def test_as_json(good: str, bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One object, and nothing else."""
    assert main(["compare", good, bad, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["outcome"] == "New failures: 1 test"


def test_as_a_page(good: str, bad: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the text."""
    assert main(["compare", good, bad, "--html", str(tmp_path / "x.html")]) == 1
    assert capsys.readouterr().out.startswith("Compared: ")
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert "<b>New failures: 1 test</b>" in page


def test_all_lines(good: str, bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is cut."""
    assert main(["compare", good, bad, "--all"]) == 1
    assert "more line" not in capsys.readouterr().out


@pytest.mark.parametrize("page", ["nowhere/x.html", "", "bad\0name"])
def test_a_page_that_cannot_be_written(
    good: str, bad: str, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line, and status 2."""
    assert main(["compare", good, bad, "--html", page]) == 2
    assert "cannot be written: " in capsys.readouterr().err


@pytest.mark.parametrize("place", [0, 1])
def test_a_run_that_cannot_be_read(
    good: str, place: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever it is."""
    paths = [good, good]
    paths[place] = "nowhere"
    assert main(["compare", *paths]) == 2
    heard = capsys.readouterr()
    assert heard.out == ""
    assert heard.err.startswith("error: nowhere cannot be read: No such file or directory; wanted")


def test_runs_on_two_clusters(
    good: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, and the reason."""
    other = run(2, mesh())
    other = dataclasses.replace(other, facts=ClusterFacts("https://x", "v1", ()))
    assert main(["compare", good, str(written(tmp_path / "x", other))]) == 2
    assert "These runs cannot be compared: " in capsys.readouterr().out


def test_a_run_that_measured_nothing_is_not_good(
    good: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No test failed, since none ran."""
    nothing = dataclasses.replace(run(2), cases=())
    assert main(["compare", good, str(written(tmp_path / "nothing", nothing))]) == 1
    said = capsys.readouterr().out
    assert said.endswith("No new failure, and no test passed: nothing is shown\n")
    assert "  ? no test of run a2b2c2 passed or failed\n" in said


def test_help_says_what_each_status_means(capsys: pytest.CaptureFixture[str]) -> None:
    """And what is compared by what."""
    with pytest.raises(SystemExit) as ended:
        main(["compare", "--help"])
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "exit status: 0 tests passed in B, and none failed that A does not show; 1 one did" in said
    )
    assert "it is never called gone" in said
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "compare" in capsys.readouterr().out
