"""Causes of the DNS: one replica, or what all of them share; and what is neither."""

from __future__ import annotations

import dataclasses
import ipaddress
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sixproof.kube.facts.components import ComponentPod, HealthCheck
from sixproof.model import Family, Judged
from sixproof.probes.dns import matrix as dns_matrix
from sixproof.probes.dns.message import RecordType
from sixproof.probes.dns.resolver import LookupObservation, ResolverCall
from sixproof.probes.dns.verdict import DnsOutcome, DnsQuery, DnsServer, Transport
from sixproof.probes.nodes.examination import PodHealth
from sixproof.reporting.conclusion.cause import in_two_lines
from sixproof.reporting.conclusion.conclusion import Conclusions
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.probes.dns.samples import seen
from tests.unit.reporting.conclusion.cluster import conclude, examined
from tests.unit.reporting.diagnosis.test_kinds import (
    EXPECTED,
    NAMES,
    PODS,
    QUESTIONS,
    REPLICAS,
    TRUTH,
    Fails,
    run,
    server,
)

COREFILE = ".:53 {{\n    errors\n    {}\n    kubernetes cluster.local\n}}\n"


def concluded(
    fails: Fails,
    corefile: str = "",
    pods: Iterable[ComponentPod] = (),
    health: Sequence[PodHealth] = (),
) -> Conclusions:
    """What a run concludes in which every pod asks both replicas."""
    results = run(fails)
    cases = tuple(Case(m.test, CaseOutcome.FAILED) for m in results.matrices)
    read = examined(settings={"Corefile": corefile}, health=[*health])
    read = dataclasses.replace(read, pods=[*read.pods, *pods])
    return conclude(dataclasses.replace(results, cases=cases, examination=read))


def test_a_replica_that_lost_its_watch_is_named() -> None:
    """R4: both families alike, new names only; the other replica is right."""

    def stale(query: DnsQuery) -> DnsOutcome | None:
        new = query.server.name == "coredns-x" and query.question.name in NAMES[:2]
        return DnsOutcome.NXDOMAIN if new else None

    (one,) = concluded(stale).every
    assert one.first_screen.startswith("DNS replica coredns-x on worker2: it answers NXDOMAIN")
    assert "over IPv4 and IPv6 alike" in one.first_screen
    assert one.causes[0].do[-1].text == "kubectl -n kube-system delete pod coredns-x"
    assert "coredns-y on worker is right when asked the same" in one.evidence
    assert one.resembles[0].startswith("coredns/coredns 3587 and coredns/coredns 3879:")


def test_a_replica_that_nobody_reaches_is_named() -> None:
    """R10: it gives no answer to anybody."""

    def dead(query: DnsQuery) -> DnsOutcome | None:
        return DnsOutcome.TIMEOUT if query.server.name == "coredns-x" else None

    (one,) = concluded(dead).every
    assert one.headline.startswith(
        "DNS replica coredns-x on worker2: it gives no answer on port 53, over IPv4 and IPv6"
    )
    assert one.resembles[0].startswith("coredns/coredns 7168:")


def service(family: Family) -> DnsServer:
    """The DNS service at its address of a family."""
    address = "10.96.0.10" if family is Family.IPV4 else "fd00:96::a"
    return DnsServer("kube-dns", ipaddress.ip_address(address), replicas=len(REPLICAS))


def behind_the_service(fails: Fails, *more: Judged) -> Conclusions:
    """What is concluded where every pod asks each replica, and the service, which leads to each of
    them by turns."""
    turns = itertools.cycle(REPLICAS)
    came = []
    for source, family, question in itertools.product(PODS, Family, QUESTIONS):
        asked = DnsQuery(source, service(family), Transport.UDP, question)
        outcome = fails(dataclasses.replace(asked, server=server(next(turns), family)))
        data = () if outcome else (TRUTH[question.type],)
        came.append(seen(asked, *data, outcome=outcome))
    kept = [make("service", came, EXPECTED) for make in (dns_matrix.questions, dns_matrix.answers)]
    alone = run(fails)
    measured = [Measured(*judged, "suites/dns/t.py::u") for judged in (*kept, *more)]
    results = dataclasses.replace(
        alone,
        matrices=(*alone.matrices, *measured),
        cases=tuple(Case(f"suites/dns/t.py::{t}", CaseOutcome.FAILED) for t in "tu"),
        examination=examined(),
    )
    return conclude(results)


def test_how_much_fails_through_the_service_is_evidence() -> None:
    """R4: of the names that the replica gets wrong, about half, as it is one of two; what it knows
    is not counted. R10: of all questions."""

    def stale(query: DnsQuery) -> DnsOutcome | None:
        new = query.server.name == "coredns-x" and query.question.name in NAMES[:2]
        return DnsOutcome.NXDOMAIN if new else None

    (one,) = behind_the_service(stale).every
    assert (
        "24 of 48 answers for the same names through the service are wrong: it is one of 2 "
        + ("replicas")
        in one.evidence
    )
    assert "48 of 120 answers that it gave are wrong" in one.evidence

    def silent_over_ipv6(query: DnsQuery) -> DnsOutcome | None:
        six = query.server.family is Family.IPV6
        return silent(query) if six else None

    (other,) = behind_the_service(silent_over_ipv6).every
    lost = [line for line in other.evidence if "through the service" in line]
    assert lost == ["6 of 6 questions through the service were lost: it is one of 2 replicas"]
    assert not any("through the service" in line for line in concluded(silent).every[0].evidence)


