"""The DNS probe: a batch a source, answers in order, nothing made up where an agent is lost."""

from __future__ import annotations

import base64

import dns.message
import dns.rrset
import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.errors import AgentError, ChannelLost
from sixproof.model import ATTEMPTS, Family
from sixproof.probes.connect import fake_agents
from sixproof.probes.connect.fake_agents import FakeAgents, Script
from sixproof.probes.dns.probe import DnsProbe
from sixproof.probes.dns.verdict import DnsOutcome, Transport
from tests.unit.probes.dns.samples import A_QUESTION, ONE, QUESTION, TWO, WAYS, query


def server(lag: float = 0.0, drop: int = 0) -> Script:
    """An agent whose every message is answered with its own address as the record; `drop` of the
    replies are lost on the way to the runner."""

    def answer(message: protocol.Message) -> protocol.Reply:
        made = dns.message.make_response(dns.message.from_wire(base64.b64decode(message.payload)))
        question = made.question[0]
        data = "2001:db8::1" if question.rdtype == 28 else "192.0.2.1"
        made.answer.append(
            dns.rrset.from_text(question.name, 30, "IN", "AAAA" if ":" in data else "A", data)
        )
        payload = base64.b64encode(made.to_wire()).decode()
        return protocol.Reply(message.nonce, Event.ANSWERED, payload=payload, latency=0.001)

    def script(request: object) -> object:
        assert isinstance(request, protocol.Exchange)
        kept = request.messages[: len(request.messages) - drop]
        return protocol.Exchanged([answer(m) for m in kept], lag)

    return script


def test_every_source_gets_one_batch_and_answers_come_in_order() -> None:
    agents = FakeAgents({ONE.name: server(), TWO.name: server()})
    queries = [
        query(family, transport, question, source)
        for question in (QUESTION, A_QUESTION)
        for source in (ONE, TWO)
        for family, transport in WAYS
    ]
    seen = DnsProbe(agents).ask(queries, 2.0)

    assert [o.query for o in seen] == queries
    assert {o.outcome for o in seen} == {DnsOutcome.NOERROR}
    assert [o.data for o in seen] == [
        frozenset({"2001:db8::1" if q.question is QUESTION else "192.0.2.1"}) for q in queries
    ]
    assert sorted(name for name, _ in agents.asked) == [ONE.name, TWO.name]


def test_message_goes_where_and_how_the_query_says() -> None:
    agents = FakeAgents({ONE.name: server()})
    DnsProbe(agents).ask([query(Family.IPV6, Transport.TCP)], 2.0)
    request = agents.asked[0][1]

    assert isinstance(request, protocol.Exchange)
    sent = request.messages[0]
    assert (sent.protocol, sent.address, sent.port) == ("tcp", "fd00:10:96::a", 53)
    assert (sent.timeout, sent.attempts) == (2.0, ATTEMPTS)


def test_ids_differ_from_query_to_query() -> None:
    agents = FakeAgents({ONE.name: server()})
    DnsProbe(agents).ask([query()] * 50, 2.0)
    request = agents.asked[0][1]

    assert isinstance(request, protocol.Exchange)
    ids = {base64.b64decode(m.payload)[:2] for m in request.messages}
    assert len(ids) > 40


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (fake_agents.failing(ChannelLost("a@worker: control channel silent")), "channel silent"),
        (fake_agents.failing(AgentError("a@worker: unknown request")), "unknown request"),
        (server(drop=1), "2 messages sent, 1 others answered"),
    ],
)
def test_lost_agent_leaves_its_questions_unknown_and_others_alone(
    script: Script, said: str
) -> None:
    agents = FakeAgents({ONE.name: script, TWO.name: server()})
    seen = DnsProbe(agents).ask([query(), query(question=A_QUESTION), query(source=TWO)], 2.0)

    assert [o.outcome for o in seen] == [*[DnsOutcome.UNKNOWN] * 2, DnsOutcome.NOERROR]
    assert all(said in o.reason for o in seen[:2])


def test_no_queries_no_requests() -> None:
    assert DnsProbe(FakeAgents({})).ask([]) == ()
