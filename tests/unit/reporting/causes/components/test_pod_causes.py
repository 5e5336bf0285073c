"""Causes that lie in one pod of the run: it ended, it refuses although its agent listens, or that
agent hangs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import pytest

from sixproof.agent.protocol import LinkSeen, NodeSeen
from sixproof.kube.facts.components import EndedPod
from sixproof.model import (
    Endpoint,
    EndpointKind,
    Family,
    Flow,
    Matrix,
    MatrixKind,
    Outcome,
    Protocol,
)
from sixproof.probes.nodes.examination import Examination, NodeReading
from sixproof.reporting.conclusion.conclude import conclude
from sixproof.reporting.conclusion.conclusion import Conclusions
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.reporting.conclusion.cluster import (
    concluded,
    examined,
    hosts,
    node,
    run,
    with_wrong_cells,
)
from tests.unit.reporting.samples import NODES, Rule, all_open, pods

SIX = Family.IPV6
VICTIM = next(pod for pod in pods() if pod.name == "a@worker")


def at_the_victim(outcome: Outcome, *families: Family) -> Rule:
    """Flows to the pod come to this over these families."""

    def rule(flow: Flow) -> Outcome:
        hit = flow.destination.name == VICTIM.name and flow.family in families
        return outcome if hit else Outcome.ALLOWED

    return rule


def test_a_pod_that_was_killed_is_no_fault_of_the_network() -> None:
    """A1: pod and node, how and when; no family is blamed."""
    end = EndedPod(
        VICTIM.namespace,
        VICTIM.pod,
        VICTIM.node,
        "OOMKilled, exit status 137",
        "agent",
        "2026-11-28T10:05:00Z",
    )
    conclusions = concluded(at_the_victim(Outcome.UNKNOWN, *Family), examined(ended=[end]))
    (one,) = conclusions.every
    assert one.headline.startswith(
        "pod a on worker: its container agent ended (OOMKilled, exit status 137): 72 cells over "
        "IPv4 and IPv6 could not be measured; this says nothing about the network"
    )
    assert one.evidence == ("pod six-x/a-4: OOMKilled, exit status 137 at 2026-11-28T10:05:00Z",)
    assert not one.measured


def test_a_pod_that_was_evicted_is_said_in_the_kubelets_words() -> None:
    end = EndedPod(VICTIM.namespace, VICTIM.pod, VICTIM.node, "Evicted: low on memory")
    (one,) = concluded(at_the_victim(Outcome.UNKNOWN, *Family), examined(ended=[end])).every
    assert "it was ended (Evicted: low on memory)" in one.headline
    long = "Evicted: The node was low on resource: memory. " + "Threshold quantity: 100Mi. " * 4
    (one,) = concluded(
        at_the_victim(Outcome.UNKNOWN, *Family),
        examined(ended=[dataclasses.replace(end, how=long)]),
    ).every
    assert one.evidence[0].endswith(long)


def test_what_was_measured_at_a_pod_that_ended_is_not_excused() -> None:
    """Packets to it were dropped before it ended: its end explains nothing of that."""
    end = EndedPod(VICTIM.namespace, VICTIM.pod, VICTIM.node, "Evicted: low on memory")
    (one,) = concluded(at_the_victim(Outcome.DROPPED, SIX), examined(ended=[end])).every
    assert not one.known
    assert one.measured


def test_a_pod_that_refuses_although_its_agent_listens() -> None:
    """A2: pod, family, and that something in the pod rejects."""
    inside = NodeReading(f"{VICTIM.namespace}/{VICTIM.pod}", node("worker"))
    conclusions = concluded(at_the_victim(Outcome.REFUSED, SIX), examined(inside=[inside]))
    (one,) = conclusions.every
    assert one.headline.startswith("Likely cause: pod a on worker: it refuses ")
    assert "over IPv6, from itself too, although its agent listens there" in one.headline
    assert "something in the pod rejects it" in one.headline
    assert one.measured


def test_the_filter_of_a_pod_is_listed_in_its_network_namespace() -> None:
    """On its node it is not seen; and the pod is gone after the run unless it is kept."""
    inside = NodeReading(f"{VICTIM.namespace}/{VICTIM.pod}", node("worker"))
    (one,) = concluded(at_the_victim(Outcome.REFUSED, SIX), examined(inside=[inside])).every
    (command,) = one.causes[0].do
    assert str(command).startswith("on worker: ip -all netns exec nft list ruleset  # ")
    assert "--six-keep on-failure" in str(command)


def test_a_pod_that_refuses_others_may_have_its_filter_outside() -> None:
    """What it sends to itself never passes its interface."""
    to_itself = Outcome.ALLOWED

    def rule(flow: Flow) -> Outcome:
        refused = at_the_victim(Outcome.REFUSED, SIX)(flow)
        return to_itself if flow.source.name == VICTIM.name else refused

    inside = NodeReading(f"{VICTIM.namespace}/{VICTIM.pod}", node("worker"))
    (one,) = concluded(rule, examined(inside=[inside])).every
    assert "from its own node too" in one.headline
    assert "something in the pod or at its interface rejects it" in one.headline


def linked(name: str, mtu: int, device: str) -> NodeSeen:
    """A node, or the inside of a pod, with one more link of a pod."""
    seen = node(name)
    own = [link for link in seen.links if link.name != device]
    return dataclasses.replace(seen, links=[*own, LinkSeen(device, "veth", mtu, True, True)])


@pytest.mark.parametrize(("mtu", "known"), [(1500, True), (1280, True), (1430, False)])
def test_a_pod_whose_interface_has_another_mtu_than_pods_have(mtu: int, known: bool) -> None:
    """I3: the pod, what its interface has, and what the nodes' ends of pods' links have. The test
    says what it is about; it has no cells."""
    nodes = {name: linked(name, 1430, "cali1") for name in NODES}
    where = f"{VICTIM.namespace}/{VICTIM.pod}"
    inside = NodeReading(where, linked("worker", mtu, "eth0"), called=VICTIM.called)
    failed = Case(
        "suites/mtu/t.py::t",
        CaseOutcome.FAILED,
        message="1 interface is wrong",
        subjects=(VICTIM.subject("eth0"),),
    )
    results = run(lambda _: Outcome.ALLOWED, examined(nodes, inside=[inside]))
    (one,) = conclude(dataclasses.replace(results, cases=(failed,))).every
    assert one.known is known
    if known:
        assert one.first_screen == (
            f"pod a on worker: its eth0 has MTU {mtu} bytes, pods' links have 1430 bytes. Recreate "
            "the pod; if it has that MTU again, see the settings of its CNI plugin."
        )


def test_a_node_without_links_of_pods_shows_no_usual_mtu() -> None:
    """The node's own link is none, be it one of kind's."""
    inside = NodeReading("six-x-a/pod", linked("worker", 9000, "eth0"), called=VICTIM.called)
    failed = Case(
        "t.py::t", CaseOutcome.FAILED, message="wrong", subjects=(VICTIM.subject("eth0"),)
    )
    results = run(lambda _: Outcome.ALLOWED, examined(inside=[inside]))
    (one,) = conclude(dataclasses.replace(results, cases=(failed,))).every
    assert not one.known


def test_a_pod_whose_agent_is_silent_may_well_refuse() -> None:
    """Nothing is known of who listens there."""
    inside = NodeReading(f"{VICTIM.namespace}/{VICTIM.pod}", missing="no answer within 8 s")
    (one,) = concluded(at_the_victim(Outcome.REFUSED, SIX), examined(inside=[inside])).every
    assert not one.known


LATE = "no answer within 8 s"
SILENT = NodeReading(f"{VICTIM.namespace}/{VICTIM.pod}", missing=LATE)


def not_measured_at_the_victim(flow: Flow) -> Outcome:
    """The kernel answers ICMP echo requests of others, the agent nothing."""
    at_it = VICTIM.name in (flow.source.name, flow.destination.name)
    echo = flow.protocol is Protocol.ICMP and flow.source.name != VICTIM.name
    return Outcome.UNKNOWN if at_it and not echo else Outcome.ALLOWED


def test_a_pod_whose_agent_stands_still_is_no_fault_of_the_network() -> None:
    """A4: pod, process, both families; what the kernel answered meanwhile is evidence."""
    (one,) = concluded(not_measured_at_the_victim, examined(inside=[SILENT])).every
    assert one.first_screen.startswith(
        "pod a on worker: its agent (python) does not answer, over IPv4 and IPv6 alike: 120 cells "
        "could not be measured, and this says nothing about the network. "
    )
    assert " on worker" in one.first_screen
    assert len(one.headline) <= 200
    assert not one.measured
    assert one.evidence == (
        "pod a on worker, at the end of the run: no answer within 8 s",
        "the kernel answered 16 of 16 ICMP echo requests to it",
    )


@pytest.mark.parametrize(
    "examination",
    [
        examined(inside=[NodeReading(SILENT.node, node("worker"))]),
        examined(inside=[dataclasses.replace(SILENT, node="six-x/another")]),
        Examination(inside=[SILENT], after=[NodeReading(n, missing=LATE) for n in NODES]),
    ],
    ids=["it answers", "another pod", "nobody answers"],
)
def test_an_agent_that_is_not_alone_silent_is_no_cause(examination: Examination) -> None:
    """What is not known of it, or is known of all, is not laid at it."""
    assert not any(c.known for c in concluded(not_measured_at_the_victim, examination).every)


def test_a_pod_that_ended_answers_no_more() -> None:
    """That it ended is the cause, and its silence is not reported beside it."""
    end = EndedPod(VICTIM.namespace, VICTIM.pod, VICTIM.node, "Evicted: low on memory")
    read = examined(inside=[SILENT], ended=[end])
    (one,) = concluded(not_measured_at_the_victim, read).every
    assert [cause.code for cause in one.causes] == ["pod-ended"]


def seen_there(
    rule: Rule, endpoints: Iterable[Endpoint] | None = None, **changes: Any
) -> Conclusions:
    """What is concluded where all flows that did not work were seen like this."""
    results = run(rule, examined(inside=[SILENT]), endpoints)
    return conclude(with_wrong_cells(results, **changes))


def to_the_victims_agent(flow: Flow) -> Outcome:
    """The kernel answers ICMP echo requests, the agent nothing that it is sent."""
    to_it = flow.destination.name == VICTIM.name and flow.protocol is not Protocol.ICMP
    return Outcome.UNKNOWN if to_it else Outcome.ALLOWED


@pytest.mark.parametrize(
    ("rule", "changes", "known"),
    [
        (to_the_victims_agent, {"outcome": Outcome.DROPPED, "arrived": None}, True),
        (to_the_victims_agent, {"outcome": Outcome.DROPPED, "arrived": False}, False),
        (to_the_victims_agent, {"outcome": Outcome.REFUSED}, False),
        (
            at_the_victim(Outcome.UNKNOWN, *Family),
            {"outcome": Outcome.DROPPED, "arrived": None},
            False,
        ),
    ],
    ids=["its side is not known", "it did not arrive", "it refuses", "the kernel is silent too"],
)
def test_a_silence_of_which_the_agent_did_not_report_its_side(
    rule: Rule, changes: dict[str, Any], known: bool
) -> None:
    """It may well have arrived, where the kernel answers. What its agent said before it stood still
    stands."""
    assert any(c.known for c in seen_there(rule, **changes).every) is known


def test_a_path_check_asks_for_no_side_of_the_agents() -> None:
    """A pod was gone when the run ended: packets of full size that vanish are not its doing."""

    def asked(flow: Flow) -> Flow:
        return dataclasses.replace(flow, question="bulk passes both ways")

    results = with_wrong_cells(
        run(to_the_victims_agent, examined(inside=[SILENT])),
        outcome=Outcome.DROPPED,
        arrived=None,
    )
    (measured,) = results.matrices
    seen = measured.matrix.observations()
    matrix = Matrix.of("paths", [dataclasses.replace(o, flow=asked(o.flow)) for o in seen])
    matrix = dataclasses.replace(matrix, kind=MatrixKind.PATHS)
    asked_paths = dataclasses.replace(measured, matrix=matrix, expected=all_open(matrix))
    results = dataclasses.replace(results, matrices=(asked_paths,))
    assert not any(c.known for c in conclude(results).every)


def test_an_agent_that_was_late_and_an_agent_that_is_silent_are_two_causes() -> None:
    """Cells that say how late it was are reported as such."""
    (one,) = seen_there(not_measured_at_the_victim, stalled=2.0).every
    assert [cause.code for cause in one.causes] == ["agents-late"]


def test_a_witness_behind_a_service_is_named_by_its_cells() -> None:
    """The service's only backend hangs: no end of the flow is its pod."""
    service = dataclasses.replace(
        pods()[0], name="web", kind=EndpointKind.SERVICE, node="", pod="", labels=()
    )
    (one,) = seen_there(
        lambda flow: Outcome.UNKNOWN if flow.destination is service else Outcome.ALLOWED,
        (*pods()[1:], service),
        untold=("a@worker",),
    ).every
    assert one.headline.startswith("pod a on worker: its agent (python) does not answer")


