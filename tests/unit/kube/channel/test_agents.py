"""Agents by endpoint: a stream for each pod, opened when needed and again after a loss."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Iterator

import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import Hello, Ping, Pong
from sixproof.errors import AgentError, AgentSilent, ApiError, ChannelLost
from sixproof.kube.channel import agents as agents_module
from sixproof.kube.channel import channel as channel_module
from sixproof.kube.channel.agents import MOST_CUTS, OPENERS, Agents
from sixproof.kube.channel.channel import OpenRequest, Stream, answer_to_come
from sixproof.kube.channel.local_stream import FarEnd, pair
from sixproof.model import Endpoint, EndpointKind

SOON = 10.0


def endpoint(name: str, pod: str = "") -> Endpoint:
    """An endpoint of a pod."""
    return Endpoint(name, EndpointKind.POD, namespace="web", pod=pod or name)


ECHO, CLIENT = endpoint("echo"), endpoint("client")


class Pods:
    """An opener whose pods answer every ping with how many streams were opened into them."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.broken: set[str] = set()
        self.keys: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.awake = threading.Event()
        self.awake.set()
        self.heard: list[object] = []
        self.cuts = 1000
        self.inspected: list[tuple[str, float | None]] = []
        self._ends: dict[str, FarEnd] = {}
        self._threads: list[threading.Thread] = []

    def __call__(self, namespace: str, pod: str) -> Stream:
        assert namespace == "web"
        self.opened.append(pod)
        self.gate.wait(SOON)
        if pod in self.broken:
            raise ApiError("container not found", status=500)
        stream, far = pair()
        self._ends[pod] = far
        thread = threading.Thread(target=self._serve, args=(far, float(self.opened.count(pod))))
        thread.start()
        self._threads.append(thread)
        return stream

    def _serve(self, far: FarEnd, count: float) -> None:
        try:
            while True:
                number, request = far.hear()
                self.awake.wait(SOON)
                self.keys.append(far.key)
                self.heard.append(request)
                if isinstance(request, protocol.Hello):
                    far.say(protocol.encode_error(number, "not at home"))
                elif isinstance(request, protocol.Inspect):
                    self.inspected.append(far.token)
                    if len(self.inspected) <= self.cuts:
                        break
                    far.answer(number, Pong(lag=count))
                else:
                    far.answer(number, Pong(lag=count))
        except (OSError, ValueError):
            pass
        far.close()

    def close(self) -> None:
        """Wait for every pod to notice the end."""
        for thread in self._threads:
            thread.join(SOON)


@pytest.fixture
def pods() -> Iterator[Pods]:
    """Pods that can be opened."""
    pods = Pods()
    yield pods
    pods.gate.set()
    pods.awake.set()
    pods.close()


@pytest.fixture
def agents(pods: Pods) -> Iterator[Agents]:
    """Agents in these pods."""
    agents = Agents(pods)
    yield agents
    agents.close()


def ping(agents: Agents, where: Endpoint) -> concurrent.futures.Future[Pong]:
    """A request on its way."""
    return agents.ask(where, Ping(), Pong, SOON)


def break_stream(agents: Agents, where: Endpoint) -> str:
    """Make an agent end in the middle of a request, each time it comes; why it failed."""
    error = agents.ask(where, protocol.Inspect(), protocol.Inspected, SOON).exception(SOON)
    assert isinstance(error, ChannelLost)
    return str(error)


def test_agent_runs_behind_pods_alone(agents: Agents) -> None:
    """A service or an outside host has none."""
    service = Endpoint("service", EndpointKind.SERVICE, namespace="web")

    assert (agents.has(ECHO), agents.has(service)) == (True, False)


def test_first_question_opens_the_stream(agents: Agents, pods: Pods) -> None:
    """Later ones use it."""
    answers = [ping(agents, ECHO).result(SOON) for _ in range(3)]

    assert (answers, pods.opened) == ([Pong(lag=1.0)] * 3, ["echo"])


def test_endpoints_of_one_pod_share_its_stream(agents: Agents, pods: Pods) -> None:
    """A pod under another name or address is the same pod."""
    ping(agents, ECHO).result(SOON)
    ping(agents, endpoint("echo by another name", pod="echo")).result(SOON)

    assert pods.opened == ["echo"]


def test_streams_open_side_by_side(agents: Agents, pods: Pods) -> None:
    """Opening waits for all, and asking them again opens nothing."""
    agents.open([ECHO, CLIENT])
    agents.open([ECHO, CLIENT])

    assert sorted(pods.opened) == ["client", "echo"]


def test_question_meanwhile_waits_for_the_stream(agents: Agents, pods: Pods) -> None:
    """Two questions before the stream is open share it."""
    pods.gate.clear()
    futures = [ping(agents, ECHO) for _ in range(2)]
    done_before = [f.done() for f in futures]
    pods.gate.set()

    assert done_before == [False, False]
    assert [f.result(SOON) for f in futures] == [Pong(lag=1.0)] * 2
    assert pods.opened == ["echo"]