def test_late_lookups_are_evidence_of_a_silent_replica() -> None:
    """R10: the resolver asked again; what brought nothing is told apart. They are explained by it,
    and so are the tests that saw nothing else."""
    nameservers = {pod.name: [service(Family.IPV6).address] for pod in PODS}
    quick = LookupObservation(ResolverCall(PODS[0], NAMES[0]), DnsOutcome.NOERROR, latency=0.01)
    late = LookupObservation(ResolverCall(PODS[1], NAMES[0]), DnsOutcome.NOERROR, latency=5.04)
    lost = LookupObservation(ResolverCall(PODS[2], NAMES[0]), DnsOutcome.TIMEOUT)
    judged = dns_matrix.asked_once("lookups", [quick, late, quick, lost], nameservers)
    (one,) = behind_the_service(silent, judged).every
    assert one.tests == {"suites/dns/t.py::t", "suites/dns/t.py::u"}
    assert [line for line in one.evidence if line.startswith("lookups of ")] == [
        "lookups of 1 of 3 pods were late, by up to 5.0 s: their resolver asked again",
        "lookups of 1 of 3 pods brought nothing, though their resolver asked again",
    ]
    assert in_two_lines(one.headline)


@pytest.mark.parametrize(
    ("changes", "evidence"),
    [
        ({}, "the API server calls it Ready, with no restarts"),
        ({"restarts": 1}, "the API server calls it Ready, with 1 restart"),
        ({"ready": False, "restarts": 3}, "the API server calls it not Ready, with 3 restarts"),
    ],
    ids=["well", "started again", "not ready"],
)
def test_what_the_api_server_says_of_a_replica_is_evidence(
    changes: dict[str, Any], evidence: str
) -> None:
    """Of that replica alone: Ready does not mean that it answers."""
    sick = ComponentPod("CoreDNS", "kube-system", "coredns-x", "worker2", ready=True)
    pods = [
        dataclasses.replace(sick, **changes),
        dataclasses.replace(sick, name="coredns-z", restarts=9),
        dataclasses.replace(sick, name="coredns-y", node="worker", restarts=9),
    ]

    def dead(query: DnsQuery) -> DnsOutcome | None:
        return DnsOutcome.TIMEOUT if query.server.name == "coredns-x" else None

    (one,) = concluded(dead, pods=pods).every
    assert [line for line in one.evidence if "API server" in line] == [evidence]


HEALTH, READY = HealthCheck(8080, "/health"), HealthCheck(8181, "/ready")
FOUR, SIX = "10.244.0.0", "fd00:244::"


def said(
    check: HealthCheck,
    status: int,
    body: str = "",
    error: str = "",
    *,
    addresses: Iterable[str] = (FOUR, SIX),
    name: str = "coredns-x",
) -> list[PodHealth]:
    """What a replica says at these of its addresses."""
    node = REPLICAS[name]
    return [
        PodHealth("kube-system", name, node, address, check, status, body, error)
        for address in addresses
    ]


def silent(query: DnsQuery) -> DnsOutcome | None:
    """Nobody reaches one replica on port 53."""
    return DnsOutcome.TIMEOUT if query.server.name == "coredns-x" else None


UNSURE = HealthCheck(8181, "/ready", declared=False)
HANGS = "no answer within 2 s"


@pytest.mark.parametrize(
    ("health", "evidence"),
    [
        (said(HEALTH, 200, "OK") + said(READY, 200, "OK"), ["its own /health and /ready say 200"]),
        (
            said(HEALTH, 200) + said(READY, 503, "kubernetes"),
            ["its own /ready says 503: plugins not ready: kubernetes", "its own /health says 200"],
        ),
        (said(READY, 503, "Shutting down"), ["its own /ready says 503: Shutting down"]),
        (said(READY, 500), ["its own /ready says 500"]),
        (
            said(READY, 200, addresses=[FOUR]) + said(READY, 0, error=HANGS, addresses=[SIX]),
            ["its own /ready gives no answer within 2 s, over IPv6"],
        ),
        (
            said(HEALTH, 0, error="Connection refused"),
            ["its own /health gives no answer: Connection refused"],
        ),
        (said(UNSURE, 0, error="Connection refused"), []),
        (said(READY, 503, "kubernetes", name="coredns-y"), []),
    ],
    ids=[
        "well",
        "not ready",
        "ending",
        "no body",
        "one family",
        "refused",
        "nothing may listen",
        "another's",
    ],
)
def test_what_a_replica_says_of_itself_is_evidence(
    health: Sequence[PodHealth], evidence: list[str]
) -> None:
    """Of that replica alone, beside its answers."""
    (one,) = concluded(silent, health=health).every
    assert [line for line in one.evidence if "its own /" in line] == evidence


