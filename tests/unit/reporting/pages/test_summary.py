"""The end of a run: verdicts, faults, summary and overview say the same, and never too much."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from sixproof.model import Family, Flow, MatrixKind, Outcome
from sixproof.reporting.diagnosis.faults import chosen, faults
from sixproof.reporting.diagnosis.verdicts import Word, headline, verdicts
from sixproof.reporting.pages.overview import overview
from sixproof.reporting.pages.styled_text import Text, Tone, plain, rendered
from sixproof.reporting.pages.summary import APPLICATIONS, summary_lines
from sixproof.reporting.results.application_record import ApplicationRow, Readiness, by_namespace
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.report_files import write_bundle
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.reporting.samples import (
    DENY,
    RUN,
    broken,
    facts,
    measured,
    pods,
    topology,
    v6_tunnel_broken,
    works,
)


def test_each_family_gets_its_verdict() -> None:
    ipv4, ipv6 = verdicts(broken())
    assert (ipv4.word, ipv6.word) == (Word.WORKS, Word.BROKEN)
    assert ipv6.reason == (
        "1188 of 1296 cells as expected, 108 fail but must be allowed, 1 test found it wrong, "
        "0 of 2 tests of this family alone passed, 1 test that may concern it did not pass, "
        "median answer in 0.4 ms"
    )
    assert headline(broken()) == "IPv6 broken, IPv4 works - 1 failed, 1 broken of 4 tests"


def test_what_is_not_proven_stands_below_what_is_wrong() -> None:
    """And first of all where nothing that was measured is wrong, in terminal and overview alike."""
    closed = Case("t", CaseOutcome.NOT_PROVEN)
    for results, order in (
        (broken(), ["Conclusion", "Not proven, and why"]),
        (Results(RUN, matrices=(measured(works),)), ["Not proven, and why"]),
        (
            Results(RUN, matrices=(measured(lambda _: Outcome.UNKNOWN),)),
            ["Not proven, and why", "Conclusion"],
        ),
    ):
        run = dataclasses.replace(results, cases=(*results.cases, closed))
        lines = [plain([line]).strip() for line in summary_lines(run)]
        assert [line for line in lines if line in order] == order
        titles = re.findall("<h2[^>]*>([^<]*)</h2>", overview(run))
        assert titles[: len(order)] == order


@pytest.mark.parametrize(
    ("results", "word"),
    [
        (Results(RUN), Word.UNMEASURED),
        (Results(RUN, matrices=(Measured(topology(works)),)), Word.UNMEASURED),
        (Results(RUN, matrices=(measured(works),)), Word.WORKS),
        (Results(RUN, matrices=(measured(lambda _: Outcome.UNKNOWN),)), Word.UNPROVEN),
        (Results(RUN, cases=(Case("t", CaseOutcome.PASSED, family=Family.IPV6),)), Word.UNMEASURED),
        (Results(RUN, cases=(Case("t", CaseOutcome.FAILED, family=Family.IPV6),)), Word.UNPROVEN),
        (
            Results(RUN, cases=(Case("t", CaseOutcome.FAILED, accuses=(Family.IPV6,)),)),
            Word.BROKEN,
        ),
        (Results(RUN, cases=(Case("t", CaseOutcome.BROKEN, family=Family.IPV6),)), Word.UNPROVEN),
        (
            Results(RUN, cases=(Case("t", CaseOutcome.SKIPPED, family=Family.IPV6),)),
            Word.UNMEASURED,
        ),
    ],
    ids=[
        "nothing",
        "unjudged",
        "right",
        "unknown",
        "passed",
        "failed",
        "accused",
        "broken",
        "skipped",
    ],
)
def test_ipv6_is_never_good_by_absence(results: Results, word: Word) -> None:
    verdict = next(v for v in verdicts(results) if v.family is Family.IPV6)
    assert verdict.word is word


def test_a_family_of_which_nothing_was_carried_is_not_said_to_work() -> None:
    """Not by right addresses and routes, and not by tests that read objects: no packet crossed."""

    def word_of(kind: MatrixKind, *more: Measured) -> Word:
        matrix = dataclasses.replace(measured(works).matrix, kind=kind)
        one = dataclasses.replace(measured(works), matrix=matrix)
        case = Case("t", CaseOutcome.PASSED, family=Family.IPV6)
        found = verdicts(Results(RUN, matrices=(one, *more), cases=(case,)))
        return next(v.word for v in found if v.family is Family.IPV6)

    assert word_of(MatrixKind.ADDRESSES) is word_of(MatrixKind.ROUTES) is Word.UNMEASURED
    assert word_of(MatrixKind.PATHS) is word_of(MatrixKind.DNS_ANSWERS) is Word.WORKS
    assert word_of(MatrixKind.ADDRESSES, measured(works)) is Word.WORKS

    matrix = topology(lambda _: Outcome.DROPPED)
    denied = Measured(matrix, dict.fromkeys(matrix.cells, DENY), "t")
    assert word_of(MatrixKind.ADDRESSES, denied) is word_of(MatrixKind.ROUTES, denied)
    assert word_of(MatrixKind.ROUTES, denied) is Word.UNPROVEN
    assert word_of(MatrixKind.PATHS, denied) is Word.WORKS


def test_a_family_of_which_only_denied_questions_were_asked_is_not_said_to_work() -> None:
    """DNS questions that a policy denies, all as expected: nothing crossed the network."""
    matrix = dataclasses.replace(topology(lambda _: Outcome.DROPPED), kind=MatrixKind.DNS_QUESTIONS)
    denied = Measured(matrix, dict.fromkeys(matrix.cells, DENY), "t")
    case = Case("t", CaseOutcome.PASSED)
    found = {v.family: v for v in verdicts(Results(RUN, matrices=(denied,), cases=(case,)))}
    assert {v.word for v in found.values()} == {Word.UNPROVEN}
    assert "nothing of it was carried" in found[Family.IPV6].reason


@pytest.mark.parametrize(
    ("accuses", "ipv4", "ipv6"),
    [
        ((), Word.UNPROVEN, Word.UNPROVEN),
        ((Family.IPV6,), Word.WORKS, Word.FAULTY),
        ((Family.IPV4, Family.IPV6), Word.FAULTY, Word.FAULTY),
    ],
    ids=str,
)
def test_a_failure_without_a_matrix_speaks_against_the_families_of_its_wrong_answers(
    accuses: tuple[Family, ...], ipv4: Word, ipv6: Word
) -> None:
    """Where it does not say which they were, none is accused and none is called good; where every
    cell is as expected, the family is faulty and not broken."""
    case = Case("t.py::test_dns", CaseOutcome.FAILED, accuses=accuses)
    found = verdicts(Results(RUN, cases=(case,), matrices=(measured(works),)))
    assert [v.word for v in found] == [ipv4, ipv6]
    wanted = "1 test found it wrong" if accuses else "1 test that may concern it did not pass"
    assert wanted in found[1].reason


def test_a_family_is_not_accused_because_a_failing_test_asks_about_it() -> None:
    """Two nodes' IPv6 fails in a test of services whose first family is IPv4: IPv4 works."""
    broken_mesh = measured(v6_tunnel_broken)
    case = Case(broken_mesh.test, CaseOutcome.FAILED, family=Family.IPV4)
    passed = Case("t.py::test_b", CaseOutcome.PASSED, family=Family.IPV4)
    ipv4, ipv6 = verdicts(Results(RUN, cases=(case, passed), matrices=(broken_mesh,)))
    assert (ipv4.word, ipv6.word) == (Word.WORKS, Word.BROKEN)
    assert ipv4.reason.startswith(
        "324 of 324 cells as expected, 1 of 1 tests of this family alone passed"
    )
    assert "1 test found it wrong" in ipv6.reason


