"""What is said of a conclusion beside its first line, alike in terminal and overview."""

from __future__ import annotations

import dataclasses
import re

import pytest

from sixproof.agent.protocol import HealthSeen, RouteHeld
from sixproof.model import EndpointKind, Expectation, Family, Flow, Outcome, edge_of
from sixproof.probes.nodes import reader
from sixproof.probes.nodes.examination import Examination
from sixproof.reporting.conclusion import words
from sixproof.reporting.conclusion.cause import Confidence
from sixproof.reporting.pages.overview import overview
from sixproof.reporting.pages.styled_text import plain
from sixproof.reporting.pages.summary import summary_lines
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
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
from tests.unit.reporting.samples import pods

SIX = Family.IPV6


def terminal_and_overview(results: Results) -> tuple[list[str], str]:
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
    """Where no flow worked that takes this way; the last thing that is said of a cause."""
    results = run(across(SIX, "worker"), examined({"worker": FORWARDS_NOT}))
    (one,) = conclude(results).every
    assert not one.alone
    lines, page = terminal_and_overview(results)
    at = lines.index(f"note      {words.HIDDEN}")
    assert lines[at - 1].startswith("explains  ")
    assert page.rstrip().endswith(words.HIDDEN)


@pytest.mark.parametrize("cause", ["packet-filter", "neighbour", "conntrack"])
def test_whatever_the_cause_is_a_place_in_which_nothing_worked_may_hide_another(cause: str) -> None:
    """Judged by what was carried: these causes forbid no flow for certain."""
    full = {"net/netfilter/nf_conntrack_count": "4096", "net/netfilter/nf_conntrack_max": "4096"}
    examination = {
        "packet-filter": _filtered(3),
        "neighbour": examined({"worker": node("worker", neighbours=DEAD)}),
        "conntrack": examined({"worker": node("worker", sysctls=full)}),
    }[cause]

    def dead(flow: Flow) -> Outcome:
        family = flow.family if cause == "conntrack" else SIX
        return across(family, "worker")(flow)

    lucky = next(f.observation.flow for m in run(dead).matrices for f in m.disagreements())
    (one,) = conclude(run(dead, examination)).every
    assert one.causes[0].code == cause
    assert not one.alone

    def one_passes(flow: Flow) -> Outcome:
        return Outcome.ALLOWED if flow == lucky else dead(flow)

    (one,) = conclude(run(one_passes, examination)).every
    assert one.causes[0].code == cause
    assert one.alone


def test_nothing_hides_where_a_closed_port_was_refused() -> None:
    """C4: one port of a node is dropped, and what another one answered went both ways."""
    dead = run(across(SIX, "worker"))
    (measured,) = dead.matrices
    lucky = next(w.observation.flow for w in measured.disagreements())

    def refused(flow: Flow) -> Outcome:
        return Outcome.REFUSED if flow == lucky else across(SIX, "worker")(flow)

    results = run(refused, _filtered(3))
    (measured,) = results.matrices
    key = (lucky.family, edge_of(lucky))
    assert measured.expected is not None
    closed = {**measured.expected, key: Expectation(frozenset({Outcome.REFUSED}), "closed")}
    expecting = dataclasses.replace(measured, expected=closed)
    (one,) = conclude(dataclasses.replace(results, matrices=(expecting,))).every
    assert one.causes[0].code == "packet-filter"
    assert one.alone
    (one,) = conclude(run(across(SIX, "worker"), _filtered(3))).every
    assert not one.alone


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
    lines, page = terminal_and_overview(results)
    assert words.HIDDEN not in page
    assert not [line for line in lines if line.startswith("note ")]


