"""DNS answers as a matrix of flows: who reaches which server, over which transport and family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sixproof.model import (
    Edge,
    Endpoint,
    EndpointKind,
    Expectation,
    Family,
    Flow,
    IPAddress,
    Matrix,
    Observation,
    Outcome,
    Protocol,
    edge_of,
)
from sixproof.probes.dns.judge import Expected
from sixproof.probes.dns.verdict import DnsObservation, DnsOutcome

BECAUSE = "the DNS answers over every family and transport (RFC 7766, RFC 3901)"
_OUTCOMES = {
    DnsOutcome.TIMEOUT: Outcome.DROPPED,
    DnsOutcome.UNREACHABLE: Outcome.UNROUTABLE,
    DnsOutcome.MALFORMED: Outcome.CORRUPTED,
    DnsOutcome.UNKNOWN: Outcome.UNKNOWN,
}


def matrix(
    title: str, seen: Iterable[DnsObservation], expected: Expected
) -> tuple[Matrix, Mapping[tuple[Family, Edge], Expectation]]:
    """The matrix, and what is expected of it: every cell allowed.

    A cell is allowed if the answer was the expected one; another answer is DNS_FAILED. A cell takes
    one question; of several the last one stands.
    """
    known = tuple(seen)
    addresses: dict[str, dict[IPAddress, None]] = {}
    for o in known:
        addresses.setdefault(o.query.server.name, {})[o.query.server.address] = None
    found = Matrix.of(
        title, (_cell(o, tuple(addresses[o.query.server.name]), expected) for o in known)
    )
    wanted = {
        (o.flow.family, edge_of(o.flow)): Expectation.allowed(BECAUSE) for o in found.observations()
    }
    return found, wanted


def _cell(
    seen: DnsObservation, addresses: tuple[IPAddress, ...], expected: Expected
) -> Observation:
    query = seen.query
    right = expected[query.question].accepts(seen)
    outcome = Outcome.ALLOWED if right else _OUTCOMES.get(seen.outcome, Outcome.DNS_FAILED)
    server = Endpoint(
        name=query.server.name,
        kind=EndpointKind.POD if query.server.node else EndpointKind.SERVICE,
        addresses=addresses,
        node=query.server.node,
    )
    return Observation(
        flow=Flow(
            source=query.source,
            destination=server,
            address=query.server.address,
            protocol=Protocol(query.transport.value),
            port=query.server.port(query.transport),
        ),
        outcome=outcome,
        reason="" if right else f"{query.question}: {seen.outcome} {seen.reason}".strip(),
        attempts=seen.attempts,
        waited=seen.waited,
        latency=seen.latency,
    )
