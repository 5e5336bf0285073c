"""The examination: whom it asks, what it sends again, and what it says where it cannot."""

from __future__ import annotations

import dataclasses
from typing import cast

import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import Event, FilterSeen
from sixproof.checks.connect.examiner import FEW, KEPT, SAMPLE, Examiner, sample, suspected
from sixproof.errors import ApiError, ChannelLost, NoAnswer
from sixproof.kube.api import resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.wait import Deadline
from sixproof.model import Endpoint, Expectation, Family, Flow, Outcome
from sixproof.probes.connect.fake_agents import FakeAgents, Script
from sixproof.probes.nodes import reader
from sixproof.probes.nodes.examination import Examination
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.topology import ProbeTopology
from tests.unit.reporting.conclusion.cluster import (
    across,
    drop,
    hosts,
    node,
    packet_filter,
    run,
)
from tests.unit.reporting.samples import NODES, Rule, pods, topology, works

SIX = Family.IPV6
MESH = ProbeTopology(Run("x", "key"), pods(), hosts())


class Refusing:
    """A cluster of which nothing may be read."""

    given_up = ""

    def list(self, *_: object, **__: object) -> object:
        """Refused."""
        raise ApiError("pods is forbidden", status=403)

    def get(self, *_: object, **__: object) -> object:
        """Refused."""
        raise ApiError("configmaps is forbidden", status=403)


def agent(where: str, *filters: FilterSeen) -> Script:
    """An agent that reports its facts, is silent to probes, and reads these filters in turn."""
    left = list(filters)

    def answer(request: object) -> object:
        if isinstance(request, protocol.ReadNode):
            return node(where)
        if isinstance(request, protocol.ReadFilter):
            return left.pop(0)
        if isinstance(request, protocol.Evidence):
            return protocol.EvidenceFound([], [], [], 0.0, 99.0)
        assert isinstance(request, protocol.Probe)
        silent = [protocol.FlowResult(nonce=f.nonce, event=Event.SILENT) for f in request.flows]
        return protocol.Probed(results=silent, lag=0.0)

    return answer


def reading_pods(nodes: object, _: float) -> tuple[Endpoint, ...]:
    """One pod a node that reads its filter."""
    assert tuple(cast(tuple[str, ...], nodes)) == NODES
    return tuple(dataclasses.replace(h, name=f"filter@{h.node}") for h in hosts())


def agents(**more: Script) -> FakeAgents:
    """All of the topology."""
    scripts: dict[str, Script] = {e.name: agent(e.node) for e in (*pods(), *hosts())}
    for name in NODES:
        pair = (packet_filter(drop(1)), packet_filter(drop(5)))
        scripts[f"filter@{name}"] = agent(name, *pair)
    return FakeAgents(scripts | more)


def test_failing_flows_are_sent_again_between_two_readings_of_the_filter() -> None:
    """A few for each pair of nodes, protocol and family; the filter is read before and after."""
    asked = agents()
    examiner = Examiner(cast(Cluster, Refusing()), asked, MESH)
    results = run(across(SIX, "worker"))

    seen = examiner.last(results, [], reading_pods)

    assert (seen.resent, seen.still) == (SAMPLE, SAMPLE)
    assert {f.node for f in seen.filters} == set(NODES)
    (rule,) = (r for r in seen.filters[0].before.rules if r.verdict == "drop")
    (later,) = (r for r in seen.filters[0].after.rules if r.verdict == "drop")
    assert (rule.packets, later.packets) == (1, 5)
    order = [type(request).__name__ for _, request in asked.asked]
    assert order.index("ReadFilter") < order.index("Probe") < order.index("ReadNode")
    assert {r.node for r in seen.after} == set(NODES)
    assert seen.problems == [
        "pods of kube-system: pods is forbidden",
        "pods of calico-system: pods is forbidden",
        "settings of kube-proxy: configmaps is forbidden",
        "settings of Corefile: configmaps is forbidden",
        "pods and EndpointSlices of the run: pods is forbidden",
    ]


