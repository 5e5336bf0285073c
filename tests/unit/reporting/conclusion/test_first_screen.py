"""What a reader sees first: the cause in two lines, what to do, and since when."""

from __future__ import annotations

import dataclasses
import re

import pytest

from sixproof.model import Family, Flow, Outcome
from sixproof.probes.nodes.examination import Examination
from sixproof.reporting.conclusion import words
from sixproof.reporting.conclusion.cause import Confidence
from sixproof.reporting.conclusion.conclusion import Conclusion, Conclusions
from sixproof.reporting.pages.overview import overview
from sixproof.reporting.pages.styled_text import plain
from sixproof.reporting.pages.summary import summary_lines
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.reporting.conclusion.cluster import across, conclude, examined, node, run
from tests.unit.reporting.samples import all_open, topology, works

SIX, FOUR = Family.IPV6, Family.IPV4
OFF = node("worker", sysctls={"net/ipv6/conf/all/forwarding": "0"})


def lines_of(results: Results) -> list[str]:
    """The lines of a terminal of 100 columns, the first of which is of the conclusion."""
    return plain(summary_lines(results, width=100)).splitlines()[1:]


def test_what_to_do_follows_the_cause() -> None:
    """On a line of its own; the cause takes no more than two."""
    results = run(across(SIX, "worker"), examined({"worker": OFF}))
    (one,) = conclude(results).every
    assert one.headline.endswith("(new since the run began).")
    assert one.remedy == "Set it to 1, and see why it is 0."
    assert one.first_screen == f"{one.headline} {one.remedy}"
    first, second, third, fourth, *_ = lines_of(results)
    assert first.startswith("  ! node worker: ")
    assert re.match(r"    \S", second)
    assert third.startswith(f"      do it     {one.remedy[:40]}")
    command = "sysctl -w net.ipv6.conf.all.forwarding=1"
    assert fourth == f"      run       on worker: {command}"
    page = overview(results)
    assert f"<p>Run: on worker: <code>{command}</code></p>" in page
    assert re.search(
        rf"{re.escape(one.headline)}</b></p>\s*<p>Do it: {re.escape(one.remedy[:20])}", page
    )


def _refused(reason: str = "") -> Results:
    """All flows across nodes to worker are lost, for a reason in many words."""
    results = run(across(SIX, "worker"), examined())
    (measured,) = results.matrices
    cells = {
        key: seen if seen.outcome.works else dataclasses.replace(seen, reason=reason)
        for key, seen in measured.matrix.cells.items()
    }
    matrix = dataclasses.replace(measured.matrix, cells=cells)
    return dataclasses.replace(results, matrices=(dataclasses.replace(measured, matrix=matrix),))


@pytest.mark.parametrize("at_most", [words.TWO_LINES, 184])
def test_a_long_place_is_cut_to_two_lines(at_most: int) -> None:
    """Of a reason in many words its ends are kept, and its place whole."""
    (one,) = conclude(_refused("no answer " + "and again none " * 30 + "at the end")).every
    pattern = one.faults[0].pattern
    assert len(pattern.fact) > 2 * at_most
    said = pattern.said(at_most)
    assert at_most / 2 < len(said) <= at_most
    assert said.startswith("all IPv6 flows to and from pods on worker across nodes are DROPPED (")
    assert "at the end" in said
    assert said.endswith("(144 of 144 cells)")
    short = conclude(_refused("no answer")).every[0].faults[0].pattern
    assert short.said(at_most) == short.fact


def test_why_something_was_not_measured_is_cut_at_its_end() -> None:
    """Its beginning says what failed; the whole fits two lines all the same."""
    results = run(lambda f: Outcome.UNKNOWN if f.destination.node == "worker" else Outcome.ALLOWED)
    (measured,) = results.matrices
    cells = {
        key: dataclasses.replace(seen, reason="the channel was lost" + " and again" * 40)
        for key, seen in measured.matrix.cells.items()
    }
    matrix = dataclasses.replace(measured.matrix, cells=cells)
    results = dataclasses.replace(results, matrices=(dataclasses.replace(measured, matrix=matrix),))
    (one,) = conclude(results).every
    said = one.faults[0].pattern.said(178)
    assert len(said) <= 178
    assert ": the channel was lost and again" in said
    assert said.endswith("... (this says nothing about the network)")


