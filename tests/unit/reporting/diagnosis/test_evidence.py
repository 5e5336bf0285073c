"""Evidence: what a failing check prints, from the diagnosis down to single cells."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.errors import InfrastructureError, VerdictError
from sixproof.model import Family, Flow, Matrix, Outcome, edge_of
from sixproof.reporting.diagnosis.category import Category
from sixproof.reporting.diagnosis.evidence import cell_evidence, require, verdict, wrong
from tests.unit.reporting.samples import DENY, all_open, topology, v6_tunnel_broken, works


def one_dropped(flow: Flow) -> Outcome:
    """A single flow is dropped."""
    lost = edge_of(flow) == ("a@worker", "b@worker2", "tcp/8080") and flow.family is Family.IPV6
    return Outcome.DROPPED if lost else Outcome.ALLOWED


def message(matrix: Matrix) -> str:
    """The verdict on a matrix in which everything must be allowed."""
    return verdict(matrix, matrix.disagreements(all_open(matrix)))


def test_a_matrix_as_expected_raises_nothing() -> None:
    matrix = topology(works)
    require(matrix, all_open(matrix))


def test_a_single_cell_is_reported_by_itself() -> None:
    assert message(topology(one_dropped)) == (
        "a@worker -> b@worker2 over IPv6 tcp/8080: DROPPED, expected ALLOWED "
        "(no policy selects echo)\n"
        "    to [fd00:10:244:8::12]:8080; 3 attempts in 3.2 s, no arrival at b@worker2; "
        "same flow over IPv4: ALLOWED 0.4 ms\n"
        "  class: IPv6-only failure"
    )


def test_many_cells_lead_with_the_diagnosis_and_are_bounded() -> None:
    lines = message(topology(v6_tunnel_broken)).splitlines()
    assert lines[0].startswith("all IPv6 TCP and UDP flows from worker to worker2 and back")
    assert lines[1] == (
        "  a@worker -> a@worker2 over IPv6 tcp/8080, tcp/8081, udp/8080: DROPPED, "
        "expected ALLOWED (no policy selects echo)"
    )
    assert lines[2].startswith("    to [fd00:10:244:7::11]:8080; 3 attempts in 3.2 s")
    assert lines[7] == (
        "  b@worker -> a@worker2 over IPv6 tcp/8080, tcp/8081, udp/8080: DROPPED, expected ALLOWED"
    )
    assert lines[-2] == (
        "  ... and 18 more cells, all of them in the attached CSV and in results.json"
    )
    assert lines[-1] == "  class: IPv6-only failure"
    assert len(lines) == 1 + 12 + 3 + 2


def test_several_patterns_are_numbered_and_share_the_room() -> None:
    def rule(flow: Flow) -> Outcome:
        dead = flow.destination.name == "b@control-plane"
        return Outcome.DROPPED if dead else v6_tunnel_broken(flow)

    matrix = topology(rule)
    text = message(matrix)
    assert text.startswith("126 cells are not as expected, in 2 patterns:\n  1. all IPv4 and IPv6")
    assert "\n  2. all IPv6 TCP and UDP flows from worker to worker2 and back" in text
    assert text.count("expected ALLOWED") == 12
    assert text.endswith("class: IPv6-only failure, Connectivity failure")


def test_a_verdict_is_an_assertion_and_what_was_not_measured_is_not() -> None:
    """pytest and Allure show the two apart: failed and broken."""
    broken = topology(v6_tunnel_broken)
    with pytest.raises(VerdictError, match="IPv6-only failure") as caught:
        require(broken, all_open(broken), context=["settled after 1.2 s, 3 rounds"])
    assert "\n  settled after 1.2 s, 3 rounds\n" in str(caught.value)
    unknown = topology(
        lambda f: Outcome.UNKNOWN if f.source.name == "a@worker" else Outcome.ALLOWED
    )
    with pytest.raises(
        InfrastructureError, match="could not be measured, agent of pod a on worker"
    ):
        require(unknown, all_open(unknown))


def test_one_measured_fault_among_unknowns_is_a_verdict() -> None:
    matrix = topology(
        lambda f: Outcome.UNKNOWN if f.source.name == "a@control-plane" else one_dropped(f)
    )
    with pytest.raises(VerdictError):
        require(matrix, all_open(matrix))


def test_an_unmeasured_cell_is_not_called_by_an_outcome() -> None:
    matrix = topology(lambda f: Outcome.UNKNOWN if f.source.name == "a@worker" else Outcome.ALLOWED)
    first, second = cell_evidence(matrix.disagreements(all_open(matrix))[0])
    assert ": not measured, expected ALLOWED" in first
    assert second.strip() == "agent channel lost"


def test_a_leak_says_who_answered_and_whom_it_saw() -> None:
    matrix = topology(works)
    wrong = matrix.disagreements(dict.fromkeys(matrix.cells, DENY))
    _, second = cell_evidence(wrong[0])
    assert "answered by a-1 after 0.4 ms, which saw 192.168.1.11" in second


@pytest.mark.parametrize(
    ("arrived", "said"),
    [
        (True, "3 attempts in 3.2 s, the request arrived at b@worker2"),
        (False, "3 attempts in 3.2 s, no arrival at b@worker2"),
        (None, "3 attempts in 3.2 s;"),
    ],
)
def test_the_servers_side_is_reported_where_it_was_asked(arrived: bool | None, said: str) -> None:
    matrix = topology(one_dropped)
    (wrong,) = matrix.disagreements(all_open(matrix))
    changed = dataclasses.replace(wrong.observation, arrived=arrived)
    _, second = cell_evidence(dataclasses.replace(wrong, observation=changed))
    assert said in second


@pytest.mark.parametrize("outcome", [Outcome.DROPPED, Outcome.UNKNOWN])
def test_nodes_are_named_where_the_names_of_pods_do_not_show_them(outcome: Outcome) -> None:
    (wrong,) = topology(one_dropped).disagreements(all_open(topology(one_dropped)))
    flow = wrong.observation.flow
    renamed = dataclasses.replace(
        flow,
        source=dataclasses.replace(flow.source, name="shop/web"),
        destination=dataclasses.replace(flow.destination, name="shop/db"),
    )
    seen = dataclasses.replace(wrong.observation, flow=renamed, outcome=outcome)
    _, evidence = cell_evidence(dataclasses.replace(wrong, observation=seen))
    assert "(worker -> worker2)" in evidence


def test_notes_of_a_cell_close_its_evidence() -> None:
    matrix = topology(one_dropped)
    (wrong,) = matrix.disagreements(all_open(matrix))
    key = (Family.IPV6, edge_of(wrong.observation.flow))
    _, second = cell_evidence(wrong, {key: "last good hop: vxlan-v6.calico on worker"})
    assert second.endswith("; last good hop: vxlan-v6.calico on worker")


def test_a_check_without_a_matrix_names_its_class_too() -> None:
    text = "AAAA of echo: NXDOMAIN, expected fd00::1"
    error = wrong(text, {Family.IPV6}, Category.IPV6_ONLY, Category.DNS)
    assert str(error) == f"{text}\n  class: DNS, IPv6-only failure"
    assert error.categories == {Category.DNS, Category.IPV6_ONLY}
    assert error.families == {Family.IPV6}
