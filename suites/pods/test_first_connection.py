"""A pod is reachable from the moment it is Ready."""

from __future__ import annotations

import pytest

from sixproof.agent import protocol
from sixproof.checks.connect.connectivity import Connectivity
from sixproof.kube.channel.agents import Agents
from sixproof.model import Endpoint, Family
from sixproof.probes.pmtu import interfaces
from sixproof.reporting.diagnosis.evidence import require_none
from sixproof.workloads.probe_pods.topology import ProbeTopology, flows

pytestmark = pytest.mark.feature("Pod-to-pod")


@pytest.mark.story("first connection")
def test_first_connection_right_after_ready_works(
    topology: ProbeTopology,
    just_ready_pods: tuple[Endpoint, ...],
    measured_families: tuple[Family, ...],
    connectivity: Connectivity,
) -> None:
    """The very first packets to and from a new pod arrive, over each family.

    Why: an address that is still tentative (RFC 4862 section 5.4) or a route that is not yet
    programmed makes the first IPv6 connection fail where the first IPv4 one works.
    """
    old = topology.in_namespace("a")
    to_new = flows(old, just_ready_pods, measured_families)
    from_new = flows(just_ready_pods, old, measured_families)
    connectivity.must_work("first connections", to_new + from_new)


@pytest.mark.story("first connection")
@pytest.mark.usefixtures("ipv6_is_measured")
def test_addresses_are_usable_at_once(
    just_ready_pods: tuple[Endpoint, ...], agents: Agents
) -> None:
    """The IPv6 address of a new pod is on its interface, and is not tentative, duplicate or
    deprecated."""
    asked = [
        (pod, agents.ask(pod, protocol.Inspect(), protocol.Inspected, timeout=10))
        for pod in just_ready_pods
    ]
    unusable = interfaces.unusable([(pod, answer.result()) for pod, answer in asked])
    require_none(unusable, Family.IPV6)