def test_a_family_that_a_test_could_not_measure_is_not_proven() -> None:
    """The other one is not touched, whatever the test asks about."""

    def lost(flow: Flow) -> Outcome:
        return Outcome.UNKNOWN if flow.family is Family.IPV6 else Outcome.ALLOWED

    unknown = measured(lost)
    case = Case(unknown.test, CaseOutcome.BROKEN, family=Family.IPV4)
    found = verdicts(Results(RUN, cases=(case,), matrices=(unknown,)))
    assert [v.word for v in found] == [Word.WORKS, Word.UNPROVEN]


def test_a_failure_whose_matrix_shows_the_family_counts_against_that_one_only() -> None:
    broken_mesh = measured(v6_tunnel_broken)
    case = Case(broken_mesh.test, CaseOutcome.FAILED, message="all IPv6 ...")
    found = verdicts(Results(RUN, cases=(case,), matrices=(broken_mesh,)))
    assert [v.word for v in found] == [Word.WORKS, Word.BROKEN]


def test_a_good_run_says_how_many_tests_passed() -> None:
    cases = (Case("a", CaseOutcome.PASSED), Case("b", CaseOutcome.SKIPPED))
    good = Results(RUN, cases=cases, matrices=(measured(works),))
    assert headline(good) == "IPv6 works, IPv4 works - 1 of 2 tests passed, 1 skipped"


