"""What answers must be, and what a reader is shown where they are not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from sixproof.model import Family, Parity
from sixproof.probes.dns import judge as dns_judge
from sixproof.probes.dns.judge import DnsExpectation, Expected
from sixproof.probes.dns.message import DnsRecord
from sixproof.probes.dns.verdict import DnsObservation, DnsOutcome, DnsQuery, Transport
from tests.unit.probes.dns.samples import (
    A_QUESTION,
    NAME,
    ONE,
    QUESTION,
    TWO,
    WAYS,
    answered,
    pod,
    query,
    seen,
)

BECAUSE = "clusterIPs of Service shop/web"
V6 = DnsExpectation.records(["fd00::1"], BECAUSE)
V4 = DnsExpectation.records(["192.0.2.1"], BECAUSE)
EXPECTED: Expected = {QUESTION: V6, A_QUESTION: V4}
O = DnsOutcome  # noqa: E741 - as the tables read


@pytest.mark.parametrize(
    ("expected", "observation", "accepted"),
    [
        (V6, seen(query(), "fd00::1"), True),
        (V6, seen(query(), "fd00::2"), False),
        (V6, seen(query(), "fd00::1", "fd00::2"), False),
        (V6, seen(query()), False),
        (V6, seen(query(), outcome=O.NXDOMAIN), False),
        (V6, seen(query(), outcome=O.UNKNOWN), False),
        (DnsExpectation.records([], "-"), seen(query()), True),
        (DnsExpectation.records([], "-"), seen(query(), "fd00::1"), False),
        (DnsExpectation.records([], "-"), seen(query(), outcome=O.NXDOMAIN), False),
        (DnsExpectation.only(O.NXDOMAIN, "-"), seen(query(), outcome=O.NXDOMAIN), True),
        (DnsExpectation.only(O.NXDOMAIN, "-"), seen(query()), False),
        (DnsExpectation.only(O.NXDOMAIN, "-"), seen(query(), outcome=O.SERVFAIL), False),
        (DnsExpectation.only(O.NOERROR, "-"), seen(query(), "anything"), True),
        (dataclasses.replace(V6, at_least=True), seen(query(), "fd00::1", "fd00::2"), True),
        (dataclasses.replace(V6, at_least=True), seen(query(), "fd00::2"), False),
    ],
)
def test_expectation(expected: DnsExpectation, observation: DnsObservation, accepted: bool) -> None:
    assert expected.accepts(observation) is accepted


@pytest.mark.parametrize(
    ("data", "accepted"), [((), True), (("1",), True), (("1", "2"), True), (("1", "3"), False)]
)
def test_truncated_answer_may_hold_part_of_the_truth(data: tuple[str, ...], accepted: bool) -> None:
    expected = DnsExpectation(frozenset({O.NOERROR, O.TRUNCATED}), frozenset({"1", "2"}), "-")
    assert expected.accepts(seen(query(), *data, outcome=O.TRUNCATED)) is accepted


def test_truncation_without_its_flag_is_not_accepted() -> None:
    expected = DnsExpectation(frozenset({O.NOERROR, O.TRUNCATED}), frozenset({"1", "2"}), "-")
    assert not expected.accepts(seen(query(), "1"))


def test_question_without_expectation_is_an_error() -> None:
    with pytest.raises(KeyError):
        dns_judge.disagreements([seen(query())], {A_QUESTION: V4})


def observations(came: Callable[[DnsQuery], DnsObservation]) -> list[DnsObservation]:
    """Both questions, every way, from two pods."""
    return [
        came(query(family, transport, question, source))
        for question in EXPECTED
        for source in (ONE, TWO)
        for family, transport in WAYS
    ]


def right(asked: DnsQuery) -> DnsObservation:
    """The truth."""
    return seen(asked, *(EXPECTED[asked.question].data or ()))


def wrong_where(
    where: Callable[[DnsQuery], bool], outcome: DnsOutcome = O.TIMEOUT
) -> Callable[[DnsQuery], DnsObservation]:
    """Another outcome for some queries."""
    return lambda asked: seen(asked, outcome=outcome) if where(asked) else right(asked)


def v6(asked: DnsQuery) -> bool:
    return asked.server.family is Family.IPV6


def tcp(asked: DnsQuery) -> bool:
    return asked.transport is Transport.TCP


PLACES = {
    "IPv6": (
        v6,
        "all answers over IPv6 are wrong (TIMEOUT); IPv4 works; 8 of 16 answers are right",
        Parity.IPV6_BROKEN,
    ),
    "IPv4": (lambda q: not v6(q), "all answers over IPv4 are wrong", Parity.IPV4_BROKEN),
    "TCP over IPv6": (
        lambda q: v6(q) and tcp(q),
        "all answers over IPv6, over TCP are wrong (TIMEOUT); IPv4 works; 12 of 16",
        Parity.IPV6_BROKEN,
    ),
    "TCP": (tcp, "all answers over TCP are wrong (TIMEOUT); UDP works", Parity.BOTH_BROKEN),
    "AAAA": (
        lambda q: q.question is QUESTION,
        "all answers to questions for AAAA are wrong (TIMEOUT); A works",
        Parity.IPV6_BROKEN,
    ),
    "one node": (
        lambda q: q.source is TWO,
        "all answers asked from worker2 are wrong (TIMEOUT); worker works",
        Parity.BOTH_BROKEN,
    ),
    "some of a node": (
        lambda q: q.source is TWO and v6(q) and tcp(q) and q.question is QUESTION,
        "all answers over IPv6, over TCP, to questions for AAAA are wrong",
        Parity.IPV6_BROKEN,
    ),
    "everything": (
        lambda _: True,
        "all answers are wrong (TIMEOUT); 0 of 16 answers are right",
        Parity.BOTH_BROKEN,
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_verdict_leads_with_what_wrong_answers_share(name: str) -> None:
    where, said, parity = PLACES[name]
    came = observations(wrong_where(where))
    wrong = dns_judge.disagreements(came, EXPECTED)

    assert len(wrong) == sum(where(o.query) for o in came)
    lead = dns_judge.verdict("names", came, wrong).splitlines()[0]
    assert lead.startswith(f"names: {said}"), lead
    assert dns_judge.parity(came, wrong) is parity


def behind(replicas: int, asked: DnsQuery) -> DnsQuery:
    """The same question to a service with so many replicas behind it."""
    return dataclasses.replace(asked, server=dataclasses.replace(asked.server, replicas=replicas))


def through_service(
    replicas: int, wrong: Callable[[DnsQuery, int], bool], pods: int
) -> tuple[list[DnsObservation], Parity]:
    """Answers to pods that ask for both families over both; what is claimed of families."""
    asked = [
        behind(replicas, query(family, question=question, source=pod("a", f"worker{n}", n + 1)))
        for n in range(pods)
        for question in EXPECTED
        for family in Family
    ]
    came = [
        seen(q, outcome=O.NXDOMAIN) if wrong(q, number) else right(q)
        for number, q in enumerate(asked)
    ]
    return came, dns_judge.parity(came, dns_judge.disagreements(came, EXPECTED))


def test_three_samples_of_several_replicas_blame_no_family() -> None:
    """A stale replica that happened to answer what went over IPv6 only is no fault of IPv6."""
    unlucky = lambda q, _: v6(q) and q.question is QUESTION  # noqa: E731
    assert through_service(2, unlucky, 3)[1] is Parity.NOT_COMPARED
    assert through_service(1, unlucky, 3)[1] is Parity.IPV6_BROKEN


def test_enough_samples_without_exception_blame_a_family_behind_several_replicas() -> None:
    """Eight and more pairs, none of them the other way round, are no chance."""
    always = lambda q, _: q.question is QUESTION  # noqa: E731
    assert through_service(2, always, 8)[1] is Parity.IPV6_BROKEN
    mostly = lambda q, n: q.question is QUESTION and n > 3  # noqa: E731
    assert through_service(2, mostly, 8)[1] is not Parity.IPV6_BROKEN


@pytest.mark.parametrize("spared", [False, True])
def test_replicas_that_differ_by_family_prove_what_fails_through_their_service(
    spared: bool,
) -> None:
    """Each replica, asked by itself, is right over the other family: then chance has no part in it,
    unless one of them is wrong over both."""
    asked = [
        dataclasses.replace(q, server=dataclasses.replace(q.server, name=name, replicas=count))
        for name, count in (("kube-dns", 2), ("coredns-1", 1), ("coredns-2", 1))
        for q in (query(family) for family in Family)
    ]
    came = [
        seen(q, outcome=O.TIMEOUT) if v6(q) or (spared and q is asked[-2]) else right(q)
        for q in asked
    ]
    wanted = Parity.BOTH_BROKEN if spared else Parity.IPV6_BROKEN
    assert dns_judge.parity(came, dns_judge.disagreements(came, EXPECTED)) is wanted


def test_an_unknown_number_of_replicas_is_taken_for_several() -> None:
    assert through_service(0, lambda q, _: v6(q), 1)[1] is not Parity.IPV6_BROKEN
    assert through_service(1, lambda q, _: v6(q), 1)[1] is Parity.IPV6_BROKEN


def test_records_of_another_type_are_reported_and_not_called_absent() -> None:
    """What came in the answer to AAAA is the whole story."""
    asked = query()
    records = (DnsRecord(NAME, "A", 30, "192.0.2.1"),)
    answer = dataclasses.replace(answered(asked), records=records)
    came = [DnsObservation(asked, O.WRONG_TYPE, "", answer, 0.001)]
    text = dns_judge.verdict("names", came, dns_judge.disagreements(came, EXPECTED))

    assert text.startswith("names: all answers are wrong (A records in an answer to AAAA)")
    assert "the server said NOERROR aa, 1 records, 40 bytes: {A 192.0.2.1}" in text
    assert "NODATA" not in text


def test_verdict_names_question_server_way_expected_seen_and_contrast() -> None:
    came = observations(wrong_where(lambda q: v6(q) and tcp(q), O.TIMEOUT))
    text = dns_judge.verdict("names", came, dns_judge.disagreements(came, EXPECTED))

    assert (
        f"AAAA {NAME} at kube-dns over TCP/IPv6: TIMEOUT, expected {{fd00::1}} ({BECAUSE})" in text
    )
    assert "asked by a@worker, a@worker2" in text
    assert "the same name, over UDP/IPv4: NOERROR {fd00::1} in 1.0 ms" in text
    assert "A over UDP/IPv4: NOERROR {192.0.2.1}" in text


def test_verdict_names_missing_and_unexpected_records() -> None:
    expected: Expected = {QUESTION: DnsExpectation.records(["fd00::1", "fd00::2"], BECAUSE)}
    came = [seen(query(), "fd00::2", "fd00::bad")]
    text = dns_judge.verdict("names", came, dns_judge.disagreements(came, expected))

    assert text.startswith("names: all answers are wrong (other records); 0 of 1 answers are right")
    assert "{fd00::2, fd00::bad}, expected {fd00::1, fd00::2}" in text
    assert "missing {fd00::1}; not expected {fd00::bad}" in text
    assert "the server said NOERROR aa, 2 records, 96 bytes" in text


def test_ways_that_say_the_same_are_reported_together() -> None:
    came = observations(wrong_where(lambda q: q.question is QUESTION, O.NXDOMAIN))
    text = dns_judge.verdict("names", came, dns_judge.disagreements(came, EXPECTED))

    assert "over UDP/IPv4, TCP/IPv4, UDP/IPv6, TCP/IPv6: NXDOMAIN, expected {fd00::1}" in text
    assert "the same name, A over UDP/IPv4: NOERROR {192.0.2.1}" in text
    assert "missing" not in text
    assert len(text.splitlines()) == 4


def test_denial_and_empty_answer_read_differently() -> None:
    for outcome in (O.NODATA, O.NXDOMAIN):
        came = [seen(query(), outcome=outcome)]
        text = dns_judge.verdict("names", came, dns_judge.disagreements(came, EXPECTED))
        assert f"over UDP/IPv6: {outcome}, expected {{fd00::1}}" in text


def test_unmeasured_answers_are_named_so_and_break_no_family() -> None:
    came = observations(wrong_where(v6, O.UNKNOWN))
    wrong = dns_judge.disagreements(came, EXPECTED)

    assert dns_judge.parity(came, wrong) is Parity.NOT_COMPARED
    assert "not measured, expected" in dns_judge.verdict("names", came, wrong)


def test_long_verdicts_are_cut_and_say_so() -> None:
    questions = {
        dataclasses.replace(QUESTION, name=f"n{i}.{NAME}"): DnsExpectation.records(
            [f"fd00::{j:x}" for j in range(1, 121)], BECAUSE
        )
        for i in range(20)
    }
    came = [seen(query(question=q)) for q in questions]
    text = dns_judge.verdict("names", came, dns_judge.disagreements(came, questions))

    assert "{fd00::1, fd00::10, fd00::11, fd00::12, ... 116 more}" in text
    assert f"... and {20 - dns_judge.KINDS} more wrong answers" in text
    assert len(text.splitlines()) < 25


def test_single_family_is_not_compared() -> None:
    came = [seen(query(Family.IPV6, question=q), outcome=O.TIMEOUT) for q in (QUESTION,)]
    assert dns_judge.parity(came, dns_judge.disagreements(came, EXPECTED)) is Parity.NOT_COMPARED


def test_names_are_listed_once_and_cut() -> None:
    assert dns_judge.listed(["a", "b", "a"]) == "a, b"
    assert dns_judge.listed("abcdef") == "a, b, c, d and 2 more"
