"""What nodes say at the moment at which a test fails: whom it asks, how often, and what of it
counts."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import IpSetSeen, IpSetsSeen
from sixproof.checks.connect import at_failure
from sixproof.checks.connect.at_failure import MOST, PODS, SECONDS, FailureReader, SetPods
from sixproof.checks.recorder import Recorder
from sixproof.errors import ApiError, ChannelLost
from sixproof.model import Endpoint, Expectation, Family, Outcome
from sixproof.probes.connect.fake_agents import A, FakeAgents, Script
from sixproof.probes.nodes.examination import FailureReading
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.part_files import PartFiles, PartWriter
from tests.unit.reporting.conclusion.cluster import across, hosts, node, run
from tests.unit.reporting.samples import NODES, Rule, pods, topology

SIX = Family.IPV6
SETS = IpSetsSeen([IpSetSeen("cali60s:abc", "IPv6", 0, [], [])], cut=True)


def agent(where: str, sets: IpSetsSeen = SETS) -> Script:
    """An agent that reports the facts of its node, and IP sets."""

    def answer(request: object) -> object:
        if isinstance(request, protocol.ReadNode):
            assert request.health == []
            return node(where)
        assert isinstance(request, protocol.ReadIpSets)
        assert len(request.addresses) in (12, 18)  # of the pods at the ends of wrong cells
        return sets

    return answer


def lost(_: object) -> object:
    """An agent that is gone."""
    raise ChannelLost("gone")


def set_pods(nodes: Sequence[str], _: float) -> tuple[Endpoint, ...]:
    """One pod a node that reads IP sets."""
    chosen = [h for h in hosts() if h.node in nodes]
    return tuple(dataclasses.replace(h, name=f"filter@{h.node}") for h in chosen)


def failing(rule: Rule, test: str = "suites/policy/t.py::t", *, by_policy: bool = True) -> Measured:
    """A matrix in which all must be allowed, by a policy or without one."""
    matrix = topology(rule)
    allowed = Expectation.allowed("a policy", by_policy=by_policy)
    return Measured(matrix, dict.fromkeys(matrix.cells, allowed), test)


ONE_NODE = failing(across(SIX, "worker", "worker2"))


def reader(
    making: SetPods | None = set_pods, **more: Script
) -> tuple[FailureReader, FakeAgents, list[FailureReading]]:
    """The reader, whom it asked, and what it noted."""
    scripts = {h.name: agent(h.node) for h in hosts()}
    scripts |= {f"filter@{name}": agent(name) for name in NODES}
    scripts |= {pod.name: agent(pod.node) for pod in pods()}
    noted: list[FailureReading] = []
    agents = FakeAgents(scripts | more)
    return FailureReader(agents, hosts(), making, noted.append), agents, noted


def test_the_nodes_of_wrong_cells_are_read_at_once() -> None:
    """Their facts without their daemons, and their IP sets; no other node."""
    failures, agents, noted = reader()
    failures.read(ONE_NODE)
    (reading,) = noted
    assert reading.test == "suites/policy/t.py::t"
    assert {there.node for there in reading.nodes} == {"worker", "worker2"}
    assert {there.node: there.sets for there in reading.ip_sets} == dict.fromkeys(
        ("worker", "worker2"), SETS.sets
    )
    ends = [o.flow for o in ONE_NODE.matrix.observations() if not o.outcome.works]
    named = {f"{end.namespace}/{end.pod}" for f in ends for end in (f.source, f.destination)}
    inside = {there.node for there in reading.inside}
    assert len(inside) == PODS
    assert inside <= named
    assert len(agents.asked) == 4 + PODS


def test_what_was_not_measured_is_no_reason_to_read() -> None:
    failures, agents, noted = reader()
    failures.read(failing(lambda _: Outcome.UNKNOWN))
    assert (noted, agents.asked) == ([], [])


def test_ip_sets_are_read_where_a_policy_decides_alone() -> None:
    """Also of a leak, whose expectation is a denial."""
    failures, _, noted = reader()
    failures.read(failing(across(SIX, "worker"), by_policy=False))
    assert noted[0].ip_sets == []
    (measured,) = run(lambda _: Outcome.ALLOWED).matrices
    denied = Expectation(frozenset({Outcome.DROPPED}), "a policy")
    expected = dict.fromkeys(measured.matrix.cells, denied)
    leak = dataclasses.replace(measured, expected=expected, test="another")
    failures.read(leak)
    assert {there.node for there in noted[1].ip_sets} == set(NODES)


def test_a_process_reads_a_few_times_only() -> None:
    """Once a test, however many matrices of it are wrong, for a few tests."""
    failures, _, noted = reader()
    for number in range(MOST + 3):
        for _ in range(2):
            failures.read(failing(across(SIX, "worker", "worker2"), f"t{number}"))
    assert [one.test for one in noted] == [f"t{number}" for number in range(MOST)]


def test_the_time_of_a_process_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one reading takes, the next one does not get; pods get what is left."""
    got: list[float] = []
    clock = itertools.count(0.0, 1.5)
    monkeypatch.setattr("sixproof.checks.connect.at_failure.time.monotonic", lambda: next(clock))

    def slow(nodes: Sequence[str], patience: float) -> tuple[Endpoint, ...]:
        got.append(patience)
        return ()

    failures, _, noted = reader(slow)
    for number in range(4):
        failures.read(failing(across(SIX, "worker", "worker2"), f"t{number}"))
    assert got == sorted(got, reverse=True)
    assert got[0] < SECONDS
    assert sum(one.seconds for one in noted) <= SECONDS + 4.5
    assert len(noted) < 4


