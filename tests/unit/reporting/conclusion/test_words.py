"""What is said of a conclusion beside its first line, alike in terminal and overview."""

from __future__ import annotations

import dataclasses
import re

import pytest

from sixproof.model import Family, Flow, Outcome
from sixproof.probes.nodes.examination import Examination
from sixproof.reporting.conclusion import words
from sixproof.reporting.conclusion.cause import Confidence
from sixproof.reporting.pages.overview import overview
from sixproof.reporting.pages.styled_text import plain
from sixproof.reporting.pages.summary import summary_lines
from sixproof.reporting.results.results_json import Results
from tests.unit.reporting.conclusion.cluster import (
    across,
    conclude,
    drop,
    examined,
    neighbour,
    node,
    packet_filter,
    run,
)

SIX = Family.IPV6


def told(results: Results) -> tuple[list[str], str]:
    """The lines of the conclusion in the terminal, and the words of the overview's."""
    lines = [line.strip() for line in plain(summary_lines(results, width=1000)).splitlines()]
    (section,) = re.findall(r"<h2[^>]*>Conclusion</h2>(.*?)</section>", overview(results), re.S)
    return lines, re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", section))


def _filtered(before: int) -> Examination:
    """A rule that dropped packets, now or before."""
    match = "IPv6, udp, dport 4789"
    return examined(
        filters={"worker": (packet_filter(drop(before, match)), packet_filter(drop(11, match)))}
    )


FORWARDS_NOT = node("worker", sysctls={"net/ipv6/conf/all/forwarding": "0"})


def test_a_second_fault_hidden_behind_the_first_is_said_to_be_possible() -> None:
    """Where nothing came through that takes this way; the last thing that is said of a cause."""
    results = run(across(SIX, "worker"), examined({"worker": FORWARDS_NOT}))
    (one,) = conclude(results).every
    assert not one.alone
    lines, page = told(results)
    at = lines.index(f"note      {words.HIDDEN}")
    assert lines[at - 1].startswith("explains  ")
    assert page.rstrip().endswith(words.HIDDEN)


def test_nothing_hides_where_something_came_through() -> None:
    """One flow that cannot work as long as the cause holds did: it came and went."""
    lucky = next(
        f.observation.flow for m in run(across(SIX, "worker")).matrices for f in m.disagreements()
    )

    def rule(flow: Flow) -> Outcome:
        return Outcome.ALLOWED if flow == lucky else across(SIX, "worker")(flow)

    results = run(rule, examined({"worker": FORWARDS_NOT}))
    (one,) = conclude(results).every
    assert one.known
    assert one.alone
    lines, page = told(results)
    assert words.HIDDEN not in page
    assert not [line for line in lines if line.startswith("note ")]


DEAD = [neighbour("2001:db8::1", "FAILED"), neighbour("2001:db8::3", "FAILED")]


@pytest.mark.parametrize(
    ("examination", "sure"),
    [
        (_filtered(3), Confidence.SHOWN),
        (dataclasses.replace(_filtered(11), still=0), Confidence.FITS),
        (examined({"worker": node("worker", neighbours=DEAD)}), Confidence.SIGN),
    ],
    ids=lambda value: value.name if isinstance(value, Confidence) else "",
)
def test_a_cause_that_only_fits_says_so(examination: Examination, sure: Confidence) -> None:
    """What the facts show is said without more."""
    results = run(across(SIX, "worker"), examination)
    (one,) = conclude(results).every
    assert one.causes[0].confidence is sure
    lines, page = told(results)
    said = words.DOUBTS[sure]
    assert words.doubt(one) == said
    assert [line for line in lines if line.startswith("how sure")] == (
        [f"how sure  {said}"] if said else []
    )
    assert ("How sure: " in page) is bool(said)
    assert said in page


def test_a_place_without_a_cause_has_nothing_to_be_sure_of() -> None:
    """It is a fact about what was measured."""
    (one,) = conclude(run(across(SIX, "worker"))).every
    assert words.doubt(one) == ""
