"""The words of a comparison: in the terminal, on the page, and as JSON."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from sixproof.model import Family, Finding, Severity
from sixproof.reporting.compare import wording
from sixproof.reporting.compare.comparison import RunComparison
from sixproof.reporting.compare.lines import ROWS, compared_lines
from sixproof.reporting.compare.page import compared_json, compared_page, write_comparison
from sixproof.reporting.pages.styled_text import plain
from sixproof.reporting.results.application_record import ApplicationRow, Readiness
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome, Convergence
from tests.unit.reporting.compare.two_runs import (
    BROKEN,
    FAILED,
    PASSED,
    case,
    compared,
    mesh,
    on,
    over,
    run,
    without,
)
from tests.unit.reporting.pages.test_markup import HOSTILE, Reader, spiked
from tests.unit.reporting.samples import facts, pods


def text(comparison: RunComparison, *, every: bool = False) -> str:
    """The comparison in a terminal of 100 columns."""
    return plain(compared_lines(comparison, every=every))


WORSE = compared(run(1, mesh()), run(2, mesh(on("worker"))))
FIXED = compared(run(1, mesh(on("worker"))), run(2, mesh()))
SAME = compared(run(1, mesh(on("worker"))), run(2, mesh(on("worker"))))
GREEN = compared(run(1, mesh()), run(2, mesh()))
BROKE = compared(run(1, cases=[case(PASSED)]), run(2, cases=[case(BROKEN)]))
ELSEWHERE = compared(
    run(1, mesh()),
    run(2, cluster=dataclasses.replace(facts(), nodes=facts().nodes[:0])),
)


@pytest.mark.parametrize(
    ("comparison", "outcome"),
    [
        (WORSE, "New failures: 1 test"),
        (FIXED, "No failure"),
        (SAME, "No new failure; 1 test fails as before"),
        (GREEN, "No failure"),
        (BROKE, "1 test came to no verdict"),
    ],
)
def test_the_outcome_in_a_sentence(comparison: RunComparison, outcome: str) -> None:
    """It is the last line of the terminal, and the first of the page."""
    assert wording.outcome(comparison) == outcome
    assert text(comparison).endswith(f"\n\n{outcome}\n")
    assert f"<b>{outcome}</b>" in compared_page(comparison)


def test_two_clusters_in_a_sentence() -> None:
    """Nothing else is said."""
    said = wording.outcome(ELSEWHERE)
    assert said.startswith("These runs cannot be compared: https://127.0.0.1:6443 (nodes ")
    assert wording.sections(ELSEWHERE) == ()
    assert "cannot be compared" in text(ELSEWHERE)
    assert compared_json(ELSEWHERE)["comparable"] is False


def ended(number: int, *outcomes: CaseOutcome, apps: Readiness | None = None) -> Results:
    """A run of tests without cells, and a port of an application."""
    cases = [case(o, f"t.py::t{n}") for n, o in enumerate(outcomes)]
    rows: tuple[ApplicationRow, ...] = ()
    if apps:
        cases.append(case(FAILED, "t.py::apps", categories=("Application",)))
        rows = tuple(ApplicationRow("shop", f"s{n}", "80", apps) for n in range(2))
    return run(number, cases=cases, applications=rows)


def test_all_kinds_of_failures_in_a_sentence() -> None:
    """Those that are new first."""
    before = ended(1, PASSED, PASSED, FAILED, PASSED, apps=Readiness.READY)
    after = ended(2, FAILED, FAILED, FAILED, BROKEN, apps=Readiness.NOT_READY)
    assert wording.outcome(compared(before, after)) == (
        "New failures: 2 tests and 2 ports of applications; 1 test came to no verdict; "
        "2 tests fail as before"
    )


def test_what_left_something_unmeasured_is_in_the_sentence() -> None:
    """With its subject."""
    blocker = Finding("probe-pods", Severity.ERROR, "node worker\n", "not covered")
    said = wording.outcome(compared(run(1, mesh()), run(2, mesh(), findings=(blocker,))))
    assert said == "Not all could be measured (node worker)"


def test_where_no_test_passed() -> None:
    """Nothing failed anew, and nothing is shown."""
    bare = without(run(2), cases=(case(CaseOutcome.SKIPPED),))
    said = wording.outcome(compared(run(1, mesh()), bare))
    assert said == "No new failure, and no test passed: nothing is shown"


def test_what_is_new_comes_first() -> None:
    """In its order, with the difference below each line."""
    assert text(WORSE).startswith(
        "Compared: run a1b1c1 of 2026-11-01T02:00:00Z, then run a2b2c2 of 2026-11-02T02:00:00Z\n"
        "\n"
        "New\n"
        "  ! all IPv6 flows to and from pods on worker across nodes are DROPPED "
        "(144 of 144 cells)\n"
        "      144 results of it right before\n"
        "  ! test: test_mesh: failed\n"
        "      was passed: 144 results, as IPv6 a@control-plane -> a@worker tcp/8080; "
        "IPv6 a@control-plane ->\n"
        "      a@worker tcp/8081\n"
        "\n"
        "Results by class of edge\n"
        "  ! IPv6 flows, pod to pod, other node: 144 newly wrong, 72 right in both\n"
    )
    assert "\nVerdict\n    IPv4: works, as before\n  ~ IPv6: works, then broken\n" in text(WORSE)


def test_what_is_gone_says_that_it_was_measured_again() -> None:
    """And what is not comparable says that it is neither."""
    assert "\nGone (measured again, and right)\n  + all IPv6 flows to and from" in text(FIXED)
    small = mesh(endpoints=pods(nodes=("control-plane", "worker2")))
    said = text(compared(run(1, mesh(on("worker"))), run(2, small)))
    assert "Gone" not in said
    assert "Not comparable (not measured in one of the two runs: neither new nor gone)\n" in said
    assert "144 were wrong, not measured now" in " ".join(said.split())


def test_lines_fit_the_terminal() -> None:
    """Of any width, but for words that do not."""
    for width in (60, 100, 140):
        assert max(len(line) for line in compared_lines(WORSE, width=width)) <= width


def many(number: int, outcome: CaseOutcome) -> Results:
    """A run of many tests."""
    return ended(number, *[outcome] * 30)


def test_a_long_section_is_cut() -> None:
    """The rest is counted; `every` leaves nothing out."""
    comparison = compared(many(1, PASSED), many(2, FAILED))
    assert text(comparison).count("  ! test: ") <= ROWS
    assert re.search(r"\n  \.\.\. and \d\d more lines\n", text(comparison))
    assert text(comparison, every=True).count("  ! test: ") == 30
    assert "more line" not in text(comparison, every=True)
    same = compared(many(1, FAILED), many(2, FAILED))
    assert text(same).count("  = ") == 4


def test_times_and_surroundings_are_said() -> None:
    """In seconds, and as they were."""
    one = Convergence("deny all", 1.0, Family.IPV6)
    two = Convergence("deny all", 9.0, Family.IPV6)
    before = run(1, mesh(), convergences=(one,), environment=(("CNI", "Calico"),))
    after = run(2, mesh(), convergences=(two,), environment=(("Pod MTU", "1450"),))
    said = text(compared(before, after))
    assert "  ~ IPv6: median 1.0 s, then 9.0 s (1 change that both runs made)\n" in said
    assert "      slower: deny all, 1.0 s, then 9.0 s\n" in said
    assert "  ~ CNI: Calico, then -\n  ~ Pod MTU: -, then 1450\n" in said


def test_notes_come_before_all() -> None:
    """What a reader must know."""
    said = text(compared(run(2, mesh()), run(1, mesh())))
    assert "\n\nNotes\n  ? run a2b2c2 is the later one" in said


def everything(spike: str) -> RunComparison:
    """A comparison that fills every section, with the spike in every text."""
    small = mesh(over(Family.IPV4), endpoints=pods(nodes=("control-plane", "worker2")))
    findings = tuple(Finding(c, Severity.ERROR, "x", "y") for c in ("one", "two"))
    limit = Case("t.py::limit", CaseOutcome.PASSED, title="limit")
    more = (("Kubernetes", "v1"),)
    rows = (ApplicationRow("shop", "web", "80", Readiness.NOT_READY, (), ("refuses",)),)
    before = run(1, mesh(on("worker")), findings=findings[:1], environment=more)
    before = without(before, cases=(*before.cases, limit), damaged=("x",), applications=rows)
    before = without(before, convergences=(Convergence("deny", 1.0),))
    after = run(2, small, findings=findings[1:], applications=rows)
    after = without(after, convergences=(Convergence("deny", 9.0),))
    made: tuple[Results, Results] = (spiked(before, spike), spiked(after, spike))
    return compared(*made)


def test_whatever_a_text_looks_like_it_stays_text() -> None:
    """Names in a file may be anybody's: markup in them is shown, and is no markup."""
    tame = HOSTILE.translate(str.maketrans("<>\"'&", "[]``+"))
    hostile, harmless = (compared_page(everything(spike)) for spike in (HOSTILE, tame))
    assert Reader(hostile).seen == Reader(harmless).seen
    assert HOSTILE not in hostile


