"""DNS answers as a matrix: transports, families and servers side by side."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.model import EndpointKind, Family, Outcome, Parity
from sixproof.probes.dns import matrix as dns_matrix
from sixproof.probes.dns.judge import DnsExpectation
from sixproof.probes.dns.verdict import DnsOutcome, Transport
from tests.unit.probes.dns.samples import QUESTION, SERVERS, WAYS, query, seen

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


def test_pods_are_told_from_the_service() -> None:
    asked = query()
    pod = dataclasses.replace(SERVERS[Family.IPV6], name="coredns-1", node="worker")
    came = [seen(asked, "fd00::1"), seen(dataclasses.replace(asked, server=pod), "fd00::1")]
    matrix, _ = dns_matrix.matrix("DNS", came, EXPECTED)

    assert [o.flow.destination.kind for o in matrix.observations()] == [
        EndpointKind.SERVICE,
        EndpointKind.POD,
    ]