class WithCoreDns(Refusing):
    """A cluster of which only a CoreDNS pod may be read."""

    def list(self, *asked: object, **_: object) -> object:
        """It, where it is."""
        if asked != (resources.POD, "kube-system"):
            raise ApiError("forbidden", status=403)
        return [
            {
                "metadata": {"name": "coredns-x", "labels": {"k8s-app": "kube-dns"}},
                "spec": {"nodeName": "worker"},
                "status": {"podIPs": [{"ip": "fd00:244::5"}]},
            }
        ]


@pytest.mark.parametrize("lost", [False, True])
def test_replicas_of_coredns_are_asked_how_they_are(lost: bool) -> None:
    """By the host agent of their own node; what it does not report is said."""

    def answer(request: object) -> object:
        if not isinstance(request, protocol.AskServers):
            return agent("worker")(request)
        if lost:
            raise ChannelLost("the stream ended")
        return protocol.ServersAsked([protocol.HealthSeen("", 200, "OK")] * len(request.servers))

    asked = agents(**{"host@worker": answer})
    results = run(across(SIX, "worker"))
    seen = Examiner(cast(Cluster, WithCoreDns()), asked, MESH).last(results, [], None)
    said = "the health of CoreDNS pods was not read on worker: the stream ended"
    assert (said in seen.problems) is lost
    assert [(h.name, h.address, h.check.path, h.status) for h in seen.health] == (
        [] if lost else [("coredns-x", "fd00:244::5", path, 200) for path in ("/health", "/ready")]
    )
    assert {r.node for r in seen.after if r.seen} == set(NODES)


def test_no_replica_is_asked_when_the_time_is_over() -> None:
    """As nothing else is."""
    examiner = Examiner(cast(Cluster, WithCoreDns()), agents(), MESH)
    assert examiner.last(run(works), [], None, deadline=Deadline(0.0)).health == []


def dead(victim: Endpoint) -> Rule:
    """Flows to and from this pod are dropped."""

    def rule(flow: Flow) -> Outcome:
        hit = victim.name in (flow.source.name, flow.destination.name)
        return Outcome.DROPPED if hit else Outcome.ALLOWED

    return rule


def test_pods_that_most_failures_have_in_common_are_asked_themselves() -> None:
    """The victim first."""
    victim = pods()[4]
    results = run(dead(victim))
    assert suspected(results, MESH)[0] == victim
    seen = Examiner(cast(Cluster, Refusing()), agents(), MESH).last(results, [], reading_pods)
    assert seen.inside[0].node == reader.name(victim) == "six-x/b-5"
    assert seen.inside[0].seen is not None


def test_a_pod_that_a_failed_test_without_cells_is_about_is_asked() -> None:
    """By its subject; one that passed is about nothing wrong."""
    victim = MESH.pods[1]
    case = Case("t.py::t", CaseOutcome.FAILED, subjects=(victim.subject("eth0"),))
    results = run(lambda _: Outcome.ALLOWED)
    assert suspected(dataclasses.replace(results, cases=(case,)), MESH) == (victim,)
    passed = dataclasses.replace(case, outcome=CaseOutcome.PASSED)
    assert suspected(dataclasses.replace(results, cases=(passed,)), MESH) == ()


def test_pods_of_the_policy_namespaces_are_asked_too() -> None:
    """A dead server is one wherever it stands; pods that are not the run's are nobody's to ask."""
    shop = dataclasses.replace(pods()[4], name="shop/web", namespace="six-x-main-shop", pod="web")
    foreign = dataclasses.replace(shop, name="other/web", namespace="other")

    def rule(flow: Flow) -> Outcome:
        dead = flow.destination in (shop, foreign)
        return Outcome.REFUSED if dead else Outcome.ALLOWED

    suspects = suspected(run(rule, endpoints=(*pods()[:3], shop, foreign)), MESH)
    assert suspects[0] == shop
    assert foreign not in suspects


def test_host_agents_are_no_suspects() -> None:
    """Nodes are asked anyhow; a node that fails most must not take the place of a pod."""
    host = dataclasses.replace(hosts()[0], namespace="six-x-host", pod="agent")

    def rule(flow: Flow) -> Outcome:
        return Outcome.DROPPED if flow.destination is host else Outcome.ALLOWED

    suspects = suspected(run(rule, endpoints=(*pods()[:3], host)), MESH)
    assert host not in suspects
    assert set(suspects) == set(pods()[:3])