def test_a_replica_whose_process_runs_is_kept_from_its_port() -> None:
    """It says something of itself; of one that is silent there, too, nobody knows."""
    (one,) = concluded(silent, health=said(HEALTH, 200)).every
    assert "See what keeps port 53 from it on worker2: its process runs" in one.remedy
    (other,) = concluded(silent, health=said(HEALTH, 0, error=HANGS)).every
    assert "whether port 53 reaches it and its process runs" in other.remedy


def test_a_replica_that_is_not_ready_is_at_fault_for_what_some_clients_lose() -> None:
    """It says so itself; where it only gives no answer, its node may keep the question from it."""

    def lost(query: DnsQuery) -> DnsOutcome | None:
        here = query.source.node == "control" and query.server.name == "coredns-x"
        return DnsOutcome.TIMEOUT if here else None

    (one,) = concluded(lost, health=said(READY, 503, "kubernetes")).every
    assert one.headline.startswith("DNS replica coredns-x on ")
    for health in ([], said(READY, 200), said(READY, 0, error=HANGS)):
        (other,) = concluded(lost, health=health).every
        assert not other.known


def test_health_says_nothing_where_the_dns_works() -> None:
    """A replica that calls itself not ready, and answers."""
    health = said(READY, 503, "kubernetes")
    assert not any(one.known for one in concluded(lambda _: None, health=health).every)

    def elsewhere(query: DnsQuery) -> DnsOutcome | None:
        return DnsOutcome.TIMEOUT if query.server.name == "coredns-y" else None

    (one,) = concluded(elsewhere, health=health).every
    assert one.headline.startswith("DNS replica coredns-y on ")
    assert "its own /" not in "".join(one.evidence)


def test_replicas_that_all_say_they_are_not_ready_show_it() -> None:
    """A cause that was only likely."""

    def rewritten(query: DnsQuery) -> DnsOutcome | None:
        return DnsOutcome.NODATA if query.question.type is RecordType.AAAA else None

    both = said(READY, 503, "kubernetes") + said(READY, 503, "kubernetes", name="coredns-y")
    (one,) = concluded(rewritten, health=both).every
    assert one.headline.startswith("CoreDNS: every replica answers NODATA to AAAA questions")
    assert "coredns-y's own /ready says 503: plugins not ready: kubernetes" in one.evidence
    (other,) = concluded(rewritten, health=said(READY, 503, "kubernetes")).every
    assert other.headline.startswith("Likely cause: ")
    assert "/ready" not in "".join(other.evidence)


def test_what_replicas_said_is_read_back(tmp_path: Path) -> None:
    """From results.json."""
    read = examined(health=said(READY, 503, "kubernetes"))
    results = dataclasses.replace(run(silent), examination=read)
    results.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json").examination == read


def test_a_line_of_the_corefile_is_the_cause() -> None:
    """R5: every replica alike, and the line that says so."""

    def rewritten(query: DnsQuery) -> DnsOutcome | None:
        return DnsOutcome.NODATA if query.question.type is RecordType.AAAA else None

    (one,) = concluded(rewritten, COREFILE.format("rewrite stop type AAAA A")).every
    assert one.headline.startswith(
        "CoreDNS: its Corefile says 'rewrite stop type AAAA A': AAAA questions get NODATA"
    )
    assert one.resembles[0].startswith("rancher/rke2 4050:")
    (other,) = concluded(rewritten, COREFILE.format("cache 30")).every
    assert other.headline.startswith(
        "Likely cause: CoreDNS: every replica answers NODATA to AAAA questions"
    )


def test_addresses_made_of_a_records_are_called_so() -> None:
    """D64: some names get them, asked over IPv6 alone. Of another wrong answer the same line of the
    Corefile says no more than what came."""

    def about(query: DnsQuery) -> bool:
        short = query.question.name in NAMES[:2] and query.question.type is RecordType.AAAA
        return short and query.server.family is Family.IPV6

    def made(query: DnsQuery) -> DnsOutcome | None:
        return DnsOutcome.NOERROR if about(query) else None

    def denied(query: DnsQuery) -> DnsOutcome | None:
        return DnsOutcome.NXDOMAIN if about(query) else None

    (one,) = concluded(made, COREFILE.format("dns64 64:ff9b::/96")).every
    assert one.headline == (
        "CoreDNS: its Corefile says 'dns64 64:ff9b::/96': AAAA questions get addresses made of A "
        "records where a name has no AAAA."
    )
    (other,) = concluded(denied, COREFILE.format("dns64 {")).every
    assert other.headline == "CoreDNS: its Corefile says 'dns64': AAAA questions get NXDOMAIN."


def test_what_one_node_loses_on_its_way_is_no_fault_of_a_replica() -> None:
    """I23: a client's node drops it."""

    def lost(query: DnsQuery) -> DnsOutcome | None:
        here = query.source.node == "control" and query.server.family is Family.IPV6
        return DnsOutcome.TIMEOUT if here else None

    (one,) = concluded(lost).every
    assert not one.known
    assert "from node control" in one.headline or "control" in one.headline
    assert "coredns" not in one.headline