def test_one_fault_seen_in_many_matrices_is_reported_once() -> None:
    (fault,) = faults(broken())
    assert fault.seen_in == ("Pod to pod", "Again")
    assert fault.sentence.endswith("[seen in 2 tests: Pod to pod, Again]")


def test_what_a_cluster_is_known_not_to_do_is_reported_and_is_no_fault() -> None:
    """A run that found nothing else is good, and says how much is known not to work."""
    known = measured(v6_tunnel_broken, "Named ports")
    case = Case(known.test, CaseOutcome.XFAILED, title="Named ports", reason="has none <here>")
    good = Case("t.py::test_b", CaseOutcome.PASSED, covers=("N4",))
    results = Results(
        RUN, cases=(good, case), matrices=(known, measured(works, headline=True)), facts=facts()
    )
    assert faults(results) == ()
    assert [v.word for v in verdicts(results)] == [Word.WORKS, Word.WORKS]
    wrong = len(known.disagreements())
    (ipv6,) = (v for v in verdicts(results) if v.family is Family.IPV6)
    assert f"{wrong} more fail as a known limitation" in ipv6.reason
    text = plain(summary_lines(results))
    assert "Known limitations of this cluster\n  ~ Named ports: has none <here>\n" in text
    assert "What fails" not in text
    assert "has none &lt;here&gt;" in overview(results)
    red = dataclasses.replace(case, outcome=CaseOutcome.FAILED)
    assert faults(dataclasses.replace(results, cases=(good, red)))


def test_matrices_are_chosen_by_what_they_show() -> None:
    results = broken()
    titles = [m.matrix.title for m in chosen(results, faults(results), 3)]
    assert titles == ["Pod to pod", "Services"]


def test_matrices_that_were_not_measured_are_not_wrong() -> None:
    """A1: an agent that was killed."""
    unknown = tuple(
        dataclasses.replace(measured(lambda _: Outcome.UNKNOWN), test=f"t.py::t{n}")
        for n in range(5)
    )
    text = plain(summary_lines(Results(RUN, matrices=unknown)))
    assert " more matrices, " in text
    assert "4 not measured in full" in text
    assert "wrong cells" not in text


def test_the_summary_holds_every_section_with_the_verdict_last() -> None:
    text = plain(
        summary_lines(broken(), reports={"overview": Path("reports/latest/overview.html")})
    )
    heads = [
        "Conclusion",
        "Pod to pod",
        "Findings",
        "Skipped",
        "Time until a change took effect",
        "Results that could not be read",
        "Verdict",
        "Reports",
    ]
    places = [text.index(f"{head}\n") for head in heads]
    assert places == sorted(places)
    assert "2 more matrices, 1 of them with wrong cells" in text
    assert "     1  needs the raw tier\n        enable: --six-raw on\n" in text
    assert "  IPv6: median 4.2 s, worst 4.2 s (apply deny-all), 1 change\n" in text
    assert text.index("error   [P1]") < text.index("note    [P9]")
    assert "IPv6  broken" in text
    assert "codes without a row: Z9" in text
    lines = [line for line in text.splitlines() if not line.startswith("      find out  ")]
    assert max(map(len, lines)) <= 100, "no line but a command, which is copied as it is"


def test_an_empty_run_still_says_that_nothing_was_measured() -> None:
    text = plain(summary_lines(Results(RUN)))
    assert "IPv6  not measured  no cell was measured" in text
    assert "31 rows: 31 no test" in text


def only_from(name: str) -> Measured:
    """A matrix in which nothing from one endpoint arrives."""
    return measured(lambda f: Outcome.DROPPED if f.source.name == name else Outcome.ALLOWED, name)


def test_more_faults_than_a_reader_takes_are_counted() -> None:
    many = tuple(only_from(endpoint.name) for endpoint in pods())
    assert "... and 1 more, see the overview" in plain(summary_lines(Results(RUN, matrices=many)))