def test_pod_that_cannot_be_entered_is_a_lost_channel(agents: Agents, pods: Pods) -> None:
    """The message names endpoint, pod and cause."""
    pods.broken.add("echo")

    with pytest.raises(
        ChannelLost, match="echo: no control channel into pod web/echo: container not found"
    ):
        agents.open([CLIENT, ECHO])
    assert isinstance(ping(agents, ECHO).exception(SOON), ChannelLost)


def test_pod_that_came_back_is_entered_again(agents: Agents, pods: Pods) -> None:
    """A failed opening is not remembered."""
    pods.broken.add("echo")
    failed = ping(agents, ECHO).exception(SOON)
    pods.broken.clear()

    assert isinstance(failed, ChannelLost)
    assert ping(agents, ECHO).result(SOON) == Pong(lag=2.0)


@pytest.mark.parametrize("cuts", [1, MOST_CUTS])
def test_what_was_in_flight_on_a_cut_stream_is_asked_for_again(
    agents: Agents, pods: Pods, cuts: int
) -> None:
    """On a new one, by the same token: the agent knows that it is the same request."""
    pods.cuts = cuts
    answer = agents.ask(ECHO, protocol.Inspect(), Pong, SOON).result(SOON)

    assert answer == Pong(lag=1.0 + cuts)
    (token,) = {token for token, _ in pods.inspected}
    ages = [age for _, age in pods.inspected]
    assert token
    assert ages[0] is None
    assert all(age is not None and 0 <= age < SOON for age in ages[1:])
    assert pods.opened == ["echo"] * (1 + cuts)


def test_a_request_that_cuts_every_stream_fails_in_the_end(agents: Agents, pods: Pods) -> None:
    """With the reason; the next one gets a new stream."""
    reason = break_stream(agents, ECHO)

    assert "echo: control channel" in reason
    assert pods.opened == ["echo"] * (1 + MOST_CUTS)
    assert ping(agents, ECHO).result(SOON) == Pong(lag=2.0 + MOST_CUTS)


def test_where_no_new_stream_opens_both_reasons_are_given(agents: Agents, pods: Pods) -> None:
    """A pod that is gone: what was in flight cannot be had."""
    agents.open([ECHO])
    pods.broken.add("echo")
    reason = break_stream(agents, ECHO)

    assert "ended by the other side" in reason
    assert "container not found" in reason


def test_nothing_is_asked_for_again_once_its_time_is_over(agents: Agents, pods: Pods) -> None:
    """Nor once the agents are closed."""
    late = OpenRequest(
        Ping(), Pong, answer_to_come(), time.monotonic() - 1, time.monotonic() - 2, "t"
    )
    agents._go_on(ECHO, [late], "control channel cut")
    assert isinstance(late.future.exception(SOON), ChannelLost)
    agents.close()
    closed = OpenRequest(
        Ping(), Pong, answer_to_come(), time.monotonic() + 9, time.monotonic(), "t"
    )
    agents._go_on(ECHO, [closed], "control channel cut")
    assert isinstance(closed.future.exception(SOON), ChannelLost)


def test_loss_of_one_agent_leaves_the_others(agents: Agents, pods: Pods) -> None:
    """Their streams stay as they are."""
    agents.open([ECHO, CLIENT])
    break_stream(agents, ECHO)

    assert ping(agents, CLIENT).result(SOON) == Pong(lag=1.0)


def test_agent_s_refusal_comes_through(agents: Agents) -> None:
    """An agent's error keeps its kind."""
    error = agents.ask(ECHO, Hello(), protocol.Welcome, SOON).exception(SOON)

    assert isinstance(error, AgentError)


def test_all_that_are_open_may_be_pinged(agents: Agents, pods: Pods) -> None:
    """Nothing is opened for it, and one that has ended is left out."""
    agents.open([ECHO, CLIENT])
    break_stream(agents, CLIENT)

    assert agents.pinged(SOON) == {ECHO: Pong(lag=1.0)}
    assert sorted(set(pods.opened)) == ["client", "echo"]
    assert pods.opened.count("echo") == 1


@pytest.fixture
def stopped(agents: Agents, pods: Pods, monkeypatch: pytest.MonkeyPatch) -> str:
    """An agent that was silent for all of its time, and hangs; why that request failed."""
    monkeypatch.setattr(channel_module, "TICK", 0.02)
    monkeypatch.setattr(agents_module, "SECOND_CHANCE", 0.1)
    agents.open([ECHO])
    pods.awake.clear()
    error = agents.ask(ECHO, Hello(), protocol.Welcome, 0.2).exception(SOON)
    assert isinstance(error, AgentSilent)
    return str(error)


