"""DNS results as matrices: which client reaches which server and how, and what the answers are."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from sixproof.model import (
    Edge,
    Endpoint,
    EndpointKind,
    Expectation,
    Family,
    Flow,
    IPAddress,
    Judged,
    Matrix,
    MatrixKind,
    Observation,
    Outcome,
    Protocol,
    edge_of,
)
from sixproof.probes.dns.judge import Expected
from sixproof.probes.dns.lookups import Wanted
from sixproof.probes.dns.resolver import LookupObservation, ResolverCall
from sixproof.probes.dns.verdict import LOST, DnsObservation, DnsOutcome

BECAUSE = "the DNS answers over every family and transport (RFC 7766, RFC 3901)"
_OUTCOMES = {
    DnsOutcome.TIMEOUT: Outcome.DROPPED,
    DnsOutcome.UNREACHABLE: Outcome.UNROUTABLE,
    DnsOutcome.MALFORMED: Outcome.CORRUPTED,
    DnsOutcome.UNKNOWN: Outcome.UNKNOWN,
}
_ANSWERS = Expectation.allowed(BECAUSE)
_DENIED = Expectation(
    frozenset({Outcome.DROPPED, Outcome.UNROUTABLE}), "a policy keeps this source from this server"
)


def questions(title: str, seen: Iterable[DnsObservation], expected: Expected) -> Judged:
    """Whether servers answer: a cell for each source, server, transport and family of the way.

    Of several questions one with a wrong outcome decides the cell. The family is that of the
    server's address, whatever is asked for.
    """
    known, ends = _known(seen)
    cells: dict[tuple[Family, Edge], Observation] = {}
    wanted: dict[tuple[Family, Edge], Expectation] = {}
    for o in known:
        denied = expected[o.query.question].outcomes <= LOST
        outcome = Outcome.ALLOWED if o.outcome.answered else _OUTCOMES[o.outcome]
        expectation = _DENIED if denied else _ANSWERS
        cell = _observation(o, _flow(o, ends), outcome, "" if o.outcome.answered else o.reason)
        key = cell.flow.family, edge_of(cell.flow)
        bad = outcome not in expectation.outcomes
        if key not in cells or (bad and cells[key].outcome in wanted[key].outcomes):
            cells[key], wanted[key] = cell, expectation
    return Matrix(title, cells, MatrixKind.DNS_QUESTIONS), wanted


def answers(title: str, seen: Iterable[DnsObservation], expected: Expected) -> Judged:
    """Whether what servers said is true: a cell for each source, server, transport and name.

    The family is that of the records asked for, else that of the way. What was not answered is not
    here: `questions` has it.
    """
    known, ends = _known(o for o in seen if o.outcome.answered)
    cells: dict[tuple[Family, Edge], Observation] = {}
    wanted: dict[tuple[Family, Edge], Expectation] = {}
    for o in known:
        truth = expected[o.query.question]
        if truth.outcomes <= LOST:
            continue
        right = truth.accepts(o)
        outcome = Outcome.ALLOWED if right else Outcome.DNS_FAILED
        cell = _observation(o, _question(o, ends), outcome, "" if right else _came(o))
        key = cell.flow.family, edge_of(cell.flow)
        if key not in cells or not right:
            cells[key], wanted[key] = cell, Expectation.allowed(truth.because)
    return Matrix(title, cells, MatrixKind.DNS_ANSWERS), wanted


def lookups(
    title: str,
    seen: Iterable[LookupObservation],
    wanted: Wanted,
    nameservers: Mapping[str, Sequence[IPAddress]],
) -> Judged:
    """What the resolvers of pods made of names; `nameservers` are those of each source.

    The family is the one asked for, that of the first nameserver where both are at once.
    """
    cells: dict[tuple[Family, Edge], Observation] = {}
    expected: dict[tuple[Family, Edge], Expectation] = {}
    for o in seen:
        flow = _looked_up(o.lookup, nameservers)
        if flow is None:
            continue
        truth = wanted[o.lookup.name, o.lookup.family]
        right = truth.accepts(o)
        outcome = Outcome.ALLOWED if right else _OUTCOMES.get(o.outcome, Outcome.DNS_FAILED)
        key = flow.family, edge_of(flow)
        if key not in cells or not right:
            reason = "" if right else f"{o.outcome} {o.reason}".strip()
            cells[key] = Observation(
                flow,
                outcome,
                reason,
                attempts=_asked(o),
                latency=o.latency,
                stalled=o.stalled,
            )
            expected[key] = Expectation.allowed(truth.because)
    return Matrix(title, cells, MatrixKind.LOOKUPS), expected


def asked_once(
    title: str,
    seen: Iterable[LookupObservation],
    nameservers: Mapping[str, Sequence[IPAddress]],
) -> Judged:
    """Whether resolvers of pods had their answer without asking again, whatever it was: a cell for
    all lookups of a name by a pod, which the worst of them decides."""
    calls: dict[ResolverCall, list[LookupObservation]] = {}
    for o in seen:
        calls.setdefault(o.lookup, []).append(o)
    cells: dict[tuple[Family, Edge], Observation] = {}
    for call, found in calls.items():
        if flow := _looked_up(call, nameservers, ", in time"):
            cells[flow.family, edge_of(flow)] = _promptness(flow, found)
    because = "no question of a resolver is lost"
    return Matrix(title, cells, MatrixKind.LOOKUPS), dict.fromkeys(
        cells, Expectation.allowed(because)
    )


def _promptness(flow: Flow, found: Sequence[LookupObservation]) -> Observation:
    """How many lookups of one name were late, or brought nothing."""
    known = [o for o in found if o.outcome.measured]
    lost = [o for o in known if o.outcome is DnsOutcome.TIMEOUT]
    late = [o for o in known if o.resent and o.outcome is not DnsOutcome.TIMEOUT]
    unknown = [o for o in found if not o.outcome.measured]
    latency = max((o.latency for o in found if o.latency is not None), default=None)
    of = f"of {len(found)} lookups"
    if lost:
        reason = f"{len(lost)} {of} brought nothing"
        return Observation(flow, Outcome.DROPPED, reason, attempts=2, latency=latency)
    if late:
        reason = f"{len(late)} {of} were late: the resolver asked again"
        return Observation(flow, Outcome.WRONG, reason, attempts=2, latency=latency)
    if unknown:
        stalled = max(o.stalled for o in unknown)
        return Observation(flow, Outcome.UNKNOWN, unknown[0].reason, stalled=stalled)
    return Observation(flow, Outcome.ALLOWED, latency=latency)


def _asked(seen: LookupObservation) -> int:
    """How often a resolver asked, at least."""
    return 2 if seen.resent or seen.outcome is DnsOutcome.TIMEOUT else 1


def _looked_up(
    call: ResolverCall, nameservers: Mapping[str, Sequence[IPAddress]], how: str = ""
) -> Flow | None:
    """The way of a lookup to the first nameserver of its pod, None where that has none."""
    servers = tuple(nameservers[call.source.name])
    if not servers:
        return None
    resolver = Endpoint("its resolver", EndpointKind.SERVICE, servers[:1])
    question = f"{call.name} ({call.asked}){how}"
    return Flow(call.source, resolver, servers[0], Protocol.UDP, 53, question, call.family)


def matrix(
    title: str, seen: Iterable[DnsObservation], expected: Expected
) -> tuple[Matrix, Mapping[tuple[Family, Edge], Expectation]]:
    """The matrix, and what is expected of it: every cell allowed.

    A cell is allowed if the answer was the expected one; another answer is DNS_FAILED. A cell takes
    one question; of several the last one counts.
    """
    known, ends = _known(seen)
    found = Matrix.of(title, (_cell(o, ends, expected) for o in known))
    wanted = {
        (o.flow.family, edge_of(o.flow)): Expectation.allowed(BECAUSE) for o in found.observations()
    }
    return found, wanted


_Ends = Mapping[str, Endpoint]


def _known(seen: Iterable[DnsObservation]) -> tuple[tuple[DnsObservation, ...], _Ends]:
    """The observations, and each server with all of its addresses that were asked, by its name."""
    known = tuple(seen)
    addresses: dict[str, dict[IPAddress, None]] = {}
    for o in known:
        addresses.setdefault(o.query.server.name, {})[o.query.server.address] = None
    ends = {
        server.name: Endpoint(
            name=server.name,
            kind=EndpointKind.POD if server.node else EndpointKind.SERVICE,
            addresses=tuple(addresses[server.name]),
            node=server.node,
        )
        for server in (o.query.server for o in known)
    }
    return known, ends


def _cell(seen: DnsObservation, ends: _Ends, expected: Expected) -> Observation:
    right = expected[seen.query.question].accepts(seen)
    outcome = Outcome.ALLOWED if right else _OUTCOMES.get(seen.outcome, Outcome.DNS_FAILED)
    reason = "" if right else f"{seen.query.question}: {seen.outcome} {seen.reason}".strip()
    return _observation(seen, _flow(seen, ends), outcome, reason)


def _flow(seen: DnsObservation, ends: _Ends) -> Flow:
    """The way of a question."""
    query = seen.query
    return Flow(
        source=query.source,
        destination=ends[query.server.name],
        address=query.server.address,
        protocol=Protocol(query.transport.value),
        port=query.server.port(query.transport),
    )


def _question(seen: DnsObservation, ends: _Ends) -> Flow:
    """The way of a question with its name. Those for the addresses of a name are one question in
    either family, asked apart for each way."""
    asked, family = seen.query.question, seen.query.question.type.family
    what = asked.name if family else f"{asked.type} {asked.name}"
    way = f" over {seen.query.server.family}" if family else ""
    size = f" (EDNS {asked.edns})" if asked.edns else ""
    flow = _flow(seen, ends)
    return dataclasses.replace(flow, question=f"{what}{size}{way}", about=family)


def _came(seen: DnsObservation) -> str:
    """The outcome of a wrong answer, the same for names with the same failure."""
    return f"{seen.came} {seen.reason}".strip()


def _observation(seen: DnsObservation, flow: Flow, outcome: Outcome, reason: str) -> Observation:
    return Observation(
        flow=flow,
        outcome=outcome,
        reason=reason,
        attempts=seen.attempts,
        waited=seen.waited,
        latency=seen.latency,
        stalled=seen.stalled,
    )
