"""Whether probe pods may send ICMP echo: icmp(7) lets the groups of a sysctl open ping sockets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future

from sixproof.agent import protocol
from sixproof.errors import InfrastructureError
from sixproof.model import Endpoint
from sixproof.probes.connect.probe import AgentClient
from sixproof.workloads.probe_pods.ports import ICMP, PortSpec
from sixproof.workloads.probe_pods.probe_pod import NOBODY

PING = "net/ipv4/ping_group_range"
"""The sysctl, for both families."""
PATIENCE = 30.0
"""Seconds for an agent's answer."""


def echo_ports(agents: AgentClient, pods: Sequence[Endpoint]) -> tuple[PortSpec, ...]:
    """ICMP echo, or nothing where some pod may not open ping sockets.

    Raises:
        InfrastructureError: no agent answers.
    """
    asked = [agents.ask(pod, protocol.Inspect(), protocol.Inspected, PATIENCE) for pod in pods]
    return (ICMP,) if may_ping(asked) else ()


def may_ping(asked: Iterable[Future[protocol.Inspected]]) -> bool:
    """Whether every agent that answers may open ping sockets.

    A lost agent says nothing about it, and must not cost the others their matrix: its own cells
    will be UNKNOWN.

    Raises:
        InfrastructureError: none answers.
    """
    ranges: list[str] = []
    lost: InfrastructureError | None = None
    for answer in asked:
        try:
            ranges.append(answer.result().sysctls[PING])
        except InfrastructureError as error:
            lost = error
    if lost and not ranges:
        raise lost
    return all(int(low) <= NOBODY <= int(high) for low, high in map(str.split, ranges))
