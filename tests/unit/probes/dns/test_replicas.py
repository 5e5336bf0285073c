"""Which replica is at fault, from what each said by itself; and when none may be named."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence

import pytest

from sixproof.model import Family
from sixproof.probes.dns import replicas
from sixproof.probes.dns.judge import DnsExpectation, Expected
from sixproof.probes.dns.verdict import (
    DnsObservation,
    DnsOutcome,
    DnsQuery,
    DnsServer,
    Transport,
)
from tests.unit.probes.dns.samples import A_QUESTION, ONE, QUESTION, TWO, pod, query, seen

O = DnsOutcome  # noqa: E741 - as the tables read
SERVICE = "kube-system/kube-dns"
EXPECTED: Expected = {
    QUESTION: DnsExpectation.records(["fd00::1"], "-"),
    A_QUESTION: DnsExpectation.records(["192.0.2.1"], "-"),
}
TRUTH = {QUESTION: "fd00::1", A_QUESTION: "192.0.2.1"}
THREE = pod("a", "worker3", 3)
REPLICAS = tuple(
    DnsServer(f"coredns-{name}", ipaddress.ip_address(text.format(number)), node=f"worker{number}")
    for number, name in enumerate("xyz"[:2], 1)
    for text in ("192.0.2.5{}", "2001:db8::5{}")
)


def by_service(wrong: Sequence[int]) -> list[DnsObservation]:
    """Three pods ask the service for AAAA; these of them are answered that no such name exists."""
    return [
        seen(query(source=source), outcome=O.NXDOMAIN)
        if number in wrong
        else seen(query(source=source), "fd00::1")
        for number, source in enumerate((ONE, TWO, THREE))
    ]


def asked_directly(
    came: Callable[[DnsQuery], DnsOutcome | None], wrong: Sequence[int] = (0, 1)
) -> list[DnsObservation]:
    """What replicas say to the questions that are put to them; None is the truth."""
    through = by_service(wrong)
    bad = [o for o in through if o.outcome is O.NXDOMAIN]
    return [
        seen(q, outcome=outcome) if (outcome := came(q)) else seen(q, TRUTH[q.question])
        for q in replicas.questions(through, bad, EXPECTED, REPLICAS)
    ]


def finding_text(came: Callable[[DnsQuery], DnsOutcome | None]) -> str:
    """The finding as text, "" for none."""
    found = replicas.replicas(asked_directly(came), EXPECTED)
    return str(replicas.finding(found, SERVICE) or "")


def test_each_replica_is_asked_for_both_families_over_both_by_a_pod_that_was_right_too() -> None:
    queries = [o.query for o in asked_directly(lambda _: None)]
    assert {q.source.name for q in queries} == {ONE.name, TWO.name, THREE.name}
    assert {q.server.address for q in queries} == {r.address for r in REPLICAS}
    assert {q.question for q in queries} == set(EXPECTED)
    assert len(queries) == 3 * len(REPLICAS) * 2


def test_replicas_that_were_asked_directly_are_not_asked_again() -> None:
    direct = [seen(DnsQuery(ONE, REPLICAS[0], Transport.UDP, QUESTION), outcome=O.NXDOMAIN)]
    assert not replicas.questions(direct, direct, EXPECTED, REPLICAS)


def test_the_transport_of_what_was_wrong_is_used() -> None:
    over_tcp = [seen(query(transport=Transport.TCP), outcome=O.NXDOMAIN)]
    queries = replicas.questions(over_tcp, over_tcp, EXPECTED, REPLICAS)
    assert {q.transport for q in queries} == {Transport.TCP}


def test_the_stale_replica_is_named_with_its_node_and_the_other_is_right() -> None:
    text = finding_text(lambda q: O.NXDOMAIN if q.server.name == "coredns-x" else None)
    assert text.startswith(
        "DNS replica coredns-x on worker1: answers NXDOMAIN to 12 of 12 questions (A, AAAA), "
        "over IPv4 and IPv6 alike; coredns-y on worker2 is right"
    )
    assert "kubectl -n kube-system logs coredns-x" in text


def test_a_replica_that_answers_nobody_is_named() -> None:
    text = finding_text(lambda q: O.TIMEOUT if q.server.name == "coredns-y" else None)
    assert text.startswith("DNS replica coredns-y on worker2: answers none of 12 questions")
    assert "coredns-x on worker1 is right" in text


def test_replicas_that_are_wrong_alike_are_a_matter_of_what_they_share() -> None:
    text = finding_text(lambda q: O.NODATA if q.question is QUESTION else None)
    assert text.startswith(
        "Service kube-system/kube-dns: each of its 2 replicas is wrong: coredns-x on worker1 "
        "answers NODATA to 6 of 12 questions (AAAA), over IPv4 and IPv6 alike"
    )
    assert "Corefile" in text


def test_replicas_that_are_right_leave_the_way_through_the_service() -> None:
    text = finding_text(lambda _: None)
    assert text.startswith("Service kube-system/kube-dns: answers through it are wrong or missing")
    assert "coredns-x on worker1, coredns-y on worker2" in text


@pytest.mark.parametrize(
    "came",
    [
        lambda _: O.TIMEOUT,
        lambda q: O.TIMEOUT if q.source is not THREE else None,
        lambda q: O.TIMEOUT if q.server.family is Family.IPV6 else None,
        lambda _: O.UNKNOWN,
    ],
    ids=["all-silent", "silent-to-some-pods", "silent-over-one-family", "not-measured"],
)
def test_what_is_lost_on_its_way_accuses_no_replica(
    came: Callable[[DnsQuery], DnsOutcome | None],
) -> None:
    """Silence that others do not meet is of a path, and is reported by the test of ways."""
    assert finding_text(came) == ""


def test_other_records_are_wrong_too() -> None:
    through = by_service([0])
    queries = replicas.questions(through, through[:1], EXPECTED, REPLICAS)
    direct = [
        seen(q, "fd00::bad" if q.server.name == "coredns-x" else TRUTH[q.question])
        for q in queries
        if q.question is QUESTION
    ]
    found = replicas.finding(replicas.replicas(direct, EXPECTED), SERVICE)
    assert "answers other records to 4 of 4 questions (AAAA)" in str(found)