def test_of_many_channels_the_one_that_is_used_least_makes_room(
    agents: Agents, pods: Pods, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is opened again when it is asked again; the others stay open."""
    monkeypatch.setattr(agents_module, "MOST_OPEN", 3)
    first, second, third, fourth = (endpoint(f"echo-{n}") for n in range(4))
    for one in (first, second, third, first, fourth, first):
        ping(agents, one).result(SOON)
    assert pods.opened == ["echo-0", "echo-1", "echo-2", "echo-3"]
    assert set(agents.pinged(SOON)) == {first, third, fourth}
    assert ping(agents, second).result(SOON) == Pong(lag=2.0)


def test_a_channel_with_a_request_in_flight_makes_no_room(
    agents: Agents, pods: Pods, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is opened once it has its answer."""
    monkeypatch.setattr(agents_module, "MOST_OPEN", 1)
    agents.open([ECHO])
    pods.awake.clear()
    waited_for = ping(agents, ECHO)
    next_one = ping(agents, CLIENT)
    time.sleep(0.2)
    assert pods.opened == ["echo"]
    pods.awake.set()
    assert waited_for.result(SOON) == Pong(lag=1.0)
    assert next_one.result(SOON) == Pong(lag=1.0)


def test_where_all_channels_are_in_use_another_is_opened_after_a_while(
    agents: Agents, pods: Pods, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Better one too many than a run that stands still."""
    monkeypatch.setattr(agents_module, "MOST_OPEN", 1)
    monkeypatch.setattr(agents_module, "FULL_PATIENCE", 0.1)
    agents.open([ECHO])
    pods.awake.clear()
    waited_for = ping(agents, ECHO)
    agents.open([CLIENT])
    assert pods.opened == ["echo", "client"]
    pods.awake.set()
    assert waited_for.result(SOON) == Pong(lag=1.0)


def test_silent_agent_is_not_waited_for_again(agents: Agents, pods: Pods, stopped: str) -> None:
    """Later requests fail soon, for the same reason, and do not reach it."""
    began = time.monotonic()
    failed = [agents.ask(ECHO, protocol.Inspect(), protocol.Inspected, SOON) for _ in range(3)]

    assert {str(f.exception(SOON)) for f in failed} == {stopped}
    assert all(isinstance(f.exception(), AgentSilent) for f in failed)
    assert time.monotonic() - began < SOON / 4
    assert not any(isinstance(request, protocol.Inspect) for request in pods.heard)


def test_silent_agent_that_is_back_is_used_again(
    agents: Agents, pods: Pods, stopped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its heart-beat is enough; after that it is asked at once."""
    assert stopped
    pods.awake.set()
    monkeypatch.setattr(agents_module, "SECOND_CHANCE", SOON)
    refused = agents.ask(ECHO, Hello(), protocol.Welcome, SOON)

    assert isinstance(refused.exception(SOON), AgentError)
    pods.heard.clear()
    assert ping(agents, ECHO).result(SOON) == Pong(lag=1.0)
    assert pods.heard == [Ping()]


def test_other_agents_have_their_full_time(agents: Agents, pods: Pods, stopped: str) -> None:
    """One that is slow is no silent one."""
    assert stopped
    answer = ping(agents, CLIENT)
    time.sleep(0.3)
    pods.awake.set()

    assert answer.result(SOON) == Pong(lag=1.0)


def test_a_lost_heart_beat_calls_nobody_silent(
    agents: Agents, pods: Pods, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is late for it may still have the time that a request gives."""
    monkeypatch.setattr(channel_module, "TICK", 0.02)
    monkeypatch.setattr(agents_module, "SECOND_CHANCE", 0.1)
    agents.open([ECHO])
    pods.awake.clear()
    assert agents.pinged(0.2) == {}
    refused = agents.ask(ECHO, Hello(), protocol.Welcome, SOON)
    time.sleep(0.3)
    pods.awake.set()

    assert isinstance(refused.exception(SOON), AgentError)


def test_closed_agents_give_no_second_chance(agents: Agents, stopped: str) -> None:
    """Nobody hangs after the run is over."""
    assert stopped
    agents.close()

    assert isinstance(ping(agents, ECHO).exception(SOON), ChannelLost)


def test_a_request_bears_the_mark_of_the_key(pods: Pods) -> None:
    """By it an agent of another run knows that it is not meant."""
    agents = Agents(pods, "mark")
    try:
        ping(agents, ECHO).result(SOON)
    finally:
        agents.close()

    assert pods.keys == ["mark"]


def test_closed_agents_refuse_questions(agents: Agents) -> None:
    """Nobody hangs after the run is over."""
    ping(agents, ECHO).result(SOON)
    agents.close()

    assert isinstance(ping(agents, ECHO).exception(SOON), ChannelLost)
    assert isinstance(ping(agents, CLIENT).exception(SOON), ChannelLost)


def test_closing_ends_the_wait_for_streams_not_yet_open(agents: Agents, pods: Pods) -> None:
    """Ctrl-C while many pods are being entered leaves no thread waiting."""
    pods.gate.clear()
    futures = [ping(agents, endpoint(f"echo-{n}")) for n in range(OPENERS + 1)]

    agents.close()
    error = futures[-1].exception(SOON)
    pods.gate.set()

    assert str(error) == f"echo-{OPENERS}: the agents were closed"
    assert isinstance(ping(agents, endpoint(f"echo-{OPENERS}")).exception(SOON), ChannelLost)
