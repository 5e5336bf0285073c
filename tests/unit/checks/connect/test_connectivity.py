"""Connectivity: a matrix of what was measured, and a second try where an agent was too busy."""

from __future__ import annotations

from typing import Any

import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.checks.connect.connectivity import Connectivity
from sixproof.errors import InfrastructureError, NotAsked
from sixproof.model import Expectation, Family, Flow, Matrix, Observation, Outcome, Protocol
from sixproof.probes.connect import fake_agents
from sixproof.probes.connect.fake_agents import FakeAgents
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions
from tests.unit.model.places import place

HERE, THERE = place("a@w1", 1, "w1"), place("a@w2", 2, "w2")


def flow(port: int) -> Flow:
    """To that port."""
    address = THERE.address(Family.IPV6)
    assert address is not None
    return Flow(HERE, THERE, address, Protocol.TCP, port)


class Client:
    """An agent that was late for so many probes; port 1 is answered, others are not."""

    def __init__(self, stalls: int) -> None:
        self.stalls = stalls
        self.asked: list[list[tuple[int, float]]] = []

    def __call__(self, request: object) -> object:
        assert isinstance(request, protocol.Probe)
        self.asked.append([(f.port, f.timeout) for f in request.flows])
        lag = 2.0 if len(self.asked) <= self.stalls else 0.0
        events = {1: Event.ECHOED}
        results = [
            protocol.FlowResult(f.nonce, events.get(f.port, Event.SILENT), stage="connect")
            for f in request.flows
        ]
        return protocol.Probed(results, lag)


def measured(client: Client) -> dict[int | None, Outcome]:
    """Two flows, of which one is answered, by port."""
    recorder: Any = None
    agents = FakeAgents({HERE.name: client, THERE.name: fake_agents.witness()})
    connectivity = Connectivity(ConnectProbe(agents), recorder, 3.0)
    matrix = connectivity.measure("flows", [flow(1), flow(2)], ProbeOptions(timeout=1.2))
    return {o.flow.port: o.outcome for o in matrix.observations()}


def test_what_a_busy_agent_could_not_measure_is_tried_once_more_for_longer() -> None:
    """Only those flows; what was measured stands."""
    client = Client(stalls=1)
    assert measured(client) == {1: Outcome.ALLOWED, 2: Outcome.DROPPED}
    assert client.asked == [[(1, 1.2), (2, 1.2)], [(2, 2.4)]]


def test_several_ways_are_tried_at_once_and_judged_apart() -> None:
    """A busy agent is asked once more for the way that it did not measure, for longer."""
    client = Client(stalls=0)
    recorder: Any = None
    agents = FakeAgents({HERE.name: client, THERE.name: fake_agents.witness()})
    connectivity = Connectivity(ConnectProbe(agents), recorder, 3.0)
    tries = {f"{n} bytes": ProbeOptions(timeout=n, upload=n) for n in (1, 2)}
    seen = connectivity.measure_each([flow(1), flow(2)], tries)
    assert [m.title for m in seen.values()] == list(seen) == ["1 bytes", "2 bytes"]
    for matrix in seen.values():
        found = {o.flow.port: o.outcome for o in matrix.observations()}
        assert found == {1: Outcome.ALLOWED, 2: Outcome.DROPPED}
    assert sorted(client.asked) == [[(1, 1), (2, 1)], [(1, 2), (2, 2)]]
    with pytest.raises(NotAsked, match="1 bytes: the covered nodes offer no such pair"):
        connectivity.measure_each([], tries)


def test_an_agent_that_stays_busy_is_no_verdict() -> None:
    """It is not tried a third time."""
    client = Client(stalls=9)
    assert measured(client) == {1: Outcome.ALLOWED, 2: Outcome.UNKNOWN}
    assert len(client.asked) == 2


def test_a_flow_that_was_measured_is_tried_once() -> None:
    """A denial is one."""
    client = Client(stalls=0)
    assert measured(client)[2] is Outcome.DROPPED
    assert len(client.asked) == 1


class Notes:
    """Keeps the matrices that are recorded."""

    def __init__(self) -> None:
        self.cells: list[int] = []

    def matrix(self, matrix: Matrix, *_: object, **__: object) -> None:
        """One more."""
        self.cells.append(len(matrix.cells))


def test_nothing_is_asked_of_a_closed_flow_that_could_not_be_measured() -> None:
    """Silence at a port where nobody listens proves nothing; the others are judged."""
    notes: Any = Notes()
    connectivity = Connectivity(ConnectProbe(FakeAgents({})), notes, 3.0)
    seen = [Observation(flow(1), Outcome.ALLOWED), Observation(flow(2), Outcome.UNKNOWN)]

    def closed(one: Flow) -> Expectation:
        if one.port == 1:
            return Expectation.allowed("open")
        return Expectation(frozenset({Outcome.DROPPED}), "denied", True, "GlobalNetworkPolicy x")

    expected = connectivity.hold(Matrix.of("flows", seen), closed)
    assert (notes.cells, len(expected)) == ([1], 2)
    with pytest.raises(InfrastructureError):
        connectivity.hold(Matrix.of("flows", seen), lambda _: Expectation.allowed("open"))
