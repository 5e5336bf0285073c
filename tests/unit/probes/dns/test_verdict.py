"""The rules by which a reply becomes a DNS outcome: every one, and what none may do."""

from __future__ import annotations

import dataclasses

import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.model import Family
from sixproof.probes.connect.verdict import STALL_SHARE
from sixproof.probes.dns import verdict as dns_verdict
from sixproof.probes.dns.message import RecordType, encode
from sixproof.probes.dns.verdict import DnsOutcome, DnsQuery, Transport
from tests.unit.probes.dns.samples import (
    A_QUESTION,
    NAME,
    NUMBER,
    QUESTION,
    SERVERS,
    TWO,
    message,
    query,
    reply,
    seen,
)

TIMEOUT = 2.0
STALL = STALL_SHARE * TIMEOUT


def wire(rcode: str = "NOERROR", *rrsets: tuple[str, str, str], truncated: bool = False) -> bytes:
    """An answer to QUESTION as bytes; record sets as name, type, data."""
    made = dns.message.make_response(dns.message.from_wire(encode(QUESTION, NUMBER)))
    made.set_rcode(dns.rcode.from_text(rcode))
    for name, kind, data in rrsets:
        made.answer.append(dns.rrset.from_text(name, 30, "IN", kind, data))
    if truncated:
        made.flags |= 0x0200
    return made.to_wire()


AAAA = (NAME, "AAAA", "2001:db8::1")
ALIAS = (NAME, "CNAME", "real.example.")


@dataclasses.dataclass(frozen=True)
class Case:
    """What came back, and what it comes to."""

    name: str
    reply: protocol.Reply
    outcome: DnsOutcome
    because: str = ""
    transport: Transport = Transport.UDP
    lag: float = 0.0

    def __str__(self) -> str:
        return self.name


O = DnsOutcome  # noqa: E741 - as the table's column reads
TCP = Transport.TCP


def got(*arguments: object, **options: object) -> protocol.Reply:
    """A reply with an answer."""
    return reply(Event.ANSWERED, wire(*arguments, **options), latency=0.001)  # type: ignore[arg-type]


