"""DNS answers as a matrix: transports, families and servers side by side."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.model import EndpointKind, Family, Matrix, Outcome, Parity
from sixproof.probes.dns import matrix as dns_matrix
from sixproof.probes.dns.judge import DnsExpectation
from sixproof.probes.dns.lookups import Wanted
from sixproof.probes.dns.resolver import LookupObservation, ResolverCall
from sixproof.probes.dns.verdict import DnsOutcome, Transport
from tests.unit.probes.dns.samples import (
    A_QUESTION,
    NAME,
    ONE,
    QUESTION,
    SERVERS,
    TWO,
    WAYS,
    query,
    seen,
)

EXPECTED = {QUESTION: DnsExpectation.records(["fd00::1"], "-")}
O = DnsOutcome  # noqa: E741 - as the table reads


@pytest.mark.parametrize(
    ("data", "outcome", "cell"),
    [
        (("fd00::1",), None, Outcome.ALLOWED),
        (("fd00::2",), None, Outcome.DNS_FAILED),
        ((), O.NODATA, Outcome.DNS_FAILED),
        ((), O.NXDOMAIN, Outcome.DNS_FAILED),
        ((), O.SERVFAIL, Outcome.DNS_FAILED),
        ((), O.TIMEOUT, Outcome.DROPPED),
        ((), O.UNREACHABLE, Outcome.UNROUTABLE),
        ((), O.MALFORMED, Outcome.CORRUPTED),
        ((), O.UNKNOWN, Outcome.UNKNOWN),
    ],
)
def test_cell(data: tuple[str, ...], outcome: DnsOutcome | None, cell: Outcome) -> None:
    matrix, expected = dns_matrix.matrix("DNS", [seen(query(), *data, outcome=outcome)], EXPECTED)

    assert [o.outcome for o in matrix.observations()] == [cell]
    assert bool(matrix.disagreements(expected)) == (cell is not Outcome.ALLOWED)
    assert [bool(o.reason) for o in matrix.observations()] == [cell is not Outcome.ALLOWED]


def test_families_of_a_server_are_one_edge_a_transport() -> None:
    dead = (Family.IPV6, Transport.TCP)
    came = [
        seen(query(*way), outcome=O.TIMEOUT) if way == dead else seen(query(*way), "fd00::1")
        for way in WAYS
    ]
    matrix, _ = dns_matrix.matrix("DNS", came, EXPECTED)

    assert matrix.parities() == {
        ("a@worker", "kube-dns", "udp/53"): Parity.BOTH_WORK,
        ("a@worker", "kube-dns", "tcp/53"): Parity.IPV6_BROKEN,
    }


def test_pods_are_distinguished_from_the_service() -> None:
    asked = query()
    pod = dataclasses.replace(SERVERS[Family.IPV6], name="coredns-1", node="worker")
    came = [seen(asked, "fd00::1"), seen(dataclasses.replace(asked, server=pod), "fd00::1")]
    matrix, _ = dns_matrix.matrix("DNS", came, EXPECTED)

    assert [o.flow.destination.kind for o in matrix.observations()] == [
        EndpointKind.SERVICE,
        EndpointKind.POD,
    ]


def test_a_question_is_answered_whatever_the_answer_says() -> None:
    """One question of a way that is not stands for all; a way that must be shut is right so."""
    wrong, right = seen(query(), outcome=O.NXDOMAIN), seen(query(Family.IPV4), "fd00::1")
    matrix, expected = dns_matrix.questions("x", [wrong, right], EXPECTED)
    assert not matrix.disagreements(expected)

    silent = seen(query(question=A_QUESTION), outcome=O.TIMEOUT, reason="no answer")
    truth = {**EXPECTED, A_QUESTION: DnsExpectation.records([], "-")}
    matrix, expected = dns_matrix.questions("x", [wrong, silent, right], truth)
    (lost,) = matrix.disagreements(expected)
    assert (lost.observation.outcome, lost.parity) == (Outcome.DROPPED, Parity.IPV6_BROKEN)

    denied = {A_QUESTION: DnsExpectation.only(O.TIMEOUT, "a policy")}
    assert not Matrix.disagreements(*dns_matrix.questions("x", [silent], denied))
    assert not dns_matrix.answers("x", [silent], denied)[0].cells


def test_an_answer_is_of_the_family_of_its_records() -> None:
    """AAAA asked over IPv4 concerns IPv6; the A record of the same name is its counterpart."""
    four, six = (query(Family.IPV4, question=q) for q in (A_QUESTION, QUESTION))
    truth = {**EXPECTED, A_QUESTION: DnsExpectation.records(["192.0.2.1"], "-")}
    came = [seen(four, "192.0.2.1"), seen(six, outcome=O.NXDOMAIN)]
    matrix, expected = dns_matrix.answers("x", came, truth)
    (wrong,) = matrix.disagreements(expected)
    assert wrong.observation.flow.family is Family.IPV6
    assert wrong.observation.flow.address == SERVERS[Family.IPV4].address
    assert wrong.observation.reason == "NXDOMAIN"
    assert wrong.parity is Parity.IPV6_BROKEN


def test_answers_of_both_ways_are_cells_of_their_own() -> None:
    came = [seen(query(Family.IPV4), "fd00::1"), seen(query(), outcome=O.NXDOMAIN)]
    matrix, expected = dns_matrix.answers("x", came, EXPECTED)
    assert len(matrix.cells) == 2
    (wrong,) = matrix.disagreements(expected)
    assert wrong.observation.flow.question == f"{QUESTION.name} over IPv6"


def test_a_lookup_is_a_cell_of_the_pod_that_made_it() -> None:
    """By its name and address family; one that came to nothing fails."""
    servers = {ONE.name: [SERVERS[Family.IPV4].address], TWO.name: []}
    six = LookupObservation(ResolverCall(ONE, NAME, Family.IPV6), O.NXDOMAIN, (), "EAI_NONAME")
    other = LookupObservation(ResolverCall(TWO, NAME), O.UNKNOWN)
    wanted = {(NAME, f): DnsExpectation.records(["fd00::1"], "-") for f in (Family.IPV6, None)}
    matrix, expected = dns_matrix.lookups("x", [six, other], wanted, servers)
    (wrong,) = matrix.disagreements(expected)
    assert wrong.observation.flow.family is Family.IPV6
    assert wrong.observation.reason == "NXDOMAIN EAI_NONAME"
    assert len(matrix.cells) == 1


LATE = LookupObservation(ResolverCall(ONE, NAME), O.NOERROR, latency=5.01)
QUICK = dataclasses.replace(LATE, latency=0.01)
LOST = LookupObservation(ResolverCall(ONE, NAME), O.TIMEOUT, (), "no result in 12.0 s")
BUSY = dataclasses.replace(LATE, outcome=O.UNKNOWN, reason="the agent was stalled", stalled=4.0)
AGAIN = "lookups were late: the resolver asked again"
DENIED = dataclasses.replace(QUICK, outcome=O.NXDOMAIN)


@pytest.mark.parametrize(
    ("came", "outcome", "reason", "asked"),
    [
        ([QUICK, DENIED], Outcome.ALLOWED, "", 1),
        ([QUICK, LATE, LATE], Outcome.WRONG, f"2 of 3 {AGAIN}", 2),
        ([QUICK, LATE, LOST], Outcome.DROPPED, "1 of 3 lookups brought nothing", 2),
        ([QUICK, BUSY], Outcome.UNKNOWN, "the agent was stalled", 1),
        ([LATE, BUSY], Outcome.WRONG, f"1 of 2 {AGAIN}", 2),
    ],
    ids=["in time, whatever it was", "late", "lost", "not measured", "late and not measured"],
)  # fmt: skip
def test_lookups_of_a_name_by_a_pod_are_one_cell_that_the_worst_decides(
    came: list[LookupObservation], outcome: Outcome, reason: str, asked: int
) -> None:
    """That the resolver asked again is kept, too, of a lookup that must only be right."""
    servers = {ONE.name: [SERVERS[Family.IPV6].address], TWO.name: []}
    other = dataclasses.replace(QUICK, lookup=ResolverCall(TWO, NAME))
    matrix, expected = dns_matrix.asked_once("x", [*came, other], servers)
    (((family, _), cell),) = matrix.cells.items()
    assert (family, cell.outcome, cell.reason, cell.attempts) == (
        Family.IPV6,
        outcome,
        reason,
        asked,
    )
    assert len(matrix.disagreements(expected)) == (outcome is not Outcome.ALLOWED)
    right: Wanted = {(NAME, None): DnsExpectation.only(O.NOERROR, "-")}
    (kept,) = dns_matrix.lookups("x", [LATE], right, servers)[0].cells.values()
    assert (kept.outcome, kept.attempts) == (Outcome.ALLOWED, 2)
