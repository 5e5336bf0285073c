"""Waiting until a service is programmed: every flow works, or the time is up; nothing is judged."""

from __future__ import annotations

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.checks.connect.settling import until_programmed
from sixproof.model import Family, Flow, Protocol, Timing
from sixproof.probes.connect import fake_agents
from sixproof.probes.connect.fake_agents import FakeAgents
from sixproof.probes.connect.probe import ConnectProbe
from tests.unit.model.places import place

CLIENT, SERVICE, BACKEND = place("a@w1", 1, "w1"), place("web", 9), place("b@w2", 2, "w2")
TIMING = Timing(connect=0.05, settle=0.3)


class Dialled:
    """A client whose flows are answered from the n-th round on."""

    def __init__(self, known_from: int) -> None:
        self.known_from = known_from
        self.rounds = 0

    def __call__(self, request: object) -> object:
        assert isinstance(request, protocol.Probe)
        self.rounds += 1
        event = Event.ECHOED if self.rounds >= self.known_from else Event.SILENT
        return protocol.Probed([protocol.FlowResult(f.nonce, event) for f in request.flows], 0.0)


def flow() -> Flow:
    """To the service."""
    address = SERVICE.address(Family.IPV6)
    assert address is not None
    return Flow(CLIENT, SERVICE, address, Protocol.TCP, 80)


def agents(client: Dialled) -> FakeAgents:
    """The client, and the backend that is asked what arrived."""
    return FakeAgents({CLIENT.name: client, BACKEND.name: fake_agents.witness()})


def test_it_returns_once_every_flow_has_worked_twice() -> None:
    client = Dialled(known_from=3)
    asked = agents(client)
    seen = until_programmed(ConnectProbe(asked), [flow()], TIMING, {SERVICE.name: [BACKEND]})
    assert client.rounds == 4
    assert set(seen.seconds) == {Family.IPV6}
    assert [name for name, _ in asked.asked].count(BACKEND.name) == 2


def test_a_service_that_never_answers_is_given_its_time_and_no_more() -> None:
    asked = agents(Dialled(known_from=10**6))
    seen = until_programmed(ConnectProbe(asked), [flow()], TIMING, {SERVICE.name: [BACKEND]})
    assert not seen.seconds
    assert not seen.observations
    assert seen.waited < 3


def test_without_flows_nothing_is_waited_for() -> None:
    client = Dialled(known_from=1)
    until_programmed(ConnectProbe(agents(client)), [], TIMING)
    assert client.rounds == 0