CASES = (
    Case("records", got("NOERROR", AAAA), O.NOERROR),
    Case("records behind an alias", got("NOERROR", ALIAS, ("real.example.", *AAAA[1:])), O.NOERROR),
    Case("nothing", got(), O.NODATA),
    Case("alias to nothing", got("NOERROR", ALIAS), O.NODATA, "an alias of real.example., which"),
    Case("records of another type", got("NOERROR", (NAME, "A", "192.0.2.1")), O.WRONG_TYPE),
    Case(
        "an alias to records of another type",
        got("NOERROR", ALIAS, ("real.example.", "A", "192.0.2.1")),
        O.WRONG_TYPE,
    ),
    Case("no such name", got("NXDOMAIN"), O.NXDOMAIN),
    Case("server failure", got("SERVFAIL"), O.SERVFAIL),
    Case("refused by the server", got("REFUSED"), O.REFUSED),
    Case("another code", got("NOTIMP"), O.ERROR, "NOTIMP"),
    Case("truncated", got("NOERROR", AAAA, truncated=True), O.TRUNCATED, "the TC bit"),
    Case("truncated denial", got("NXDOMAIN", truncated=True), O.TRUNCATED),
    Case("garbage", reply(Event.ANSWERED, b"hello"), O.MALFORMED, "not a DNS message"),
    Case("an empty datagram", reply(Event.ANSWERED, b""), O.MALFORMED, "(0 bytes)"),
    Case("its own question", reply(Event.ANSWERED, encode(QUESTION, NUMBER)), O.MALFORMED, "query"),
    Case(
        "an agent that speaks no base64",
        reply(Event.ANSWERED, payload="%%%"),
        O.UNKNOWN,
        "not base64",
    ),
    Case("silence", reply(Event.SILENT), O.TIMEOUT, "no answer to 3 datagrams in 2.0 s"),
    Case(
        "silence at the handshake",
        reply(Event.SILENT, stage="connect"),
        O.TIMEOUT,
        "no handshake in 2.0 s",
        TCP,
    ),
    Case(
        "silence after it",
        reply(Event.SILENT, stage="exchange"),
        O.TIMEOUT,
        "a connection, then no answer",
        TCP,
    ),
    Case(
        "silence of the client's own filter",
        reply(Event.SILENT, error="EPERM"),
        O.TIMEOUT,
        "the client met EPERM",
    ),
    Case("silence of a slow agent", reply(Event.SILENT), O.TIMEOUT, "no answer", lag=STALL),
    Case(
        "silence of a stalled agent",
        reply(Event.SILENT),
        O.UNKNOWN,
        "stalled for 1.50 s of a wait of 2.00 s",
        lag=STALL + 0.5,
    ),
    Case("answer to a stalled agent", got("NOERROR", AAAA), O.NOERROR, lag=TIMEOUT),
    Case("closed port", reply(Event.RESET, error="ECONNREFUSED"), O.UNREACHABLE, "nothing listens"),
    Case("reset", reply(Event.RESET, error="ECONNRESET"), O.UNREACHABLE, "ECONNRESET", TCP),
    Case(
        "ICMP",
        reply(Event.UNREACHABLE, error="EHOSTUNREACH", icmp=protocol.IcmpSeen(1, 3, "fd00::1")),
        O.UNREACHABLE,
        "EHOSTUNREACH ICMPv6 Destination Unreachable: address unreachable, from fd00::1",
    ),
    Case("no route", reply(Event.NO_ROUTE, error="ENETUNREACH"), O.UNREACHABLE, "source has no"),
    Case("too big", reply(Event.TOO_BIG, error="EMSGSIZE"), O.UNREACHABLE, "EMSGSIZE"),
    Case("closed early", reply(Event.CLOSED, detail="1 bytes"), O.MALFORMED, "was whole", TCP),
    Case("could not try", reply(Event.FAILED, error="EMFILE"), O.UNKNOWN, "could not try: EMFILE"),
    Case("an event of another probe", reply(Event.ECHOED), O.UNKNOWN, "could not try"),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule(case: Case) -> None:
    asked = query(transport=case.transport)
    observed = dns_verdict.observe(asked, message(asked), case.reply, NUMBER, case.lag)

    assert (observed.outcome, case.because in observed.reason) == (case.outcome, True), observed
    assert (observed.answer is not None) == case.outcome.answered


def test_every_outcome_has_a_case() -> None:
    assert {case.outcome for case in CASES} == set(DnsOutcome)


@given(
    event=st.sampled_from(sorted(Event.ALL | {Event.ANSWERED, "new"})),
    data=st.binary(max_size=64),
    lag=st.floats(0, 10),
    transport=st.sampled_from(Transport),
)
def test_only_bytes_of_a_server_make_an_answer(
    event: str, data: bytes, lag: float, transport: Transport
) -> None:
    """Whatever happens to an agent, no answer and no absence of one is made up."""
    asked = query(transport=transport)
    outcome, _, answer = dns_verdict.rule(asked, message(asked), reply(event, data), NUMBER, lag)

    assert outcome.answered == (answer is not None)
    assert not (outcome.answered and event != Event.ANSWERED)
    assert not (outcome is DnsOutcome.TIMEOUT and (event != Event.SILENT or lag > STALL))


def test_observation_says_who_asked_whom_and_how() -> None:
    asked = query(Family.IPV6, TCP)
    observed = dns_verdict.observe(asked, message(asked), got("NOERROR", AAAA), NUMBER, 0.0)

    assert str(asked) == f"a@worker -> kube-dns [fd00:10:96::a]:53 over TCP/IPv6: AAAA {NAME}"
    assert observed.data == {"2001:db8::1"}
    assert observed.to_json() == {
        "source": "a@worker",
        "server": "kube-dns",
        "address": "fd00:10:96::a",
        "transport": "TCP",
        "family": "IPv6",
        "question": f"AAAA {NAME}",
        "outcome": "NOERROR",
        "reason": "",
        "data": ["2001:db8::1"],
        "answer": f"NOERROR, 1 records, {observed.answer.size if observed.answer else 0} bytes",
        "ttl": 30,
        "latencySeconds": 0.001,
        "waitedSeconds": 2.0,
        "attempts": 3,
    }


def test_server_may_listen_elsewhere() -> None:
    server = dataclasses.replace(SERVERS[Family.IPV4], udp_port=5353, tcp_port=5354)
    asked = DnsQuery(query().source, server, Transport.TCP, QUESTION)

    assert "10.96.0.10:5354 over TCP/IPv4" in str(asked)
    assert server.port(Transport.UDP) == 5353


def test_unmeasured_is_unknown() -> None:
    observed = dns_verdict.unmeasured(query(), "control channel lost")

    assert (observed.outcome, observed.reason) == (DnsOutcome.UNKNOWN, "control channel lost")
    assert (observed.outcome.measured, observed.data) == (False, frozenset())
    assert RecordType.AAAA.value in str(observed.query)


def test_silence_counts_only_where_no_way_brought_an_answer() -> None:
    """One dead way of several is a question of its own, and not a wrong answer."""
    lost, refused = seen(query(Family.IPV6), outcome=O.TIMEOUT), O.UNREACHABLE
    answer = seen(query(Family.IPV4), outcome=O.NXDOMAIN)
    unmeasured = seen(query(Family.IPV6, TCP), outcome=O.UNKNOWN)
    alone = seen(query(Family.IPV6, source=TWO), outcome=refused)
    other = seen(query(Family.IPV6, question=A_QUESTION), outcome=O.TIMEOUT)

    assert dns_verdict.heard([lost, answer, unmeasured, alone, other]) == (
        answer,
        unmeasured,
        alone,
        other,
    )
