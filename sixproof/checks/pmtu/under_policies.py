"""Paths under a policy that denies everything but one port."""

from __future__ import annotations

from collections.abc import Sequence

from sixproof.checks.pmtu.path_results import UDP
from sixproof.kube.api import wait
from sixproof.model import Endpoint, Expectation, Family, Flow, Outcome, Protocol, Timing
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions
from sixproof.workloads.probe_pods.ports import PortSpec
from sixproof.workloads.probe_pods.topology import different_nodes, flows

DENIED = PortSpec(Protocol.UDP, 8081)
"""A port that the policy does not allow."""
QUICK = ProbeOptions(timeout=1.0, attempts=2)
"""How a flow is tried while the policy is waited for."""


def nothing_arrives(flow: Flow) -> Expectation:
    """The policy allows another port only."""
    because = f"the policy on {flow.destination.name} allows {UDP.port} only, and this is {DENIED}"
    return Expectation(frozenset({Outcome.DROPPED}), because)


def watched(pods: tuple[Endpoint, ...], families: tuple[Family, ...]) -> list[Flow]:
    """The flows that tell whether the policy is in force."""
    return [
        flow
        for port_spec in (UDP, DENIED)
        for flow in flows(pods, pods, families, [port_spec], where=different_nodes)
    ]


def in_force(probe: ConnectProbe, pairs: Sequence[Flow], timing: Timing) -> None:
    """Wait until every node enforces it: small packets leave the path MTU as it is."""

    def enforced(seen: tuple[bool, ...]) -> bool:
        return all(seen)

    wait.until(
        lambda: tuple(
            (o.outcome is Outcome.ALLOWED) == (o.flow.port == UDP.port)
            for o in probe.measure(pairs, QUICK)
        ),
        enforced,
        timeout=timing.settle,
    )
