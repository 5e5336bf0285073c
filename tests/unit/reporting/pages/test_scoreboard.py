"""The scoreboard: each suite by its own tests and matrices, and nothing good by absence."""

from __future__ import annotations

import dataclasses

from sixproof.model import Family
from sixproof.reporting.diagnosis.verdicts import Word
from sixproof.reporting.pages.overview import overview
from sixproof.reporting.pages.scoreboard import NOT_ASKED, PASSED, scoreboard
from sixproof.reporting.pages.styled_text import plain
from sixproof.reporting.pages.summary import summary_lines
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.reporting.samples import RUN, Rule, facts, measured, v6_tunnel_broken, works

FOUR, SIX = Family


def ran(
    suite: str, rule: Rule | None, outcome: CaseOutcome, family: Family | None = None
) -> Results:
    """One test of a suite, with a matrix where there is a rule."""
    nodeid = f"../elsewhere/suites/{suite}/test_a.py::test_b"
    matrices = () if rule is None else (dataclasses.replace(measured(rule), test=nodeid),)
    return Results(RUN, cases=(Case(nodeid, outcome, family=family),), matrices=matrices)


def together(*runs: Results) -> Results:
    """All of them as one."""
    cases = tuple(case for one in runs for case in one.cases)
    return dataclasses.replace(runs[0], cases=cases, matrices=sum((r.matrices for r in runs), ()))


RAN = together(
    ran("calico", None, CaseOutcome.PASSED),
    ran("mine", works, CaseOutcome.PASSED),
    ran("services", v6_tunnel_broken, CaseOutcome.FAILED),
    ran("pods", works, CaseOutcome.PASSED),
    ran("dns", None, CaseOutcome.SKIPPED),
    ran("preflight", None, CaseOutcome.PASSED, FOUR),
    ran("felix", None, CaseOutcome.BROKEN),
)


def test_each_suite_is_judged_by_what_is_its_own() -> None:
    """Suites in the order in which they build on each other, those of others last."""
    found = {one.name: (one.words[FOUR], one.words[SIX]) for one in scoreboard(RAN)}
    assert found == {
        "Preflight": (PASSED, NOT_ASKED),
        "Pods": (Word.WORKS, Word.WORKS),
        "Services": (Word.WORKS, Word.BROKEN),
        "DNS": (NOT_ASKED, NOT_ASKED),
        "Calico": (PASSED, PASSED),
        "Felix": (Word.UNPROVEN, Word.UNPROVEN),
        "mine": (Word.WORKS, Word.WORKS),
    }
    assert list(found)[-1] == "mine"
    (pods,) = (one for one in scoreboard(RAN) if one.name == "Pods")
    assert pods.tests == {CaseOutcome.PASSED: 1}


def test_terminal_and_overview_show_it_between_causes_and_matrices() -> None:
    """One line per suite; of one suite alone the verdict says all."""
    lines = [line for line in plain(summary_lines(RAN)).splitlines() if line]
    at = lines.index("Scoreboard")
    assert lines[at + 1].split() == ["IPv4", "IPv6", "tests"]
    assert lines[at + 4].split() == ["Services", "works", "broken", "1", "failed"]
    page = overview(RAN)
    at = page.index('<th scope="row">Services</th>')
    assert page.index('id="conclusion"') < at < page.index('id="matrices"')
    assert '<td class="bad">broken</td>' in page
    where = (("Cluster", "staging at https://api"), ("Kubernetes", "v1.34.4"), ("CNI", "Calico v3"))
    placed = dataclasses.replace(RAN, environment=where, facts=facts())
    assert "<p>staging at https://api, Kubernetes v1.34.4, Calico v3, 3 nodes</p>" in overview(
        placed
    )
    alone = ran("pods", works, CaseOutcome.PASSED)
    assert "Scoreboard" not in plain(summary_lines(alone))
    assert '<th scope="row">' not in overview(alone)
