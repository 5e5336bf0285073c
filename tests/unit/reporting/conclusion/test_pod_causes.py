"""Causes that lie in one pod of the run: it ended, or it refuses although its agent listens."""

from __future__ import annotations

from sixproof.kube.facts.components import EndedPod
from sixproof.model import Family, Flow, Outcome
from sixproof.probes.nodes.examination import NodeReading
from tests.unit.reporting.conclusion.cluster import concluded, examined, node
from tests.unit.reporting.samples import Rule, pods

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
    told = concluded(at_the_victim(Outcome.UNKNOWN, *Family), examined(ended=[end]))
    (one,) = told.every
    assert one.headline.startswith(
        "pod a@worker: its container agent ended (OOMKilled, exit status 137) at "
        "2026-11-28T10:05:00Z: what it should have measured over IPv4 and IPv6 is not known; this "
        "says nothing about the network"
    )
    assert not one.measured


def test_a_pod_that_was_evicted_is_said_in_the_kubelets_words() -> None:
    end = EndedPod(VICTIM.namespace, VICTIM.pod, VICTIM.node, "Evicted: low on memory")
    (one,) = concluded(at_the_victim(Outcome.UNKNOWN, *Family), examined(ended=[end])).every
    assert "it was ended (Evicted: low on memory)" in one.headline


def test_what_was_measured_at_a_pod_that_ended_is_not_excused() -> None:
    """Packets to it were dropped before it ended: its end explains nothing of that."""
    end = EndedPod(VICTIM.namespace, VICTIM.pod, VICTIM.node, "Evicted: low on memory")
    (one,) = concluded(at_the_victim(Outcome.DROPPED, SIX), examined(ended=[end])).every
    assert not one.known
    assert one.measured


def test_a_pod_that_refuses_although_its_agent_listens() -> None:
    """A2: pod, family, and that something in the pod rejects."""
    inside = NodeReading(f"{VICTIM.namespace}/{VICTIM.pod}", node("worker"))
    told = concluded(at_the_victim(Outcome.REFUSED, SIX), examined(inside=[inside]))
    (one,) = told.every
    assert one.headline.startswith("pod a@worker: it refuses ")
    assert "over IPv6, from its own node too, although its agent listens there" in one.headline
    assert one.measured


def test_a_pod_whose_agent_is_silent_may_well_refuse() -> None:
    """Nothing is known of who listens there."""
    inside = NodeReading(f"{VICTIM.namespace}/{VICTIM.pod}", missing="no answer within 8 s")
    (one,) = concluded(at_the_victim(Outcome.REFUSED, SIX), examined(inside=[inside])).every
    assert not one.known
