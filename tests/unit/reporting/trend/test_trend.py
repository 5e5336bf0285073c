"""The trend of many runs: what changed, what is flaky, what became slow; and its file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from sixproof import __main__ as command_line
from sixproof import records
from sixproof.errors import UsageError
from sixproof.model import Family
from sixproof.reporting.compare.run_digest import RunDigest
from sixproof.reporting.conclusion.conclude import conclude
from sixproof.reporting.diagnosis.verdicts import Word
from sixproof.reporting.pages.styled_text import plain
from sixproof.reporting.results.report_files import write_bundle
from sixproof.reporting.results.test_record import CaseOutcome, Convergence
from sixproof.reporting.trend.changes import Trend
from sixproof.reporting.trend.command import page
from sixproof.reporting.trend.history import KEPT, History
from sixproof.reporting.trend.lines import trend_lines
from sixproof.reporting.trend.past_run import PastFamily, PastRun
from tests.unit.reporting.samples import broken, facts

SIX = Family.IPV6
PASSED, FAILED, SKIPPED = CaseOutcome.PASSED, CaseOutcome.FAILED, CaseOutcome.SKIPPED


def past(
    day: int, *bad: str, word: Word = Word.WORKS, seconds: float = 500.0, **more: object
) -> PastRun:
    """A run of a night."""
    made = PastRun(
        schema="sixproof/trend/v1",
        id=f"six-{day}",
        started=f"2026-11-{day:02}T02:00:00Z",
        seconds=seconds,
        harness="0.1.0",
        server="https://api.staging:6443",
        nodes=("a", "b"),
        kubernetes="v1.34.4",
        cni="Calico v3.31.0",
        options="",
        families=(PastFamily(SIX, word, 90, 100),),
        tests=((PASSED, 10), (SKIPPED, 2)),
        others=tuple((test, FAILED) for test in bad),
        causes=("node a: no route",) if word is Word.BROKEN else (),
    )
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


def test_what_is_kept_of_a_run_says_what_its_results_say() -> None:
    """Small, and the same after it was written and read."""
    results = dataclasses.replace(
        broken(),
        facts=facts(),
        convergences=tuple(
            Convergence(test="t", what=f"opened {s}", seconds=s, family=SIX)
            for s in (1.0, 4.0, 2.0)
        ),
    )
    kept = PastRun.of(RunDigest.of(results, conclude(results)))
    assert [(one.family, one.word) for one in kept.families] == [
        (Family.IPV4, Word.WORKS),
        (SIX, Word.BROKEN),
    ]
    assert dict(kept.tests)[FAILED] == 1
    assert FAILED in dict(kept.others).values()
    assert kept.nodes == ("control-plane", "worker", "worker2")
    assert "worker2" in kept.causes[0]
    text = json.dumps(records.to_json(kept))
    assert len(text) < 4000
    assert records.from_json(PastRun, json.loads(text)) == kept


def test_a_change_of_a_verdict_is_told_with_its_cause() -> None:
    """When it breaks; when it is right again there is none."""
    runs = [past(1), past(2, word=Word.BROKEN), past(3, word=Word.BROKEN), past(4)]
    said = plain(trend_lines(Trend.of(runs)))
    assert "2026-11-02 02:00: IPv6 broken, was works: node a: no route" in said
    assert "2026-11-04 02:00: IPv6 works, was broken\n" in said
    assert said.count(", was ") == 2
    assert "Slower" not in said


@pytest.mark.parametrize(
    ("row", "flaky"),
    [("xxxx", 0), ("..x.", 0), ("..xx", 0), (".x.x", 1), ("x.x.x", 1), (".s.x.x", 1), (".sss", 0)],
)
def test_a_test_that_passes_and_fails_in_turn_is_flaky(row: str, flaky: int) -> None:
    """A fault that came and went is none; a run that skipped it says nothing."""
    outcome = {"x": FAILED, "s": SKIPPED}
    runs = [
        past(day, others=(("t", outcome[how]),) if how in outcome else ())
        for day, how in enumerate(row, 1)
    ]
    assert len(Trend.of(runs).flaky) == flaky
    assert ("pass and fail in turn" in plain(trend_lines(Trend.of(runs)))) is bool(flaky)


def test_runs_that_asked_something_else_are_not_compared() -> None:
    """Neither their tests nor their times."""
    other = [past(day, *"t" * (day % 2), options="-k dns", seconds=10.0) for day in range(1, 9)]
    trend = Trend.of([*other, past(9)])
    assert (trend.flaky, trend.slower) == ((), ())


def test_what_takes_longer_than_usual_is_told() -> None:
    """The run, or a change; where enough runs say what is usual, and by enough seconds."""

    def settled(day: int, seconds: float, change: float) -> PastRun:
        family = PastFamily(SIX, Word.WORKS, 1, 1, (0.5, change))
        return past(day, seconds=seconds, families=(family,))

    usual = [settled(day, 500 + day, 1.0) for day in range(1, 5)]
    said = plain(trend_lines(Trend.of([*usual, settled(6, 700, 9.0)])))
    assert "the whole run: 700.0 s, usually 502.5 s (1.4x)" in said
    assert "the longest change over IPv6 to take effect: 9.0 s, usually 1.0 s (9.0x)" in said
    assert Trend.of([*usual, settled(6, 560, 2.5)]).slower == ()
    assert Trend.of([*usual[:2], settled(6, 700, 9.0)]).slower == ()


def test_a_history_is_of_one_cluster_and_has_an_end(tmp_path: Path) -> None:
    """A run that it has is replaced, the oldest ones go, damaged lines are told and left out."""
    path = tmp_path / "deep" / "history.jsonl"
    history = History.read(path)
    for number in range(KEPT + 3):
        one = past(1, id=f"six-{number}", started=f"{2000 + number}-01-01T00:00:00Z")
        history = history.with_run(one)
    history = history.with_run(dataclasses.replace(history.runs[5], seconds=7.0))
    history.write(path)
    path.write_text(f"{path.read_text()}\nnonsense\n[]\n{{}}\n", encoding="utf-8")
    again = History.read(path)
    assert again.runs == history.runs
    assert (len(again.runs), again.runs[5].seconds) == (KEPT, 7.0)
    assert len(again.damaged) == 3
    assert all("history.jsonl, line 40" in line for line in again.damaged)
    with pytest.raises(UsageError, match="a history is of one cluster"):
        again.with_run(past(1, server="https://other", nodes=("x",)))
    again.with_run(past(1, server="https://other"))
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        History.read(tmp_path)
    with pytest.raises(UsageError, match="cannot be written"):
        again.write(path / "below")


def test_the_command_adds_runs_and_writes_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a report's directory; text, JSON and page say the same."""
    write_bundle(tmp_path / "report", dataclasses.replace(broken(), facts=facts()))
    history, html = tmp_path / "history.jsonl", tmp_path / "trend.html"
    words = ["trend", str(history), "--add", str(tmp_path / "report"), "--html", str(html)]
    assert command_line.main(words) == 0
    assert "broken" in capsys.readouterr().out
    assert "1 failed" in html.read_text(encoding="utf-8")
    assert command_line.main(["trend", str(history), "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert run["id"] == broken().run.id
    assert command_line.main(["trend", str(tmp_path / "none"), "--add", str(tmp_path)]) == 2
    assert "results.json" in capsys.readouterr().err
    assert command_line.main(["trend", str(tmp_path / "none")]) == 0
    assert capsys.readouterr().out == "no run\n"


def test_text_of_a_history_is_no_markup() -> None:
    """It may come from anywhere."""
    text = "<script>alert(1)</script>"
    runs = [past(1), past(2, word=Word.BROKEN, causes=(text,), cni=text, server=text)]
    drawn = page(Trend.of(runs))
    assert text not in drawn
    assert "&lt;script&gt;" in drawn