def _beside(number: int) -> Results:
    """A run whose first failure has a cause, with so many tests beside it that speak of others."""
    results = run(across(SIX, "worker"), examined({"worker": FORWARDS_NOT}))
    more = (
        Case(f"suites/x/t.py::t{i}", CaseOutcome.FAILED, message=f"odd thing {i}")
        for i in range(number)
    )
    return dataclasses.replace(results, cases=(*results.cases, *more))


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, ""),
        (1, "none of these causes explains 1 test: t0"),
        (2, "none of these causes explains 2 tests"),
    ],
)
def test_what_no_cause_explains_is_counted(number: int, said: str) -> None:
    """Below all of them, in terminal and overview."""
    results = _beside(number)
    concluded = conclude(results)
    assert len(concluded.every) == 1 + number
    assert words.left(concluded) == said
    lines, page = terminal_and_overview(results)
    assert [line for line in lines if "none of these causes" in line] == (
        [f"- {said}"] if said else []
    )
    assert page.rstrip().endswith(said)


def test_without_a_cause_nothing_is_left_by_one() -> None:
    """Places and tests' own words stand for themselves."""
    assert words.left(conclude(run(across(SIX, "worker")))) == ""


def test_first_lines_come_in_one_order() -> None:
    """What could not be proven below what is wrong, and above what only could not be measured."""
    wrong = conclude(_beside(2))
    lines = ["\n".join(filter(None, (one.headline, one.remedy))) for one in wrong.every]
    assert "\nSet it to 1, and " in lines[0]
    left = "none of these causes explains 2 tests"
    assert words.first_lines(wrong, ("a policy",)) == (*lines, left, "a policy")
    unknown = conclude(run(lambda _: Outcome.UNKNOWN))
    lines = [one.headline for one in unknown.every]
    assert words.first_lines(unknown, ("a policy",)) == ("a policy", *lines)


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
    """What the facts show is said without more; else the first line says so, too."""
    results = run(across(SIX, "worker"), examination)
    (one,) = conclude(results).every
    assert one.causes[0].confidence is sure
    lines, page = terminal_and_overview(results)
    said = words.DOUBTS[sure]
    assert words.doubt(one) == said
    lead = {Confidence.FITS: "Likely cause: ", Confidence.SIGN: "Possible cause: "}.get(sure, "")
    assert one.headline.startswith(f"{lead}node worker: ")
    assert [line for line in lines if line.startswith("how sure")] == (
        [f"how sure  {said}"] if said else []
    )
    assert ("How sure: " in page) is bool(said)
    assert said in page


def test_a_place_without_a_cause_has_nothing_to_be_sure_of() -> None:
    """It is a fact about what was measured."""
    (one,) = conclude(run(across(SIX, "worker"))).every
    assert words.doubt(one) == ""


def test_facts_commands_and_reports_are_told_apart() -> None:
    """What shows a cause is a fact; a command and what others reported have labels of their own."""
    silent = HealthSeen(reader.KUBE_PROXY, 0, error="no answer within 2 s")
    service = dataclasses.replace(
        pods()[0], name="web", kind=EndpointKind.SERVICE, node="", pod="", labels=()
    )

    def rule(flow: Flow) -> Outcome:
        dead = flow.destination is service and flow.source.node == "worker"
        return Outcome.DROPPED if dead else Outcome.ALLOWED

    read = examined({"worker": node("worker", health=[silent])})
    lines, page = terminal_and_overview(run(rule, read, (*pods()[1:], service)))
    at = lines.index("run       kubectl -n kube-system delete pod kube-proxy-worker")
    assert lines[at - 1] == "run       kubectl -n kube-system logs kube-proxy-worker"
    assert lines[at - 2].startswith("do it     See its log")
    assert lines[at - 3].startswith("! node worker: kube-proxy ")
    assert lines[at + 1].startswith("shown by  ")
    assert any(line.startswith("resembles kubernetes/kubernetes 38372 ") for line in lines)
    assert "Run: kubectl -n kube-system delete pod kube-proxy-worker" in page
    assert "Resembles: kubernetes/kubernetes 38372 " in page
    routes = [RouteHeld("fd00::/8", 254, "blackhole")]
    lines, page = terminal_and_overview(
        run(across(SIX, "worker"), examined({"worker": node("worker", routes=routes)}))
    )
    assert any(line.startswith("to see it on worker: ip -6 route get ") for line in lines)
    assert "To see it: on worker: ip -6 route get " in page
