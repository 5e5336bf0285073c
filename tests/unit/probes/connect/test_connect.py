"""The connect probe: rows of flows, questions to witnesses, one observation a flow."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.errors import ChannelLost
from sixproof.model import Endpoint, EndpointKind, Family, Flow, Observation, Outcome, Protocol
from sixproof.probes.connect import fake_agents
from sixproof.probes.connect.fake_agents import FakeAgents, Script
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions
from tests.unit.model.places import CLIENT, ECHO, flow, place

OTHER = place("other", 3)
OUTSIDE = dataclasses.replace(ECHO, name="outside", kind=EndpointKind.OUTSIDE, pod="")
SERVICE = dataclasses.replace(place("service", 9), kind=EndpointKind.SERVICE, pod="")
LOST = ChannelLost("echo: control channel silent for 20 s")


def measure(
    client: Script,
    server: Script,
    flows: Sequence[Flow] = (),
    witnesses: dict[str, Sequence[Endpoint]] | None = None,
    **others: Script,
) -> tuple[list[Observation], FakeAgents]:
    """The observations, and the agents that were asked."""
    agents = FakeAgents({"client": client, "echo": server, **others})
    seen = ConnectProbe(agents).measure(flows or [flow()], ProbeOptions(timeout=1.0), witnesses)
    return list(seen), agents


def outcomes(seen: Sequence[Observation]) -> list[Outcome]:
    """The outcomes in order."""
    return [o.outcome for o in seen]


STORIES = {
    "answered": (
        fake_agents.client(Event.ECHOED, answered_by="echo"),
        fake_agents.witness(),
        Outcome.ALLOWED,
    ),
    "wrong pod answered": (
        fake_agents.client(Event.ECHOED, answered_by="other"),
        fake_agents.witness(),
        Outcome.MISROUTED,
    ),
    "packet dropped": (fake_agents.client(Event.SILENT), fake_agents.witness(), Outcome.DROPPED),
    "reply lost": (
        fake_agents.client(Event.SILENT),
        fake_agents.witness(arrived=True),
        Outcome.REPLY_LOST,
    ),
    "server deaf": (
        fake_agents.client(Event.SILENT),
        fake_agents.witness(control=False),
        Outcome.UNKNOWN,
    ),
    "server stalled": (
        fake_agents.client(Event.SILENT),
        fake_agents.witness(lag=0.9),
        Outcome.UNKNOWN,
    ),
    "client stalled": (
        fake_agents.client(Event.SILENT, lag=0.9),
        fake_agents.witness(),
        Outcome.UNKNOWN,
    ),
    "server dead": (fake_agents.client(Event.SILENT), fake_agents.failing(LOST), Outcome.UNKNOWN),
    "reset by a filter": (fake_agents.client(Event.RESET), fake_agents.witness(), Outcome.REJECTED),
    "port closed": (
        fake_agents.client(Event.RESET),
        fake_agents.witness(control=False),
        Outcome.REFUSED,
    ),
    "reset of a dead server": (
        fake_agents.client(Event.RESET),
        fake_agents.failing(LOST),
        Outcome.UNKNOWN,
    ),
    "cut off by a dead server": (
        fake_agents.client(Event.CLOSED),
        fake_agents.failing(LOST),
        Outcome.UNKNOWN,
    ),
    "no route": (fake_agents.client(Event.NO_ROUTE), fake_agents.witness(), Outcome.UNROUTABLE),
    "client dead": (fake_agents.failing(LOST), fake_agents.witness(), Outcome.UNKNOWN),
}


@pytest.mark.parametrize(("client", "server", "outcome"), STORIES.values(), ids=list(STORIES))
def test_both_sides_make_the_outcome(client: Script, server: Script, outcome: Outcome) -> None:
    """What the client saw and what the server says, end to end."""
    seen, _ = measure(client, server)

    assert outcomes(seen) == [outcome]


def test_one_message_a_source_whatever_the_flows() -> None:
    """A source gets its whole row at once (design contract 7)."""
    flows = [flow(family, p) for family in Family for p in (Protocol.TCP, Protocol.UDP)]

    _, agents = measure(fake_agents.client(Event.ECHOED), fake_agents.witness(), flows)

    ((name, request),) = agents.asked
    assert isinstance(request, protocol.Probe)
    assert (name, len(request.flows)) == ("client", 4)


def test_observations_come_in_the_order_of_the_flows() -> None:
    """Also where the flows of several sources are mixed."""
    flows = [flow(source=s, port=port) for port in (1, 2, 3) for s in (CLIENT, OTHER)]

    seen, _ = measure(
        fake_agents.client(Event.ECHOED),
        fake_agents.witness(),
        flows,
        other=fake_agents.client(Event.ECHOED),
    )

    assert [o.flow for o in seen] == flows


def test_no_flows_no_question() -> None:
    """An empty batch asks nobody."""
    agents = FakeAgents({})

    assert ConnectProbe(agents).measure([]) == ()
    assert agents.asked == []


def test_lost_source_leaves_the_others_measured() -> None:
    """One dead client makes its own row unknown, with the reason, and no other."""
    flows = [flow(), flow(source=OTHER)]

    seen, _ = measure(
        fake_agents.failing(LOST),
        fake_agents.witness(),
        flows,
        other=fake_agents.client(Event.ECHOED),
    )

    assert outcomes(seen) == [Outcome.UNKNOWN, Outcome.ALLOWED]
    assert (seen[0].reason, seen[0].attempts) == (str(LOST), 0)


def test_witness_is_asked_once_for_all_its_silences() -> None:
    """One question a server: all nonces, each control once, and how old the flows are."""
    flows = [flow(port=port) for port in (1, 2, 2)]

    _, agents = measure(fake_agents.client(Event.SILENT), fake_agents.witness(), flows)

    ((_, asked), (_, question)) = agents.asked
    assert isinstance(asked, protocol.Probe)
    assert isinstance(question, protocol.Evidence)
    assert question.nonces == [f.nonce for f in asked.flows]
    assert [c.port for c in question.controls] == [1, 2]
    assert question.window >= 0.0


def test_nonces_are_unique() -> None:
    """An arrival belongs to one flow."""
    _, agents = measure(fake_agents.client(Event.ECHOED), fake_agents.witness(), [flow()] * 50)

    ((_, asked),) = agents.asked
    assert isinstance(asked, protocol.Probe)
    assert len({f.nonce for f in asked.flows}) == 50


@pytest.mark.parametrize("arrived", [True, False])
def test_servers_say_whether_flows_under_way_have_reached_them(arrived: bool) -> None:
    """Those with the nonces that the caller gave, over both families, in one question a server."""
    flows = [flow(family) for family in Family]
    agents = FakeAgents(
        {
            "client": fake_agents.client(Event.ECHOED),
            "echo": fake_agents.witness(arrived=arrived),
        }
    )
    probe = ConnectProbe(agents)
    seen = probe.measure(flows, ProbeOptions(timeout=1.0), None, ["n4", "n6"])
    assert [o.nonce for o in seen] == ["n4", "n6"]
    assert probe.have_arrived(flows, ["n4", "n6"]) is arrived
    (question,) = [r for _, r in agents.asked if isinstance(r, protocol.Evidence)]
    assert (question.nonces, question.controls, question.handshakes) == (["n4", "n6"], [], False)


def test_a_server_that_cannot_be_asked_leaves_open_whether_flows_have_reached_it() -> None:
    agents = FakeAgents({"echo": fake_agents.failing(LOST)})
    with pytest.raises(ChannelLost):
        ConnectProbe(agents).have_arrived([flow()], ["n"])


def test_flow_spec_carries_the_load() -> None:
    """What the agent is asked is what the caller wanted."""
    agents = FakeAgents({"client": fake_agents.client(Event.ECHOED)})
    options = ProbeOptions(timeout=0.5, upload=3, download=4, attempts=5, dont_fragment=True)

    ConnectProbe(agents).measure([flow(Family.IPV4, Protocol.ICMP)], options)

    ((_, asked),) = agents.asked
    assert isinstance(asked, protocol.Probe)
    assert asked.flows == [
        protocol.FlowSpec(
            protocol="icmp",
            address="192.0.2.2",
            port=0,
            nonce=asked.flows[0].nonce,
            timeout=0.5,
            upload=3,
            download=4,
            attempts=5,
            dont_fragment=True,
        )
    ]


@pytest.mark.parametrize("wanted", [True, False])
def test_servers_look_for_hanging_handshakes_where_that_is_wanted(wanted: bool) -> None:
    """It takes them a walk through all connections of their node."""
    agents = FakeAgents({"client": fake_agents.client(Event.SILENT), "echo": fake_agents.witness()})

    ConnectProbe(agents).measure([flow()], ProbeOptions(timeout=1.0, handshakes=wanted))

    question = agents.asked[1][1]
    assert isinstance(question, protocol.Evidence)
    assert question.handshakes is wanted


def test_echo_request_has_no_control_and_no_arrival() -> None:
    """An unprivileged server sees no echo requests: it is asked for its lag alone."""
    seen, agents = measure(
        fake_agents.client(Event.SILENT),
        fake_agents.witness(control=False),
        [flow(protocol=Protocol.ICMP)],
    )

    question = agents.asked[1][1]
    assert isinstance(question, protocol.Evidence)
    assert question.controls == []
    assert (seen[0].outcome, seen[0].arrived) == (Outcome.DROPPED, None)


@pytest.mark.parametrize(
    ("stage", "outcome"), [("connect", Outcome.REPLY_LOST), ("exchange", Outcome.DROPPED)]
)
def test_hanging_handshake_is_matched_by_the_client_s_port(stage: str, outcome: Outcome) -> None:
    """A SYN_RECV of exactly this connection proves that the SYN arrived."""
    hanging = protocol.HalfOpen("2001:db8::1", 40000, "2001:db8::2", 8080)
    client = fake_agents.client(Event.SILENT, stage=stage, local="2001:db8::1", local_port=40000)

    seen, _ = measure(client, fake_agents.witness(half_open=(hanging,)))

    assert outcomes(seen) == [outcome]


@pytest.mark.parametrize(("peer", "port"), [("2001:db8::1", 40001), ("2001:db8::7", 40000)])
def test_another_s_handshake_proves_nothing(peer: str, port: int) -> None:
    """Neither another port nor another client counts."""
    hanging = protocol.HalfOpen(peer, port, "2001:db8::2", 8080)
    client = fake_agents.client(
        Event.SILENT, stage="connect", local="2001:db8::1", local_port=40000
    )

    seen, _ = measure(client, fake_agents.witness(half_open=(hanging,)))

    assert outcomes(seen) == [Outcome.DROPPED]


def test_restarted_witness_proves_nothing() -> None:
    """An agent younger than the flows has an empty log for a reason."""
    seen, _ = measure(fake_agents.client(Event.SILENT), fake_agents.witness(uptime=0.0))

    assert outcomes(seen) == [Outcome.UNKNOWN]
    assert "echo: the agent started 0.0 s ago" in seen[0].reason
    assert seen[0].untold == ("echo",)


def test_arrival_at_a_restarted_witness_counts_all_the_same() -> None:
    """What is in a log arrived, however short the log is."""
    seen, _ = measure(
        fake_agents.client(Event.SILENT), fake_agents.witness(arrived=True, uptime=0.0)
    )

    assert (outcomes(seen), seen[0].arrived) == ([Outcome.REPLY_LOST], True)


def test_nobody_can_be_asked_outside() -> None:
    """Silence of an outside target is a drop without proof of the other side."""
    seen, agents = measure(
        fake_agents.client(Event.SILENT), fake_agents.witness(), [flow(destination=OUTSIDE)]
    )

    assert (outcomes(seen), seen[0].arrived) == ([Outcome.DROPPED], None)
    assert [name for name, _ in agents.asked] == ["client"]


@pytest.mark.parametrize(
    ("echo", "other", "outcome"),
    [
        (fake_agents.witness(), fake_agents.witness(), Outcome.DROPPED),
        (fake_agents.witness(), fake_agents.witness(arrived=True), Outcome.REPLY_LOST),
        (fake_agents.failing(LOST), fake_agents.witness(arrived=True), Outcome.REPLY_LOST),
        (fake_agents.failing(LOST), fake_agents.witness(), Outcome.UNKNOWN),
        (fake_agents.witness(), fake_agents.witness(lag=0.9), Outcome.UNKNOWN),
    ],
    ids=["none saw it", "one saw it", "one saw it, one is lost", "one is lost", "one stalled"],
)
def test_every_backend_of_a_service_testifies(
    echo: Script, other: Script, outcome: Outcome
) -> None:
    """One that saw the request is proof; that none did needs the word of all."""
    seen, _ = measure(
        fake_agents.client(Event.SILENT),
        echo,
        [flow(destination=SERVICE)],
        {"service": (ECHO, OTHER)},
        other=other,
    )

    assert outcomes(seen) == [outcome]
    alone = outcome is Outcome.UNKNOWN and not seen[0].stalled
    assert seen[0].untold == (("echo",) if alone else ())
    came = {str(o.peer_saw) for o in seen if o.peer_saw is not None}
    assert came == ({"192.0.2.1"} if outcome is Outcome.REPLY_LOST else set())


def test_service_has_no_control() -> None:
    """A backend's own port may differ from the service's, so it is not asked for a control."""
    seen, agents = measure(
        fake_agents.client(Event.RESET),
        fake_agents.witness(control=False),
        [flow(destination=SERVICE)],
        {"service": (ECHO,)},
    )

    question = agents.asked[1][1]
    assert isinstance(question, protocol.Evidence)
    assert question.controls == []
    assert outcomes(seen) == [Outcome.REFUSED]


def test_any_backend_may_answer_for_a_service() -> None:
    """Only a pod that is no backend is the wrong one."""
    seen, _ = measure(
        fake_agents.client(Event.ECHOED, answered_by="other"),
        fake_agents.witness(),
        [flow(destination=SERVICE)],
        {"service": (ECHO, OTHER)},
    )

    assert outcomes(seen) == [Outcome.ALLOWED]


def test_silence_beside_icmp_errors_says_so() -> None:
    """Kernels send few ICMP errors: a drop next to rejections may be a rejection held back."""

    def some_rejected(request: object) -> object:
        assert isinstance(request, protocol.Probe)
        results = [
            protocol.FlowResult(f.nonce, Event.UNREACHABLE, icmp=protocol.IcmpSeen(1, 1, "::1"))
            if f.port < 3
            else protocol.FlowResult(f.nonce, Event.SILENT)
            for f in request.flows
        ]
        return protocol.Probed(results=results, lag=0.0)

    flows = [flow(Family.IPV6, port=port) for port in (1, 2, 3)] + [flow(Family.IPV4)]

    seen, _ = measure(some_rejected, fake_agents.witness(), flows)

    assert [o.outcome for o in seen[2:]] == [Outcome.DROPPED] * 2
    assert ["ICMP errors" in o.reason for o in seen] == [False, False, True, False]
    assert "; 2 other flows of this source met ICMP errors" in seen[2].reason


def too_few(_: object) -> object:
    """An agent that forgot the results."""
    return protocol.Probed(results=[], lag=0.0)


@pytest.mark.parametrize(
    "client",
    [too_few, fake_agents.client(Event.ECHOED, nonce="of another")],
    ids=["too few", "of another question"],
)
def test_answer_to_another_question_is_unknown(client: Script) -> None:
    """Results that do not belong to the flows say nothing about them."""
    seen, _ = measure(client, fake_agents.witness())

    assert outcomes(seen) == [Outcome.UNKNOWN]
    assert "1 flows asked" in seen[0].reason


@pytest.mark.parametrize(
    "script", [fake_agents.client(Event.ECHOED), fake_agents.witness()], ids=["client", "witness"]
)
def test_fakes_answer_only_what_they_are_for(script: Script) -> None:
    """A script that is asked something foreign says so instead of pretending."""
    with pytest.raises(TypeError):
        script(protocol.Hello())


def test_fake_of_the_wrong_answer_is_an_error() -> None:
    """A fake cannot hide a mistake of the test."""
    agents = FakeAgents({"echo": lambda _: protocol.Pong(lag=0.0)})

    with pytest.raises(TypeError, match="the script of echo"):
        agents.ask(ECHO, protocol.Hello(), protocol.Welcome, 1.0)
