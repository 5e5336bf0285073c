"""What nodes say at the moment at which a test fails: whom it asks, how often, and what of it
counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import IpSetSeen, IpSetsSeen
from sixproof.checks.connect import at_failure
from sixproof.checks.connect.at_failure import MOST, FailureReader
from sixproof.checks.recorder import Recorder
from sixproof.errors import ApiError, ChannelLost
from sixproof.model import Endpoint, Expectation, Family, Outcome
from sixproof.probes.connect.fake_agents import FakeAgents, Script
from sixproof.probes.nodes.examination import FailureReading
from sixproof.reporting.results.matrix_record import Measured
from sixproof.reporting.results.part_files import PartFiles, PartWriter
from tests.unit.reporting.conclusion.cluster import across, hosts, node, run
from tests.unit.reporting.samples import NODES, Rule, topology

SETS = IpSetsSeen([IpSetSeen("cali60s:abc", "IPv6", ["2001:db8::1"])])


def agent(where: str, sets: IpSetsSeen = SETS) -> Script:
    """An agent that reports the facts of its node, and IP sets."""

    def answer(request: object) -> object:
        if isinstance(request, protocol.ReadNode):
            assert request.health == []
            return node(where)
        assert isinstance(request, protocol.ReadIpSets)
        return sets

    return answer


def lost(_: object) -> object:
    """An agent that is gone."""
    raise ChannelLost("gone")


def reading_pods(nodes: Sequence[str]) -> tuple[Endpoint, ...]:
    """One pod a node that reads IP sets."""
    chosen = [h for h in hosts() if h.node in nodes]
    return tuple(dataclasses.replace(h, name=f"filter@{h.node}") for h in chosen)


def failing(rule: Rule, *, by_policy: bool = True) -> Measured:
    """A matrix in which all must be allowed, by a policy or without one."""
    matrix = topology(rule)
    allowed = Expectation.allowed("a policy", by_policy=by_policy)
    return Measured(matrix, dict.fromkeys(matrix.cells, allowed), "suites/policy/t.py::t")


ONE_NODE = failing(across(Family.IPV6, "worker", "worker2"))


def reader(
    readers: Callable[[Sequence[str]], tuple[Endpoint, ...]] | None = reading_pods, **more: Script
) -> tuple[FailureReader, FakeAgents, list[FailureReading]]:
    """The reader, whom it asked, and what it noted."""
    scripts = {h.name: agent(h.node) for h in hosts()}
    scripts |= {f"filter@{name}": agent(name) for name in NODES}
    noted: list[FailureReading] = []
    agents = FakeAgents(scripts | more)
    return FailureReader(agents, hosts(), readers, noted.append), agents, noted


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
    assert len(agents.asked) == 4


def test_what_was_not_measured_is_no_reason_to_read() -> None:
    failures, agents, noted = reader()
    failures.read(failing(lambda _: Outcome.UNKNOWN))
    assert (noted, agents.asked) == ([], [])


def test_ip_sets_are_read_where_a_policy_decides_alone() -> None:
    """Also of a leak, whose expectation is a denial."""
    failures, _, noted = reader()
    failures.read(failing(across(Family.IPV6, "worker"), by_policy=False))
    assert noted[0].ip_sets == []
    (measured,) = run(lambda _: Outcome.ALLOWED).matrices
    denied = Expectation(frozenset({Outcome.DROPPED}), "a policy")
    leak = dataclasses.replace(measured, expected=dict.fromkeys(measured.matrix.cells, denied))
    failures.read(leak)
    assert {there.node for there in noted[1].ip_sets} == set(NODES)


def test_a_process_reads_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """By number, and by the time that it took."""
    failures, _, noted = reader()
    for _ in range(MOST + 3):
        failures.read(ONE_NODE)
    assert len(noted) == MOST
    monkeypatch.setattr(at_failure, "SECONDS", -1.0)
    failures, _, noted = reader()
    failures.read(ONE_NODE)
    assert noted == []


def test_what_cannot_be_read_is_left_away() -> None:
    """Agents that are gone, and a kernel that refuses."""
    refused = agent("worker2", IpSetsSeen([], error="EPERM"))
    failures, _, noted = reader(
        reading_pods, **{"filter@worker": lost, "filter@worker2": refused, hosts()[1].name: lost}
    )
    failures.read(ONE_NODE)
    (reading,) = noted
    assert reading.ip_sets == []
    missing = {there.node for there in reading.nodes if there.seen is None}
    assert missing == {hosts()[1].node}


@pytest.mark.parametrize("raw", [True, False], ids=["not-admitted", "not-permitted"])
def test_without_privileged_pods_the_facts_are_read_all_the_same(raw: bool) -> None:
    """They are asked for once."""
    asked: list[Sequence[str]] = []

    def refusing(nodes: Sequence[str]) -> tuple[Endpoint, ...]:
        asked.append(nodes)
        raise ApiError("pods is forbidden", status=403)

    failures, _, noted = reader(refusing if raw else None)
    failures.read(ONE_NODE)
    failures.read(ONE_NODE)
    assert len(asked) == int(raw)
    assert [(len(one.nodes), one.ip_sets) for one in noted] == [(2, [])] * 2


def test_pods_are_made_once_a_node() -> None:
    asked: list[str] = []

    def counting(nodes: Sequence[str]) -> tuple[Endpoint, ...]:
        asked.extend(nodes)
        return reading_pods(nodes)

    failures, _, noted = reader(counting)
    failures.read(ONE_NODE)
    failures.read(failing(across(Family.IPV6, "worker")))
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
