"""Harm done to the tools: it is UNKNOWN with its reason, and never a verdict on the network."""

from __future__ import annotations

import concurrent.futures
import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from sixproof.agent import protocol as messages
from sixproof.model import Endpoint, Family, Flow, Observation, Outcome, Protocol
from sixproof.probes.connect import probe as connect
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions
from tests.netns.laboratory import scenes
from tests.netns.laboratory.agents import AgentProcess
from tests.netns.laboratory.lab import CLIENT, SERVER, Lab, flow, host
from tests.netns.laboratory.links import FAR, NEAR
from tests.netns.laboratory.scenes import MAIN

pytestmark = pytest.mark.netns

A = TypeVar("A")

PORT = 8090
PORT_SPECS = (f"tcp/{PORT}", f"udp/{PORT}")
VICTIM = host("victim", FAR[MAIN])
CLIENT_VICTIM = host("client-victim", NEAR[MAIN])
UNREACHED = scenes.server_of(scenes.scene("request dropped"))


class Beforehand:
    """Asks the agents, and does something before any server is asked for its side."""

    def __init__(self, lab: Lab, act: Callable[[], None]) -> None:
        self._agents = lab.agents
        self._act = act

    def has(self, endpoint: Endpoint) -> bool:
        """As the agents say."""
        return self._agents.has(endpoint)

    def ask(
        self, endpoint: Endpoint, request: object, answer: type[A], timeout: float
    ) -> concurrent.futures.Future[A]:
        """As the agents do."""
        if isinstance(request, messages.Evidence):
            self._act()
        return self._agents.ask(endpoint, request, answer, timeout)


def everything(server: Endpoint, source: Endpoint = CLIENT) -> list[Flow]:
    """TCP and UDP in both families."""
    return [
        flow(server, family, protocol, PORT, source)
        for family in Family
        for protocol in (Protocol.TCP, Protocol.UDP)
    ]


def unreached(pod: str) -> Endpoint:
    """A pod under an address whose requests the router drops."""
    return Endpoint(
        f"{pod}, unreached", UNREACHED.kind, UNREACHED.addresses, "lab", pod, UNREACHED.node
    )


def outcomes(seen: Sequence[Observation]) -> set[Outcome]:
    """The outcomes that occur."""
    return {o.outcome for o in seen}


def reasons(seen: Sequence[Observation], word: str) -> list[str]:
    """The reasons that do not speak of something."""
    return [o.reason for o in seen if word not in o.reason]


def greet(lab: Lab, *endpoints: Endpoint) -> None:
    """Hear from agents, so that their channels are open all the way."""
    for endpoint in endpoints:
        lab.agents.ask(endpoint, messages.Hello(), messages.Welcome, 10.0).result()


def sockets(agent: AgentProcess) -> int:
    """How many files an agent has open."""
    return len(list(Path("/proc", str(agent.process.pid), "fd").iterdir()))


@pytest.fixture
def victim(lab: Lab) -> Iterator[AgentProcess]:
    """A server's agent that may come to harm."""
    with lab.agent(lab.server, VICTIM.pod, PORT_SPECS) as agent:
        yield agent


@pytest.fixture
def client_victim(lab: Lab) -> Iterator[AgentProcess]:
    """A client's agent that may come to harm; its channel is open."""
    with lab.agent(lab.client, CLIENT_VICTIM.pod) as agent:
        greet(lab, CLIENT_VICTIM)
        yield agent


@contextlib.contextmanager
def under_way(
    lab: Lab, flows: list[Flow], timeout: float
) -> Iterator[concurrent.futures.Future[tuple[Observation, ...]]]:
    """A measurement that runs beside the test, once its client has begun with every flow."""
    client = lab.home.agents[flows[0].source.pod]
    idle = sockets(client)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(lab.probe.measure, flows, ProbeOptions(timeout=timeout))
        while sockets(client) < idle + len(flows) and not running.done():
            time.sleep(0.005)
        yield running


def test_unharmed_victim_answers(lab: Lab, victim: AgentProcess) -> None:
    """The positive control of this file: without harm the same flows are allowed."""
    seen = lab.measure(everything(VICTIM), ProbeOptions(timeout=3.0))

    assert outcomes(seen) == {Outcome.ALLOWED}


def test_dead_server_s_reset_is_no_refusal(lab: Lab, victim: AgentProcess) -> None:
    """A killed agent's kernel refuses like a closed port; who refused cannot be known any more."""
    victim.kill()

    seen = lab.probe.measure(everything(VICTIM), ProbeOptions(timeout=1.0))

    assert (outcomes(seen), reasons(seen, "server's side is unknown")) == ({Outcome.UNKNOWN}, [])