@pytest.mark.parametrize("spike", ["\x1b[2J", "\u202e", "\r\n", "\x07\x00"])
def test_no_character_of_a_file_is_obeyed(spike: str) -> None:
    """By a terminal, or by what decides the direction of writing."""
    comparison = everything(spike)
    assert all(line.isprintable() for line in text(comparison, every=True).split("\n"))
    page = re.sub(r"<style>.*?</style>", "", compared_page(comparison), flags=re.S)
    assert all(line.isprintable() for line in page.split("\n"))
    assert json.dumps(compared_json(comparison)).isascii()


def test_the_page_stands_alone() -> None:
    """No script, nothing loaded; each section has its place, and is linked."""
    page = compared_page(everything("a"), "status line")
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=\"(?!#)", page)
    links = set(re.findall(r'href="#(\w+)"', page))
    assert links == set(re.findall(r'id="(\w+)"', page))
    assert len(links) == len(wording.sections(everything("a")))
    assert "status line" in page


def test_a_long_page_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The JSON has all."""
    monkeypatch.setattr("sixproof.reporting.compare.page.ROWS", 5)
    comparison = compared(many(1, PASSED), many(2, FAILED))
    assert compared_page(comparison).count(">test</span>") <= 5
    assert re.search(r"and \d+ more, which the JSON has", compared_page(comparison))
    assert len(compared_json(comparison)["newFailures"]) == 30


@pytest.mark.parametrize(
    ("comparison", "grade"),
    [
        (WORSE, "broken"),
        (BROKE, "broken"),
        (SAME, "works"),
        (GREEN, "works"),
        (ELSEWHERE, "unsure"),
    ],
)
def test_the_colour_of_the_outcome(comparison: RunComparison, grade: str) -> None:
    """What cannot be compared is neither good nor bad."""
    assert f'<div class="verdict {grade}">' in compared_page(comparison)


def test_the_json_has_all_of_it() -> None:
    """Under a schema of its own."""
    found = compared_json(WORSE)
    assert found["schema"] == "sixproof/compare/v1"
    assert found["newFailures"] == ["suites/pods/test_mesh.py::test_mesh"]
    assert found["knownFailures"] == found["notes"] == found["newPorts"] == []
    assert [one["difference"] for one in found["items"]] == ["new", "new"]
    assert found["items"][1]["counts"] is True
    assert found["classes"][0]["counts"] == {"new": 144, "right in both": 72}
    assert found["before"]["id"] == "a1b1c1"
    assert json.loads(json.dumps(found)) == found


def test_a_comparison_is_written_beside_the_report(tmp_path: Path) -> None:
    """As page, text and JSON; the status of the run is said first."""
    paths = write_comparison(tmp_path / "new", SAME, "Exit status 0: x")
    assert [p.name for p in paths.values()] == ["compare.html", "compare.txt", "compare.json"]
    said = (tmp_path / "new/compare.txt").read_text(encoding="utf-8")
    assert said.endswith("No new failure; 1 test fails as before\nExit status 0: x\n")
    assert "Exit status 0: x" in (tmp_path / "new/compare.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "new/compare.json").read_text())["newFailures"] == []
    write_comparison(tmp_path / "new", SAME)
    assert "Exit status" not in (tmp_path / "new/compare.txt").read_text(encoding="utf-8")


def test_why_a_run_ends_as_it_does() -> None:
    """A run that fails on new failures alone says so."""
    assert wording.exit_reason(SAME, excused=True) == (
        "Exit status 0: 1 test did not pass, and did not in run a1b1c1 either; nothing is new "
        "(--six-fail-on new)"
    )
    assert wording.exit_reason(WORSE, excused=False) == (
        "Not excused by the baseline (--six-fail-on new): New failures: 1 test"
    )
    assert wording.exit_reason(SAME, excused=False, why_not="the run ended early").endswith(
        "(--six-fail-on new): the run ended early"
    )