def test_of_many_ports_two_are_named() -> None:
    """And of many ICMP senders one; a reader counts the others."""
    (one,) = conclude(_refused("no answer " + "and again none " * 30)).every
    ports = ("tcp/8080", "tcp/8081", "udp/8080", "udp/8081")
    pattern = dataclasses.replace(one.faults[0].pattern, port_specs=ports)
    assert "IPv6 tcp/8080, tcp/8081 and 2 more flows" in pattern.said(184)


def test_what_has_no_cause_says_its_place_alone_first() -> None:
    """What works beside it and which tests show it are lines of their own."""
    first, *others = lines_of(run(across(SIX, "worker")))
    assert first.startswith(
        "  ! all IPv6 flows to and from pods on worker across nodes are DROPPED"
    )
    labels = [line[6:15].strip() for line in others[:6] if line[6:7].strip()]
    assert labels[0] == "contrast"
    assert "fits" in labels
    assert "seen in" in [line[6:15].strip() for line in others[:12]]


def timed(
    *started: tuple[str, str, bool], read: Examination | None = None, seconds: float = 2.0
) -> Results:
    """A run of tests over all pods that began at these times, IPv6 of worker right or not."""
    cases, matrices = [], []
    for name, when, right in started:
        matrix = topology(works if right else across(SIX, "worker"))
        nodeid = f"suites/pods/t.py::{name}"
        matrices.append(Measured(matrix, all_open(matrix), nodeid))
        outcome = CaseOutcome.PASSED if right else CaseOutcome.FAILED
        begun = when and f"2026-11-23T{when}.000Z"
        cases.append(Case(nodeid, outcome, seconds, title=f"Test {name}", started=begun))
    return dataclasses.replace(
        run(across(SIX, "worker"), read), cases=tuple(cases), matrices=tuple(matrices)
    )


def since(results: Results) -> str:
    """What the only conclusion says of when."""
    (one,) = conclude(results).every
    assert not one.since or f"      since     {one.since}" in lines_of(results)
    assert not one.since or f"Since: {one.since}" in overview(results)
    return one.since


def test_it_is_said_when_a_test_saw_it_first_and_when_it_was_right_before() -> None:
    """By the clock of the machine that runs the tests, in UTC."""
    red = ("c", "22:41:07", False), ("d", "22:41:30", False)
    right = ("a", "22:40:12", True), ("b", "22:40:51", True)
    first = "first seen 22:41:07 UTC (c)"
    assert since(timed(*red[::-1])) == first
    assert since(timed(*right, *red)) == f"{first}; last right 22:40:51"
    quick = ("a", "22:41:07", True)
    assert since(timed(quick, *red, seconds=0.0)) == first, "the same second says nothing"


def test_what_was_there_before_the_run_was_not_first_seen_by_a_test() -> None:
    """Its cause says so."""
    red = [("c", "22:41:07", False)]
    new = examined({"worker": OFF})
    old = examined({"worker": OFF}, before={"worker": OFF})
    assert since(timed(*red, read=new)).startswith("first seen 22:41:07 UTC")
    assert since(timed(*red, read=old)) == ""


@pytest.mark.parametrize(
    "beside",
    [("a", "22:41:06", True), ("a", "22:41:08", True), ("a", "", True)],
    ids=["it ended later", "it began later", "its time is not known"],
)
def test_what_did_not_end_before_was_not_right_before(beside: tuple[str, str, bool]) -> None:
    """Tests run beside each other."""
    assert since(timed(beside, ("c", "22:41:07", False))) == "first seen 22:41:07 UTC (c)"