def test_silence_of_a_dead_server_is_no_drop(lab: Lab, victim: AgentProcess) -> None:
    """Packets vanish and the server is dead: whether a policy drops them cannot be known."""
    victim.kill()

    seen = lab.probe.measure(everything(unreached(VICTIM.pod)), ProbeOptions(timeout=1.0))

    assert (outcomes(seen), reasons(seen, "server's side is unknown")) == ({Outcome.UNKNOWN}, [])


def test_server_killed_in_the_middle_of_an_exchange_is_unknown(
    lab: Lab, victim: AgentProcess
) -> None:
    """Neither the reset of its open connections nor the silence after it is the network's."""
    greet(lab, CLIENT)
    victim.send(signal.SIGSTOP)

    with under_way(lab, everything(VICTIM), 2.0) as running:
        victim.kill()
        seen = running.result()

    assert (outcomes(seen), reasons(seen, "server's side is unknown")) == ({Outcome.UNKNOWN}, [])


def test_server_restarted_during_the_wait_is_unknown(lab: Lab, victim: AgentProcess) -> None:
    """A new agent's empty log is no proof that nothing arrived."""
    probe = ConnectProbe(Beforehand(lab, victim.restart))

    seen = probe.measure(everything(unreached(VICTIM.pod)), ProbeOptions(timeout=1.0))

    assert (outcomes(seen), reasons(seen, "the agent started")) == ({Outcome.UNKNOWN}, [])


def test_stalled_server_is_unknown(lab: Lab, victim: AgentProcess) -> None:
    """An agent that slept through the wait and then woke has not lost any reply."""
    probe = ConnectProbe(Beforehand(lab, lambda: victim.send(signal.SIGCONT)))
    greet(lab, VICTIM)
    victim.send(signal.SIGSTOP)

    seen = probe.measure(everything(VICTIM), ProbeOptions(timeout=1.0))

    assert (outcomes(seen), reasons(seen, "stalled")) == ({Outcome.UNKNOWN}, [])


def test_server_that_never_wakes_is_unknown(
    lab: Lab, victim: AgentProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that does not answer for its side leaves silence unexplained."""
    monkeypatch.setattr(connect, "SLACK", 1.0)
    greet(lab, CLIENT, VICTIM)
    victim.send(signal.SIGSTOP)

    seen = lab.probe.measure(everything(VICTIM), ProbeOptions(timeout=1.0))

    assert (outcomes(seen), reasons(seen, "no answer from the agent in time")) == (
        {Outcome.UNKNOWN},
        [],
    )


def test_stalled_client_is_unknown(lab: Lab, client_victim: AgentProcess) -> None:
    """A client that slept through its own deadlines has not waited for anything."""
    flows = everything(UNREACHED, CLIENT_VICTIM)

    with under_way(lab, flows, 1.0) as running:
        client_victim.send(signal.SIGSTOP)
        time.sleep(1.2)
        client_victim.send(signal.SIGCONT)
        seen = running.result()

    assert (outcomes(seen), reasons(seen, "stalled")) == ({Outcome.UNKNOWN}, [])


def test_client_killed_in_the_middle_of_a_batch_is_unknown(
    lab: Lab, client_victim: AgentProcess
) -> None:
    """A killed client has seen nothing; every flow of its batch says why it is unknown."""
    flows = everything(UNREACHED, CLIENT_VICTIM)

    with under_way(lab, flows, 3.0) as running:
        client_victim.kill()
        seen = running.result()

    assert (outcomes(seen), reasons(seen, "control channel")) == ({Outcome.UNKNOWN}, [])


def test_dead_client_is_unknown(lab: Lab, client_victim: AgentProcess) -> None:
    """A client that is gone before the question cannot even be asked."""
    client_victim.kill()

    seen = lab.probe.measure(everything(SERVER, CLIENT_VICTIM), ProbeOptions(timeout=1.0))

    assert (outcomes(seen), reasons(seen, "control channel")) == ({Outcome.UNKNOWN}, [])


def test_lost_channel_fails_its_batch_and_no_other(lab: Lab, client_victim: AgentProcess) -> None:
    """When the stream breaks, its batch is unknown; the next one gets a new stream and works."""
    flows = everything(UNREACHED, CLIENT_VICTIM)
    good = [flow(SERVER, f, Protocol.TCP, source=CLIENT_VICTIM) for f in Family]

    with under_way(lab, flows, 3.0) as running:
        lab.home.break_bridges(CLIENT_VICTIM.pod)
        seen = running.result()
    after = lab.measure(good, ProbeOptions(timeout=3.0))

    assert (outcomes(seen), outcomes(after)) == ({Outcome.UNKNOWN}, {Outcome.ALLOWED})