def test_what_cannot_be_read_is_left_away() -> None:
    """Agents that are gone, and a kernel that refuses."""
    refused = agent("worker2", IpSetsSeen([], error="EPERM"))
    failures, _, noted = reader(
        set_pods, **{"filter@worker": lost, "filter@worker2": refused, hosts()[1].name: lost}
    )
    failures.read(ONE_NODE)
    (reading,) = noted
    assert reading.ip_sets == []
    assert sorted(reading.problems) == [
        "IP sets of worker were not read: gone",
        "IP sets of worker2 were not read: EPERM",
    ]
    missing = {there.node for there in reading.nodes if there.seen is None}
    assert missing == {hosts()[1].node}


class Silent(FakeAgents):
    """Agents that never say what IP sets hold."""

    def ask(
        self, endpoint: Endpoint, request: object, answer: type[A], timeout: float
    ) -> concurrent.futures.Future[A]:
        """No answer to that."""
        if isinstance(request, protocol.ReadIpSets):
            return concurrent.futures.Future()
        return super().ask(endpoint, request, answer, timeout)


def test_an_agent_that_does_not_answer_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(at_failure, "SECONDS", at_failure.LEAST + 0.1)
    agents = Silent({place.name: agent(place.node) for place in (*hosts(), *pods())})
    noted: list[FailureReading] = []
    FailureReader(agents, hosts(), set_pods, noted.append).read(ONE_NODE)
    (reading,) = noted
    assert sorted(reading.problems) == [
        "IP sets of worker were not read: no answer in time",
        "IP sets of worker2 were not read: no answer in time",
    ]
    assert reading.seconds < at_failure.SECONDS + 1


def test_an_unforeseen_error_leaves_the_verdict_alone() -> None:
    """It is a problem of the reading."""

    def broken(*_: object) -> tuple[Endpoint, ...]:
        raise RuntimeError("unforeseen")

    failures, _, noted = reader(broken)
    failures.read(ONE_NODE)
    assert noted[0].problems == ["IP sets were not read: RuntimeError: unforeseen"]


@pytest.mark.parametrize(("status", "times"), [(403, 1), (429, 2)])
def test_without_privileged_pods_the_facts_are_read_all_the_same(status: int, times: int) -> None:
    """Where they are refused they are asked for once; an API server that is busy is asked again."""
    asked: list[Sequence[str]] = []

    def refusing(nodes: Sequence[str], _: float) -> tuple[Endpoint, ...]:
        asked.append(nodes)
        raise ApiError("pods is forbidden", status=status)

    failures, _, noted = reader(refusing)
    for test in ("a", "b"):
        failures.read(failing(across(SIX, "worker", "worker2"), test))
    assert len(asked) == times
    assert [(len(one.nodes), one.ip_sets) for one in noted] == [(2, [])] * 2
    assert noted[0].problems == ["IP sets were not read: pods is forbidden"]


def test_ip_sets_are_not_read_where_that_is_not_permitted() -> None:
    failures, _, noted = reader(None)
    failures.read(ONE_NODE)
    assert [(len(one.nodes), one.ip_sets, one.problems) for one in noted] == [(2, [], [])]


def test_pods_are_made_once_a_node() -> None:
    asked: list[str] = []

    def counting(nodes: Sequence[str], patience: float) -> tuple[Endpoint, ...]:
        asked.extend(nodes)
        return set_pods(nodes, patience)

    failures, _, noted = reader(counting)
    failures.read(ONE_NODE)
    failures.read(failing(across(SIX, "worker"), "another"))
    assert sorted(asked) == sorted(NODES)
    assert len(noted) == 2


def test_a_recorder_has_nodes_read_where_cells_are_wrong(tmp_path: Path) -> None:
    """Once the matrix is noted; not where all is as expected."""
    read: list[Measured] = []
    recorder = Recorder(PartWriter(tmp_path), lambda: ONE_NODE.test, read.append)
    (right,) = run(lambda _: Outcome.ALLOWED).matrices
    for measured in (right, ONE_NODE):
        assert measured.expected is not None
        recorder.matrix(measured.matrix, measured.expected)
    assert read == [ONE_NODE]
    Recorder(PartWriter(tmp_path), lambda: "t").matrix(ONE_NODE.matrix, ONE_NODE.expected or {})
    assert len(PartFiles.read(tmp_path).matrices) == 3


def test_what_is_known_of_a_cluster_is_no_failure(tmp_path: Path) -> None:
    read: list[Measured] = []
    recorder = Recorder(PartWriter(tmp_path), lambda: ONE_NODE.test, read.append)
    assert ONE_NODE.expected is not None
    with recorder.under_a_known_limit():
        recorder.matrix(ONE_NODE.matrix, ONE_NODE.expected)
    assert read == []
    recorder.matrix(ONE_NODE.matrix, ONE_NODE.expected)
    assert read == [ONE_NODE]