def at_host(flow: Flow) -> Outcome:
    """Nothing at the host network of worker was measured."""
    ends = (flow.source, flow.destination)
    host = any(end.kind is EndpointKind.HOST and end.node == "worker" for end in ends)
    return Outcome.UNKNOWN if host else Outcome.ALLOWED


def at_node(flow: Flow) -> Outcome:
    """Nothing at worker was measured."""
    at_it = "worker" in (flow.source.node, flow.destination.node)
    return Outcome.UNKNOWN if at_it else Outcome.ALLOWED


@pytest.mark.parametrize(
    ("rule", "inside", "said"),
    [
        (at_host, [], "the agent (python) of its host network does not answer, over IPv4"),
        (at_node, [SILENT], "its probe agents (python) do not answer, over IPv4"),
    ],
    ids=["the host network", "the whole node"],
)
def test_agents_of_a_node_that_do_not_answer(
    rule: Rule, inside: list[NodeReading], said: str
) -> None:
    """The agent of its host network alone, or with those of its pods: the node is the place."""
    read = examined(inside=inside)
    silent = [r if r.node != "worker" else NodeReading("worker", missing=LATE) for r in read.after]
    ends: tuple[Endpoint, ...] = (*pods(), *hosts())
    (one,) = concluded(rule, dataclasses.replace(read, after=silent), ends).every
    assert one.headline.startswith(f"node worker: {said}")
    assert len(one.headline) <= 200


def test_silent_agents_of_several_pods_are_one_cause_of_their_node() -> None:
    """A5: its host network answers, so what the pods lack there is time."""
    (here,) = (pod for pod in pods() if pod.name == "b@worker")
    both = [SILENT, NodeReading(f"{here.namespace}/{here.pod}", missing=LATE)]

    def rule(flow: Flow) -> Outcome:
        at_them = {VICTIM.name, here.name} & {flow.source.name, flow.destination.name}
        return Outcome.UNKNOWN if at_them else Outcome.ALLOWED

    (one,) = concluded(rule, examined(inside=both)).every
    assert one.headline.startswith(
        "node worker: the probe agents (python) of 2 of its pods do not answer, over IPv4 and IPv6 "
    )
    assert [line.partition(",")[0] for line in one.evidence[:2]] == [
        "pod a on worker",
        "pod b on worker",
    ]
