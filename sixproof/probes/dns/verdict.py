"""From a reply to a DNS outcome. Pure, and the one place where replies become outcomes.

What the agent could not measure is UNKNOWN and never counts against the DNS: a lost channel, an
agent that was stalled while it waited, a message that it could not send.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import enum
from collections.abc import Sequence

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.model import Endpoint, Family, IPAddress, host_literal
from sixproof.probes.connect.icmp import icmp_error
from sixproof.probes.connect.verdict import STALL_SHARE, no_route
from sixproof.probes.dns.message import DnsAnswer, DnsQuestion, MalformedAnswer, decode


class DnsOutcome(enum.StrEnum):
    """The outcome of a question, as a class."""

    NOERROR = "NOERROR"  # records of the type that was asked for
    NODATA = "NODATA"  # the name exists, without such records (RFC 2308 section 2.2)
    WRONG_TYPE = "WRONG_TYPE"  # records, none of them of the type that was asked for
    NXDOMAIN = "NXDOMAIN"  # no such name
    SERVFAIL = "SERVFAIL"
    REFUSED = "REFUSED"  # the server's own word; a closed port is UNREACHABLE
    ERROR = "ERROR"  # another response code, named in the reason
    TRUNCATED = "TRUNCATED"  # the TC bit: ask again over TCP
    TIMEOUT = "TIMEOUT"
    UNREACHABLE = "UNREACHABLE"  # no route, an ICMP error, a closed port
    MALFORMED = "MALFORMED"  # something came back that is no answer to the question
    UNKNOWN = "UNKNOWN"  # could not be measured

    @property
    def measured(self) -> bool:
        """Whether this says anything about the DNS."""
        return self is not DnsOutcome.UNKNOWN

    @property
    def answered(self) -> bool:
        """Whether a whole answer of a server came back."""
        return self in _ANSWERED


_ANSWERED = frozenset(
    {
        DnsOutcome.NOERROR,
        DnsOutcome.NODATA,
        DnsOutcome.WRONG_TYPE,
        DnsOutcome.NXDOMAIN,
        DnsOutcome.SERVFAIL,
        DnsOutcome.REFUSED,
        DnsOutcome.ERROR,
        DnsOutcome.TRUNCATED,
    }
)
LOST = frozenset({DnsOutcome.TIMEOUT, DnsOutcome.UNREACHABLE})
"""What it looks like where nothing comes through."""

OTHER_RECORDS = "other records"
"""What is said of a wrong answer that has records of the type that was asked for."""

_RCODES = {"NXDOMAIN", "SERVFAIL", "REFUSED"}


class Transport(enum.StrEnum):
    """What carries a question."""

    UDP = "UDP"
    TCP = "TCP"


@dataclasses.dataclass(frozen=True, slots=True)
class DnsServer:
    """A DNS server at one address. `name` is how reports call it: ``kube-dns``, a pod's name.

    `replicas` is how many servers may answer at this address: more than one behind a Service, 0
    where it is not known.
    """

    name: str
    address: IPAddress
    udp_port: int = 53
    tcp_port: int = 53
    node: str = ""
    replicas: int = 1

    @property
    def family(self) -> Family:
        """The family over which it is asked."""
        return Family.of(self.address)

    def port(self, transport: Transport) -> int:
        """Its port of a transport."""
        return self.udp_port if transport is Transport.UDP else self.tcp_port


@dataclasses.dataclass(frozen=True, slots=True)
class DnsQuery:
    """A question as sent: its client, its server, and how it is asked."""

    source: Endpoint
    server: DnsServer
    transport: Transport
    question: DnsQuestion

    @property
    def way(self) -> str:
        """Transport and family: ``UDP/IPv6``."""
        return f"{self.transport}/{self.server.family}"

    def __str__(self) -> str:
        port = self.server.port(self.transport)
        at = host_literal(self.server.address, port)
        return f"{self.source.name} -> {self.server.name} {at} over {self.way}: {self.question}"


@dataclasses.dataclass(frozen=True, slots=True)
class DnsObservation:
    """The outcome of a query. `latency` (to the answer), `waited` and `stalled` are seconds; the
    last is how long the agent was too busy to measure."""

    query: DnsQuery
    outcome: DnsOutcome
    reason: str = ""
    answer: DnsAnswer | None = None
    latency: float | None = None
    waited: float = 0.0
    attempts: int = 0
    stalled: float = 0.0

    @property
    def data(self) -> frozenset[str]:
        """What the records of the type that was asked for say."""
        return self.answer.data(self.query.question.type) if self.answer else frozenset()

    @property
    def came(self) -> str:
        """What came, as reports say it of a wrong answer: the outcome, or "other records", and of
        records of another type which ones."""
        if self.outcome is DnsOutcome.NOERROR:
            return OTHER_RECORDS
        if self.outcome is DnsOutcome.WRONG_TYPE and self.answer:
            return f"{listed_types(self.answer)} in an answer to {self.query.question.type}"
        return self.outcome.value

    def to_json(self) -> dict[str, object]:
        """The observation as one object of an attachment."""
        query, answer = self.query, self.answer
        return {
            "source": query.source.name,
            "server": query.server.name,
            "address": str(query.server.address),
            "transport": query.transport.value,
            "family": query.server.family.value,
            "question": str(query.question),
            "outcome": self.outcome.value,
            "reason": self.reason,
            "data": sorted(self.data),
            "answer": str(answer) if answer else "",
            "ttl": answer.ttl if answer else None,
            "latencySeconds": None if self.latency is None else round(self.latency, 6),
            "waitedSeconds": round(self.waited, 6),
            "attempts": self.attempts,
        }


def observe(
    query: DnsQuery, sent: protocol.Message, reply: protocol.Reply, number: int, lag: float
) -> DnsObservation:
    """The observation of a query that an agent tried; `lag` is that agent's own, in seconds."""
    outcome, reason, answer = rule(query, sent, reply, number, lag)
    return DnsObservation(
        query=query,
        outcome=outcome,
        reason=reason,
        answer=answer,
        latency=reply.latency,
        waited=reply.elapsed,
        attempts=reply.sent,
        stalled=lag if outcome is DnsOutcome.UNKNOWN and lag > STALL_SHARE * sent.timeout else 0.0,
    )