def test_what_a_policy_decides_or_another_place_is_is_not_sent_again() -> None:
    """Only flows between pods and hosts of the run that nothing but the network decides."""
    matrix = topology(across(SIX, "worker"))
    decided = Expectation.allowed("a policy allows it", by_policy=True)
    judged = Measured(matrix, dict.fromkeys(matrix.cells, decided), "t")
    results = run(works)
    assert sample(dataclasses.replace(results, matrices=(judged,)), MESH) == ()
    strangers = dataclasses.replace(MESH, pods=())
    assert sample(run(across(SIX, "worker")), strangers) == ()


def test_what_was_not_measured_is_not_sent_again() -> None:
    """It moves no counter, and an agent that hangs would cost the examination its time."""

    def unknown(flow: Flow) -> Outcome:
        return Outcome.UNKNOWN if flow.source == pods()[0] else across(SIX, "worker")(flow)

    chosen = sample(run(unknown), MESH)
    assert chosen
    assert pods()[0] not in {flow.source for flow in chosen}


def test_a_sample_has_few_flows_of_each_kind() -> None:
    """For each pair of nodes, protocol and family."""
    chosen = sample(run(across(SIX, "worker", "worker2")), MESH)
    kinds = {(f.source.node, f.destination.node, f.protocol) for f in chosen}
    assert len(chosen) == FEW * len(kinds)


def test_without_readers_the_filter_is_left_unread_and_that_is_said() -> None:
    """--six-raw off, and pods that are not admitted."""
    examiner = Examiner(cast(Cluster, Refusing()), agents(), MESH)
    results = run(across(SIX, "worker"))
    assert examiner.last(results, [], None).problems[0] == (
        "packet filters were not read: --six-raw off"
    )

    def refused(_: object, __: float) -> tuple[Endpoint, ...]:
        raise ApiError("violates PodSecurity", status=403)

    seen = examiner.last(results, [], refused)
    assert seen.problems[0] == "packet filters were not read: violates PodSecurity"
    assert seen.filters == []


def test_who_is_hurried_waits_for_no_pods_and_no_silence() -> None:
    """Facts are read all the same: they take no time."""
    asked = agents()
    examiner = Examiner(cast(Cluster, Refusing()), asked, MESH)
    seen = examiner.last(run(across(SIX, "worker")), [], reading_pods, hurried=lambda: True)
    assert (seen.resent, seen.filters) == (0, [])
    assert {r.node for r in seen.after} == set(NODES)
    assert not any(isinstance(request, protocol.Probe) for _, request in asked.asked)


def examined_in(seconds: float, patience: list[float]) -> Examination:
    """What is read in so many seconds; those that are left for the pods are noted."""

    def noted(nodes: object, left: float) -> tuple[Endpoint, ...]:
        patience.append(left)
        return reading_pods(nodes, left)

    examiner = Examiner(cast(Cluster, Refusing()), agents(), MESH)
    return examiner.last(run(across(SIX, "worker")), [], noted, deadline=Deadline(seconds))


def test_what_was_not_read_when_the_time_is_over_is_missing() -> None:
    """Said for each part, and nothing is waited for."""
    patience: list[float] = []
    seen = examined_in(0.0, patience)
    assert patience == []
    assert (seen.resent, seen.filters) == (0, [])
    assert {r.missing for r in (*seen.after, *seen.inside)} == {
        "not read: no time was left of 30 s"
    }
    assert seen.problems[:2] == [
        "packet filters were not read: no time was left of 30 s",
        "failing flows were not sent again: no time was left of 30 s",
    ]


def test_time_is_kept_for_what_nodes_say_themselves() -> None:
    """Pods that are late, and flows that are silent, must not take it all."""
    patience: list[float] = []
    seen = examined_in(KEPT + 1.0, patience)
    assert 0.0 < patience[0] <= 1.0
    assert {r.node for r in seen.after if r.seen} == set(NODES)
    assert seen.resent == 0
    assert "failing flows were not sent again: no time was left of 30 s" in seen.problems


