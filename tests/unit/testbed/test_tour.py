"""The tour of the variants, with commands that do nothing."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from sixproof.reporting.pages.styled_text import plain
from sixproof.reporting.pages.summary import summary_lines
from testbed import cli, record, tour
from testbed.errors import BedError
from testbed.host.paths import Cache
from testbed.tour import Stop, TourState
from testbed.variants import variant
from tests.unit.reporting.samples import broken
from tests.unit.testbed.test_record import BED

SUMMARY = """Verdict
  IPv4  works         12 of 12 cells as expected
  IPv6  {word}  12 of 12 cells as expected, median answer in 0.4 ms
  Tests  {tests}
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "suites").mkdir()
    monkeypatch.setattr(tour, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


class Scripted:
    """Runs nothing: commands end as `ends` says of their last words, and suites leave a summary."""

    def __init__(self, checkout: Path, ends: Mapping[str, int | None], summary: str = "") -> None:
        self.checkout, self.ends = checkout, ends
        self.summary = summary or SUMMARY.format(word="works       ", tests="9 passed, 2 skipped")
        self.commands: list[str] = []

    def __call__(self, words: Sequence[str], env: Mapping[str, str], seconds: float) -> int | None:
        del seconds
        line = " ".join(words[2:])
        self.commands.append(line)
        if "suites" in line:
            assert env == {variant.VARIABLE: words[words.index("--six-variant") + 1]}
            folder = self.checkout / words[words.index("--six-report-dir") + 1]
            folder.mkdir(parents=True, exist_ok=True)
            if self.summary:
                (folder / "summary.txt").write_text(self.summary)
        ends = next((status for key, status in self.ends.items() if key in line), 0)
        if ends == 130:
            raise KeyboardInterrupt
        return ends


def states(stops: Sequence[Stop]) -> list[tuple[str, TourState]]:
    return [(stop.variant, stop.state) for stop in stops]


def test_each_variant_comes_up_is_tested_and_goes(checkout: Path, cache: Cache) -> None:
    go = Scripted(checkout, {})
    stops, interrupted = tour.tour(["bgp", "rr"], cache, go=go, pytest_words=["-k", "pods"])
    assert not interrupted
    assert states(stops) == [("bgp", TourState.GREEN), ("rr", TourState.GREEN)]
    provider = "--six-provider kind --six-variant bgp"
    assert go.commands[:4] == [
        "testbed --variant bgp up",
        f"pytest --six-cleanup {provider}",
        f"pytest suites -n 2 {provider} --six-report-dir reports/variants/bgp -k pods",
        "testbed --variant bgp down",
    ]
    assert stops[0].counts == {"passed": 9, "skipped": 2}
    assert stops[0].verdicts == {"IPv4": "works", "IPv6": "works"}
    assert all(stop.green for stop in stops)


@pytest.mark.parametrize(
    ("ends", "summary", "state"),
    [
        ({"pytest suites": 1}, "", TourState.RED),
        ({"pytest suites": None}, "", TourState.NO_TIME),
        ({"--variant bgp up": 2}, "", TourState.NOT_UP),
        ({"--variant bgp up": None}, "", TourState.NO_TIME),
        ({}, "nothing of use", TourState.NO_RESULT),
        ({"pytest suites": 4}, "nothing of use", TourState.NO_RESULT),
        ({}, SUMMARY.format(word="not measured", tests="3 skipped"), TourState.NO_RESULT),
    ],
)
def test_it_goes_on_after_a_variant_that_is_not_green(
    checkout: Path, cache: Cache, ends: dict[str, int | None], summary: str, state: TourState
) -> None:
    first = Scripted(checkout, ends, summary)
    stops, _ = tour.tour(["bgp", "rr"], cache, go=first)
    assert stops[0].state is state
    assert not stops[0].green
    assert [stop.variant for stop in stops] == ["bgp", "rr"]
    assert "testbed --variant bgp down" in first.commands


def test_a_hostile_variant_only_has_to_come_up(checkout: Path, cache: Cache) -> None:
    go = Scripted(checkout, {})
    (stop,), _ = tour.tour(["staging"], cache, go=go)
    assert go.commands == ["testbed --variant staging up", "testbed --variant staging down"]
    assert (stop.state, stop.green) == (TourState.UP, True)
    (late,), _ = tour.tour(["staging"], cache, go=Scripted(checkout, {"up": 2}))
    assert (late.state, late.green) == (TourState.NOT_UP, False)


def test_a_summary_of_an_earlier_tour_does_not_count(checkout: Path, cache: Cache) -> None:
    old = checkout / "reports/variants/bgp"
    old.mkdir(parents=True)
    (old / "summary.txt").write_text(SUMMARY.format(word="works       ", tests="9 passed"))
    silent = Scripted(checkout, {})
    silent.summary = ""
    (stop,), _ = tour.tour(["bgp"], cache, go=silent)
    assert (stop.state, stop.counts) == (TourState.NO_RESULT, {})


def test_a_bed_that_stood_before_is_kept(checkout: Path, cache: Cache) -> None:
    folder = cache.cluster("six")
    folder.mkdir(parents=True)
    record.write(folder, BED)
    go = Scripted(checkout, {})
    stops, _ = tour.tour(["dual", "rr"], cache, go=go)
    assert [line for line in go.commands if line.endswith("down")] == ["testbed --variant rr down"]
    assert [stop.removed for stop in stops] == [None, True]


def test_a_bed_that_cannot_be_removed_makes_it_red(checkout: Path, cache: Cache) -> None:
    (stop,), _ = tour.tour(["rr"], cache, go=Scripted(checkout, {"down": 2}))
    assert (stop.state, stop.green) == (TourState.GREEN, False)
    assert "green, NOT removed" in tour.table([stop])


def test_who_interrupts_gets_what_is_known_and_no_bed_is_left(checkout: Path, cache: Cache) -> None:
    go = Scripted(checkout, {"pytest suites": 130})
    stops, interrupted = tour.tour(["bgp", "rr"], cache, go=go)
    assert interrupted
    assert states(stops) == [("bgp", TourState.INTERRUPTED)]
    assert go.commands[-1] == "testbed --variant bgp down"
    assert stops[0].removed


def test_without_suites_there_is_nothing_to_run(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tour, "ROOT", tmp_path)
    with pytest.raises(BedError, match="checkout"):
        tour.tour(["rr"], cache, go=Scripted(tmp_path, {}))


def test_suites_that_are_named_stand_for_all_of_them() -> None:
    assert tour.places(["-k", "pods"]) == ("suites",)
    assert tour.places(["suites/pods", "-x"]) == ()


def test_the_summary_is_read_as_the_harness_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "summary.txt"
    path.write_text(plain(summary_lines(broken())), encoding="utf-8")
    counts, verdicts = tour.read(path)
    assert verdicts == {"IPv4": "works", "IPv6": "broken"}
    assert counts == {str(k): n for k, n in broken().counts().items() if n}


def test_the_table_has_a_line_a_variant(checkout: Path, tmp_path: Path) -> None:
    done = Stop(
        "bgp",
        TourState.RED,
        61.0,
        75.4,
        1,
        {"passed": 9, "failed": 1, "broken": 2, "skipped": 3},
        {"IPv4": "works", "IPv6": "not proven"},
        "reports/variants/bgp",
        True,
    )
    lines = [
        line.split("  ") for line in tour.table([done, Stop("rr", TourState.NOT_UP)]).splitlines()
    ]
    cells = [[word.strip() for word in line if word.strip()] for line in lines]
    assert cells[0] == list(tour.COLUMNS)
    took = ["1 min 01 s", "1 min 15 s"]
    assert cells[1] == ["bgp", "red", "9", "3", "3", *took, "IPv4 works, IPv6 not proven"]
    assert cells[2] == ["rr", "did not come up", *"------"]
    tour.write([done], tmp_path / "reports/variants.json")
    (written,) = json.loads((tmp_path / "reports/variants.json").read_text())["variants"]
    assert (written["variant"], written["green"], written["counts"]["broken"]) == ("bgp", False, 2)


def test_the_default_comes_first_and_names_must_be_variants() -> None:
    assert tour.chosen("rr, dual") == ("dual", "rr")
    assert tour.chosen("")[0] == "dual"
    assert set(tour.chosen("")) == set(variant.names()) - {"twin"}
    assert tour.chosen("twin") == ("twin",)
    with pytest.raises(BedError, match="triple"):
        tour.chosen("dual,triple")


def test_ci_has_another_variant_each_day_and_all_of_them_in_turn() -> None:
    first = datetime.date(2026, 12, 28)
    days = [first + datetime.timedelta(n) for n in range(len(tour.FIT_FOR_CI))]
    assert sorted(map(tour.of_the_day, days)) == sorted(tour.FIT_FOR_CI)
    assert tour.of_the_day(first) == tour.of_the_day(first)


def test_what_ci_runs_are_variants_and_not_the_default() -> None:
    """CI runs the default every day."""
    assert set(tour.FIT_FOR_CI) <= set(variant.names()) - {variant.DEFAULT}
    assert len(set(tour.FIT_FOR_CI)) == len(tour.FIT_FOR_CI)
    assert not any(variant.load(name).hostile for name in tour.FIT_FOR_CI)


@pytest.mark.parametrize(
    ("ends", "status"), [({}, 0), ({"pytest suites": 1}, 1), ({"pytest suites": 130}, 130)]
)
def test_the_exit_status_says_whether_all_were_green(
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ends: dict[str, int | None],
    status: int,
) -> None:
    go = Scripted(checkout, ends)
    monkeypatch.setenv("SIX_CACHE", str(checkout / "cache"))
    given = tour.tour

    def scripted(
        names: Sequence[str], cache: Cache, minutes: float, words: Sequence[str]
    ) -> tuple[list[Stop], bool]:
        return given(names, cache, minutes, words, go)

    monkeypatch.setattr(tour, "tour", scripted)
    assert cli.main(["variants", "--only", "rr"]) == status
    assert capsys.readouterr().out.startswith("variant  result")
    assert (checkout / "reports/variants/variants.json").is_file()


def test_words_for_pytest_may_be_options() -> None:
    """As .ci/run gives them."""
    given = ["variants", "--of-the-day", "--minutes", "15", "--pytest=--last-failed"]
    read = cli.parser().parse_args(given)
    assert (read.of_the_day, read.minutes, read.pytest) == (True, 15.0, "--last-failed")


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "1441", "ten"])
def test_a_variants_time_is_bounded(minutes: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.parser().parse_args(["variants", "--minutes", minutes])
    assert "--minutes" in capsys.readouterr().err


def test_an_unknown_variant_is_reported_before_anything_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["variants", "--only", "triple"]) == 2
    assert "triple" in capsys.readouterr().err


STUBBORN = (
    "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(); time.sleep(60)"
)


def test_a_run_that_has_no_time_left_is_ended_politely_first() -> None:
    words = (sys.executable, "-c", "import time; time.sleep(60)")
    assert tour.run(words, {}, 0.2) is None


def test_who_ignores_that_is_ended_all_the_same() -> None:
    words = (sys.executable, "-c", STUBBORN)
    with subprocess.Popen(words, start_new_session=True, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        tour.end(process, [(number, 0.2) for number, _ in tour.MANNERS])
        assert process.returncode == -15


def test_a_command_is_given_what_the_environment_is_to_say() -> None:
    words = (sys.executable, "-c", "import os; raise SystemExit(os.environ['SIX_VARIANT'] != 'rr')")
    assert tour.run(words, {"SIX_VARIANT": "rr"}, 30) == 0