def test_the_overview_is_one_page_that_loads_nothing() -> None:
    page = overview(broken())
    assert "<script" not in page
    assert not re.search(r"(src|href)=\"(?!#)", page)
    assert "url(" not in page
    for said in (
        "IPv6 broken",
        "IPv4 works",
        "Conclusion",
        "all IPv6 TCP and UDP flows from worker to worker2 and back are DROPPED",
        "seen in 2 tests: Pod to pod, Again",
        "all &lt;IPv6&gt; ...",
        "sysctl -w &lt;x&gt;",
        "--six-raw on",
        "All 4 matrices, as numbers",
        "Codes without a row in the guide: Z9",
        "gw1.jsonl line 3: cut off",
        "v1.37.0",
    ):
        assert said in page
    for anchor in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{anchor}"' in page


def test_the_overview_of_an_empty_run_has_no_empty_section() -> None:
    page = overview(Results(RUN))
    assert "IPv6 not measured" in page
    assert "Findings" not in page
    assert "no test ran" in page


def test_the_overview_bounds_messages() -> None:
    cases = tuple(Case(f"t.py::t{n}", CaseOutcome.FAILED) for n in range(45))
    page = overview(dataclasses.replace(broken(), cases=cases))
    assert "5 more in results.json" in page


def test_the_bundle_is_complete(tmp_path: Path) -> None:
    _, paths = write_bundle(tmp_path / "latest", broken())
    assert list(paths) == ["overview", "results", "cells", "summary"]
    assert all(path.stat().st_size > 0 for path in paths.values())
    assert Results.read(paths["results"]) == broken()


def test_a_terminal_without_unicode_gets_escapes_and_no_error() -> None:
    lines = [Text.assemble("w\u00f6rker \u2713 ", ("X", Tone.BAD))]
    assert rendered(lines, colour=False, encoding="ascii") == "w\\xf6rker \\u2713 X\n"


def test_colour_is_written_where_it_is_asked_for() -> None:
    line = Text.assemble(("X", Tone.BAD), " " * 3)
    assert rendered([line], colour=False) == "X\n"
    assert rendered([line], colour=True).startswith("\x1b[1;31mX\x1b[0m")


@pytest.mark.parametrize("tone", list(Tone), ids=str)
def test_every_tone_has_a_colour(tone: Tone, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that the theme lacks would be left out in silence."""
    monkeypatch.setenv("TERM", "xterm")
    shown = rendered([Text("w\u00f6rker", tone)], colour=True, encoding="ascii")
    assert re.fullmatch(r"\x1b\[[\d;]+mw\\xf6rker\x1b\[0m\n", shown)


def test_long_lines_and_markup_are_left_as_they_are() -> None:
    text = "[bold]fd00::1[/bold] " + "x" * 300
    assert rendered([Text(text)], colour=False) == text + "\n"


ROWS = (
    ApplicationRow("shop", "web", "tcp/80 (http)", Readiness.READY, (("pod IPv6", "2 of 2"),)),
    ApplicationRow(
        "shop", "cart", "tcp/80", Readiness.NOT_READY, (("pod IPv6", "0 of 2"),),
        ("2 of 2 pods accept IPv4 and refuse IPv6: fd00::1 port 80",), ("have it listen on ::",),
    ),
    ApplicationRow("shop", "dns", "udp/53", Readiness.NOT_ASKED, problems=("UDP servers ...",)),
    ApplicationRow("blog", "web", "tcp/80", Readiness.READY),
)  # fmt: skip


def test_applications_are_shown_by_namespace_the_least_ready_first() -> None:
    """With a score, and what keeps a port from working over every family."""
    results = dataclasses.replace(Results(RUN, matrices=(measured(works),)), applications=ROWS)
    text = plain(summary_lines(results))
    shop, blog = text.index("shop: 1 of 2 ports ready, 1 not asked"), text.index("blog: 1 of 1")
    assert shop < blog
    assert "! cart tcp/80: 2 of 2 pods accept IPv4 and refuse IPv6: fd00::1 port 80 (have" in text
    page = overview(results)
    assert "<h3>shop: 1 of 2 ports ready, 1 not asked</h3>" in page
    assert '<td class="bad">not ready</td>' in page
    assert page.index(">not ready<") < page.index(">ready<") < page.index(">not asked<")
    assert "have it listen on ::" in page
    many = [dataclasses.replace(ROWS[1], service=f"s{n}") for n in range(APPLICATIONS + 2)]
    crowded = plain(summary_lines(dataclasses.replace(results, applications=tuple(many))))
    assert "... and 2 more, see the overview" in crowded
    none = by_namespace([ROWS[2]])[0]
    assert none.score == "no port was asked"