def test_a_packet_filter_that_was_not_read_is_named() -> None:
    """Its pod does not answer."""

    def lost(_: object) -> object:
        raise ChannelLost("filter@worker: the stream ended")

    examiner = Examiner(cast(Cluster, Refusing()), agents(**{"filter@worker": lost}), MESH)
    seen = examiner.last(run(across(SIX, "worker")), [], reading_pods)
    assert {f.node for f in seen.filters} == set(NODES) - {"worker"}
    assert "packet filters were not read on worker: no answer in time" in seen.problems


@pytest.mark.parametrize("first", [True, False])
def test_a_packet_filter_that_was_read_once_is_not_compared(first: bool) -> None:
    """A busy node answered one of two requests: its rules are known, their counters are not."""
    read = [packet_filter(drop(7))]

    def sometimes(request: object) -> object:
        assert isinstance(request, protocol.ReadFilter)
        asked.append(request)
        if (len(asked) == 1) is not first:
            raise ChannelLost("filter@worker: no answer")
        return read[0]

    asked: list[object] = []
    examiner = Examiner(cast(Cluster, Refusing()), agents(**{"filter@worker": sometimes}), MESH)
    seen = examiner.last(run(across(SIX, "worker")), [], reading_pods)
    assert len(asked) == 2
    (there,) = (f for f in seen.filters if f.node == "worker")
    assert (there.once, there.before, there.after) == (True, read[0], read[0])
    assert not any(f.once for f in seen.filters if f.node != "worker")
    said = "packet filters were read once on worker: it is not known which counters moved"
    assert said in seen.problems


class Silent:
    """A cluster whose API server is silent; what it is asked for is counted."""

    def __init__(self) -> None:
        self.given_up = ""

    def list(self, *_: object, **__: object) -> object:
        """Nobody answers."""
        self.given_up = "list pods: no answer: it was silent for 3 s"
        raise NoAnswer(self.given_up, sent=True, silent=True)

    get = list


def test_behind_a_silent_api_server_no_agent_is_asked() -> None:
    """Their streams go through it; each would be waited for. What was not read is missing."""
    asked = agents()
    results = run(across(SIX, "worker"))

    def silent(_: object, __: float) -> tuple[Endpoint, ...]:
        raise NoAnswer("apply pods: not sent", sent=False)

    seen = Examiner(cast(Cluster, Silent()), asked, MESH).last(results, [], silent)

    assert asked.asked == []
    assert (seen.resent, seen.filters, seen.pods) == (0, [], [])
    assert [r.node for r in seen.after] == list(NODES)
    assert {r.missing for r in (*seen.after, *seen.inside)} == {
        "not read: list pods: no answer: it was silent for 3 s"
    }
    assert seen.nodes() == {}
    assert "packet filters were not read: apply pods: not sent" in seen.problems


def test_a_node_that_does_not_answer_is_missing_and_the_others_are_reported() -> None:
    """Its channel is lost."""

    def lost(_: object) -> object:
        raise ChannelLost("host@worker: the stream ended")

    first = Examiner(cast(Cluster, Refusing()), agents(**{"host@worker": lost}), MESH).first()
    missing = {r.node: r.missing for r in first if r.seen is None}
    assert missing == {"worker": "host@worker: the stream ended"}
    assert len(first) == len(NODES)


def test_a_pod_that_is_gone_has_no_facts() -> None:
    """It was made for a test and removed after it: nobody is silent there."""

    def gone(_: object) -> object:
        raise ChannelLost("no control channel") from ApiError("pod not found", status=404)

    victim = pods()[4]
    asked = agents(**{victim.name: gone})
    seen = Examiner(cast(Cluster, Refusing()), asked, MESH).last(
        run(dead(victim)), [], reading_pods
    )
    assert reader.name(victim) not in {r.node for r in (*seen.inside, *seen.after)}
    assert len(seen.after) == len(NODES)


def test_nothing_fails_nothing_is_sent() -> None:
    """A run that broke for another reason."""
    asked = agents()
    seen = Examiner(cast(Cluster, Refusing()), asked, MESH).last(
        Results(run(works).run), [], reading_pods
    )
    assert (seen.resent, seen.still, seen.inside) == (0, 0, [])
    assert not any(isinstance(request, protocol.Probe) for _, request in asked.asked)