def unmeasured(query: DnsQuery, reason: str) -> DnsObservation:
    """The observation of a query that could not be tried."""
    return DnsObservation(query, DnsOutcome.UNKNOWN, reason)


def rule(
    query: DnsQuery, sent: protocol.Message, reply: protocol.Reply, number: int, lag: float
) -> tuple[DnsOutcome, str, DnsAnswer | None]:
    """The outcome, the reason for it, and the answer where there is one."""
    icmp = icmp_error(reply.icmp, query.server.family)
    said = " ".join(part for part in (reply.error, str(icmp or reply.detail)) if part)
    event = reply.event
    if event == Event.ANSWERED:
        return _answered(query, reply, number)
    if event == Event.SILENT:
        return (*_silent(query, sent, reply, lag, said), None)
    if event == Event.RESET:
        reason = f"refused ({said}): nothing listens, or a filter rejects"
        return DnsOutcome.UNREACHABLE, reason, None
    if event == Event.NO_ROUTE:
        return DnsOutcome.UNREACHABLE, f"{no_route(reply.error)}: {said}", None
    if event in (Event.UNREACHABLE, Event.TOO_BIG):
        return DnsOutcome.UNREACHABLE, said, None
    if event == Event.CLOSED:
        return DnsOutcome.MALFORMED, f"the server closed before the answer was whole: {said}", None
    return DnsOutcome.UNKNOWN, f"the client could not try: {said}", None


def _answered(
    query: DnsQuery, reply: protocol.Reply, number: int
) -> tuple[DnsOutcome, str, DnsAnswer | None]:
    try:
        data = base64.b64decode(reply.payload, validate=True)
    except binascii.Error as error:
        return DnsOutcome.UNKNOWN, f"the agent's reply is not base64: {error}", None
    try:
        answer = decode(data, query.question, number)
    except MalformedAnswer as error:
        return DnsOutcome.MALFORMED, f"{error} ({len(data)} bytes)", None
    if answer.tc:
        return DnsOutcome.TRUNCATED, f"{answer.size} bytes and the TC bit", answer
    if answer.rcode in _RCODES:
        return DnsOutcome(answer.rcode), "", answer
    if answer.rcode != "NOERROR":
        return DnsOutcome.ERROR, answer.rcode, answer
    if answer.data(query.question.type):
        return DnsOutcome.NOERROR, "", answer
    if answer.others(query.question.type):
        return DnsOutcome.WRONG_TYPE, "", answer
    aliases = [r.data for r in answer.records if r.type == "CNAME"]
    led = f"an alias of {aliases[-1]}, which has no {query.question.type}" if aliases else ""
    return DnsOutcome.NODATA, led, answer


def listed_types(answer: DnsAnswer) -> str:
    """The types of an answer's records: ``A records``, ``A and TXT records``."""
    return f"{' and '.join(sorted({r.type for r in answer.records}))} records"


def _silent(
    query: DnsQuery, sent: protocol.Message, reply: protocol.Reply, lag: float, said: str
) -> tuple[DnsOutcome, str]:
    if lag > STALL_SHARE * sent.timeout:
        waited = f"a wait of {sent.timeout:.2f} s"
        return DnsOutcome.UNKNOWN, f"the agent was stalled for {lag:.2f} s of {waited}"
    if query.transport is Transport.UDP:
        seen = f"no answer to {reply.sent} datagrams"
    elif reply.stage == "connect":
        seen = "no handshake"
    else:
        seen = "a connection, then no answer"
    met = f"; the client met {said}" if said else ""
    return DnsOutcome.TIMEOUT, f"{seen} in {reply.elapsed:.1f} s{met}"


def heard(seen: Sequence[DnsObservation]) -> tuple[DnsObservation, ...]:
    """What servers said: silence is left out where the same question reached the same server in
    another way. Whether every way works is a question of its own."""
    answered = {_asked(o) for o in seen if o.outcome not in LOST}
    return tuple(o for o in seen if o.outcome not in LOST or _asked(o) not in answered)


def answers(seen: Sequence[DnsObservation]) -> tuple[DnsObservation, ...]:
    """What servers said: all but silence."""
    return tuple(o for o in seen if o.outcome not in LOST)


def _asked(seen: DnsObservation) -> tuple[str, str, DnsQuestion]:
    return seen.query.source.name, seen.query.server.name, seen.query.question
