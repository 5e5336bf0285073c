"""Where the files of a run lie: nothing foreign is touched, nothing is mixed, nothing piles up."""

from __future__ import annotations

from pathlib import Path

import pytest

from sixproof.errors import UsageError
from sixproof.reporting.results.report_directory import (
    JUNIT_SUITE,
    KEPT,
    MARKER,
    ReportDirectory,
)


def ran(reports: ReportDirectory, said: str = "") -> ReportDirectory:
    """A run that began, wrote its results, and ended."""
    reports.take()
    reports.clear()
    (reports.directory / "results.json").write_text(said, encoding="utf-8")
    reports.publish()
    reports.give_back()
    return reports


def test_latest_leads_to_the_last_run_with_results(tmp_path: Path) -> None:
    """A run that never began leaves the last report as it is, and nothing of itself."""
    ran(ReportDirectory.of_a_run(tmp_path / "reports"), "first")
    before = sorted((tmp_path / "reports").rglob("*"))
    idle = ReportDirectory.of_a_run(tmp_path / "reports")
    idle.take()
    (idle.directory / "allure-results").mkdir()  # as Allure's plugin does
    idle.give_back()
    assert sorted((tmp_path / "reports").rglob("*")) == before
    assert (tmp_path / "reports/latest/results.json").read_text() == "first"
    ran(ReportDirectory.of_a_run(tmp_path / "reports"), "second")
    assert (tmp_path / "reports/latest/results.json").read_text() == "second"


def test_two_runs_at_the_same_time_do_not_meet(tmp_path: Path) -> None:
    """Each has a directory; one that both name is refused to the second."""
    assert (
        ReportDirectory.of_a_run(tmp_path).directory != ReportDirectory.of_a_run(tmp_path).directory
    )
    first, second = ReportDirectory(tmp_path / "named"), ReportDirectory(tmp_path / "named")
    first.take()
    with pytest.raises(UsageError, match="another run writes there"):
        second.take()
    first.give_back()
    second.take()
    second.give_back()
    assert not (tmp_path / "named").exists()


def test_runs_do_not_pile_up(tmp_path: Path) -> None:
    """The last few are kept; what else lies there, and a run that goes on, is not touched."""
    other = tmp_path / "runs/mine"
    other.mkdir(parents=True)
    going = ReportDirectory(tmp_path / "runs/20200101T000000Z-abcdef")
    going.take()
    last = [ran(ReportDirectory.of_a_run(tmp_path)) for _ in range(KEPT + 2)][-1]
    kept = set((tmp_path / "runs").iterdir())
    assert {other, going.directory, last.directory} <= kept
    assert len(kept) <= KEPT + 2
    going.give_back()


def test_a_report_of_an_earlier_version_is_kept_as_a_run(tmp_path: Path) -> None:
    """`latest` was a directory once; its report stays."""
    (tmp_path / "latest").mkdir()
    old = '{"schema": "sixproof/results/v1"}'
    (tmp_path / "latest/results.json").write_text(old)
    new = ran(ReportDirectory.of_a_run(tmp_path), "new")
    assert (tmp_path / "latest/results.json").read_text() == "new"
    others = [p for p in (tmp_path / "runs").iterdir() if p != new.directory]
    assert [(p / "results.json").read_text() for p in others] == [old]


@pytest.mark.parametrize("name", ["results.json", "junit.xml"])
def test_foreign_files_are_never_replaced(tmp_path: Path, name: str) -> None:
    """A directory whose files others wrote is refused, and stays as it is."""
    (tmp_path / name).write_text("{}")
    with pytest.raises(UsageError, match=f"{name} there was not written by sixproof"):
        ReportDirectory(tmp_path).take()
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_directory_of_our_own_gets_the_next_report(tmp_path: Path) -> None:
    """The last report is replaced once the run began, not before; other files stay."""
    directory, first = tmp_path / "named", '{"schema": "sixproof/results/v2"}'
    ran(ReportDirectory(directory), first)
    (directory / "log").write_text("mine")
    second = ReportDirectory(directory)
    second.take()
    assert (directory / "results.json").read_text() == first
    second.clear()
    assert {p.name for p in directory.iterdir()} == {"log", MARKER}
    second.give_back()


@pytest.mark.parametrize(
    ("name", "text", "foreign"),
    [
        ("results.json", "{}", True),
        ("junit.xml", '<testsuites><testsuite name="another"', True),
        ("junit.xml", f'<testsuites><testsuite name="{JUNIT_SUITE}"', False),
        ("summary.txt", "", False),
    ],
    ids=["results", "junit", "our own", "summary"],
)
def test_what_others_put_where_a_run_was_killed_stays(
    tmp_path: Path, name: str, text: str, foreign: bool
) -> None:
    """The marker of a run that was killed says nothing about a file that came later."""
    (tmp_path / MARKER).touch()
    (tmp_path / name).write_text(text)
    reports = ReportDirectory(tmp_path)
    if not foreign:
        ran(reports)
        return
    with pytest.raises(UsageError, match=f"{name} there was not written by sixproof"):
        reports.take()
    assert (tmp_path / name).read_text() == text


def test_reports_of_earlier_versions_are_our_own(tmp_path: Path) -> None:
    """Without a marker the schema of results.json shows it."""
    (tmp_path / "results.json").write_text('{"schema": "sixproof/results/v1"}')
    (tmp_path / "junit.xml").write_text("")
    ran(ReportDirectory(tmp_path))


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/nothere"])
def test_where_nothing_can_be_written_one_line_says_so(tmp_path: Path, place: str) -> None:
    """A file, and a file system that takes nothing: the place, the reason, and what to do."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError) as refused:
        ReportDirectory(tmp_path / place).take()
    assert "cannot be written" in str(refused.value)
    assert "--six-report-dir" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_name_that_cannot_be_looked_at_is_one_line(tmp_path: Path) -> None:
    """The system takes no name of that length."""
    with pytest.raises(UsageError, match="File name too long"):
        ReportDirectory(tmp_path / ("x" * 300)).take()


@pytest.mark.parametrize("kind", ["directory", "file", "link"])
def test_what_is_called_latest_and_is_not_ours_stays(tmp_path: Path, kind: str) -> None:
    """No link leads to the report then, however many runs there are."""
    latest, mine = tmp_path / "latest", tmp_path / "elsewhere"
    mine.mkdir()
    (mine / "mine.txt").write_text("x", encoding="utf-8")
    if kind == "directory":
        mine.rename(latest)
    elif kind == "link":
        latest.symlink_to(mine)
    else:
        latest.write_text("x", encoding="utf-8")
    for _ in range(KEPT + 1):
        with pytest.raises(FileExistsError, match="stays as it is"):
            ran(ReportDirectory.of_a_run(tmp_path))
    text = latest if kind == "file" else latest / "mine.txt"
    assert text.read_text(encoding="utf-8") == "x"