def test_another_place_that_worked_is_none() -> None:
    """Flows of the other family, and those of other nodes, were no flows of the place."""
    results = timed(("a", "22:40:12", True), ("c", "22:41:07", False))

    def elsewhere(flow: Flow) -> bool:
        return flow.family is FOUR or "worker" not in (flow.source.node, flow.destination.node)

    before, *others = results.matrices
    cells = {key: seen for key, seen in before.matrix.cells.items() if elsewhere(seen.flow)}
    matrix = dataclasses.replace(before.matrix, cells=cells)
    fewer = dataclasses.replace(before, matrix=matrix, expected=all_open(matrix))
    assert since(dataclasses.replace(results, matrices=(fewer, *others))) == (
        "first seen 22:41:07 UTC (c)"
    )


def test_without_times_nothing_is_said() -> None:
    """A file of an older version has none."""
    assert since(timed(("c", "", False))) == ""
    assert run(lambda _: Outcome.ALLOWED).cases[0].started == ""


WORDS = "packets that go " + "far " * 20 + "away"
LONGER = f"{WORDS} {WORDS}"


def _wordy(*briefer: str, **changes: object) -> Conclusion:
    """A conclusion whose cause has this to say in fewer words."""
    (one,) = conclude(run(across(SIX, "worker"), examined({"worker": OFF}))).every
    cause = dataclasses.replace(
        one.causes[0],
        what=LONGER,
        briefer=briefer,
        details=("all of them",),
        since="",
        **changes,  # type: ignore[arg-type]
    )
    return dataclasses.replace(one, causes=(cause,))


@pytest.mark.parametrize(
    ("briefer", "said"),
    [
        ((f"{WORDS} {WORDS[:-4]}", WORDS, "packets"), WORDS),
        ((LONGER, "packets"), "packets"),
        ((LONGER, f"{WORDS}, {WORDS}, {WORDS}"), f"{WORDS}, {WORDS}, {WORDS}"),
        ((), LONGER),
    ],
    ids=["the first that fits", "the shortest", "none fits", "none"],
)
def test_a_cause_is_said_in_fewer_words_where_it_would_take_three_lines(
    briefer: tuple[str, ...], said: str
) -> None:
    """As few as it needs to; what they leave out is evidence."""
    one = _wordy(*briefer)
    assert one.headline == f"node worker: {said}."
    assert one.causes[0].sentence == f"node worker: {said}"
    assert ("all of them" in one.evidence) is (said != LONGER)


def test_what_a_first_line_begins_with_takes_room_too() -> None:
    """How sure it is; two lines of 100 columns are what the terminal prints."""
    what = "packets" + " far" * 43
    one = _wordy(what, "packets", confidence=Confidence.SHOWN)
    assert one.headline == f"node worker: {what}."
    other = _wordy(what, "packets", confidence=Confidence.FITS)
    assert other.headline == "Likely cause: node worker: packets."
    for conclusion in (one, other):
        lines = plain(
            summary_lines(
                run(works), width=100, conclusions=Conclusions((conclusion,), conclusion.faults)
            )
        ).splitlines()
        first = next(i for i, line in enumerate(lines) if line.startswith("  ! "))
        assert any("do it" in line for line in lines[first + 1 : first + 3])


def test_of_signs_of_one_kind_the_first_is_said_in_full() -> None:
    """Of the others the places."""
    (one,) = conclude(run(across(SIX, "worker"), examined({"worker": OFF}))).every
    signs = [dataclasses.replace(one.causes[0], place=f"node w{i}") for i in range(3)]
    other = dataclasses.replace(signs[0], code="another", place="node w9")
    several = dataclasses.replace(one, causes=(one.causes[0], *signs, other))
    assert several.evidence[-3:] == (
        f"beside it, {signs[0].sentence}",
        "beside it, 2 more of this kind: node w1, node w2",
        f"beside it, {other.sentence}",
    )
