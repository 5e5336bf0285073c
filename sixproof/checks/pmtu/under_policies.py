"""Paths under a policy that denies everything but one port."""

from __future__ import annotations

from sixproof.model import Endpoint, Expectation, Family, Flow, Observation, Outcome, Protocol
from sixproof.workloads.probe_pods.ports import UDP, PortSpec
from sixproof.workloads.probe_pods.topology import different_nodes, flows

DENIED = PortSpec(Protocol.UDP, 8081)
"""A port that the policy does not allow."""


def nothing_arrives(flow: Flow) -> Expectation:
    """The policy allows another port only."""
    because = f"the policy on {flow.destination.name} allows {UDP.port} only, and this is {DENIED}"
    return Expectation(frozenset({Outcome.DROPPED}), because)


def watched(pods: tuple[Endpoint, ...], families: tuple[Family, ...]) -> list[Flow]:
    """The flows that show whether the policy is enforced."""
    return [
        flow
        for port_spec in (UDP, DENIED)
        for flow in flows(pods, pods, families, [port_spec], where=different_nodes)
    ]


def is_enforced(seen: Observation) -> bool:
    """Whether one of these flows had the outcome that the policy requires for its port."""
    return (seen.outcome is Outcome.ALLOWED) == (seen.flow.port == UDP.port)
