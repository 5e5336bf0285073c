"""The cluster can be tested: it is reachable, permissions are granted, required families are
present."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fixtures.options import Settings
from fixtures.run.state import RunState
from sixproof.agent import protocol
from sixproof.errors import Subject
from sixproof.kube.channel.agents import Agents
from sixproof.model import ClusterFacts, Family
from sixproof.reporting.diagnosis.evidence import require_none
from sixproof.workloads.probe_pods.topology import ProbeTopology

pytestmark = pytest.mark.feature("Preflight")

NoFinding = Callable[..., None]


@pytest.mark.quick
@pytest.mark.story("permissions")
def test_the_harness_may_do_what_it_needs(no_finding: NoFinding) -> None:
    """Every permission that a run needs is granted.

    Why: a refusal in the middle of a run would look like a fault of the cluster. `--six-plan`
    prints the rules to grant.
    """
    no_finding("permissions")


@pytest.mark.quick
@pytest.mark.story("version")
@pytest.mark.covers("P2")
def test_the_version_has_stable_dual_stack(no_finding: NoFinding) -> None:
    """The API server is version 1.23 or later, where dual stack is stable (KEP-563)."""
    no_finding("kubernetes-version")


@pytest.mark.quick
@pytest.mark.story("nodes")
@pytest.mark.covers("P3")
def test_nodes_are_ready(no_finding: NoFinding) -> None:
    """At least one node is Ready and can run probe pods."""
    no_finding("nodes-ready")


@pytest.mark.quick
@pytest.mark.story("nodes")
@pytest.mark.covers("P3")
def test_every_node_has_an_address_of_each_required_family(
    no_finding: NoFinding, facts: ClusterFacts, settings: Settings
) -> None:
    """Every node has an InternalIP of each family that the cluster must have."""
    no_finding("node-family")
    missing = {
        f"{node.name} has no {family} InternalIP": Subject.of_node(node.name)
        for node in facts.nodes
        for family in settings.require_families
        if family not in node.families()
    }
    require_none(missing)


@pytest.mark.quick
@pytest.mark.story("families")
@pytest.mark.covers("P2", "M1")
def test_pods_and_services_get_each_required_family(no_finding: NoFinding) -> None:
    """The cluster assigns pod addresses and service addresses of each required family."""
    no_finding("pod-family", "service-family")


@pytest.mark.quick
@pytest.mark.story("addresses")
@pytest.mark.covers("L5")
def test_ranges_do_not_collide(no_finding: NoFinding) -> None:
    """Pod, service and node ranges do not overlap, and all of them are routable."""
    no_finding("range-overlap", "range-scope")


@pytest.mark.quick
@pytest.mark.story("check-list")
@pytest.mark.parametrize(
    "item",
    [
        pytest.param("ipv6-enabled", marks=pytest.mark.covers("P1", "T2")),
        pytest.param("forwarding", marks=pytest.mark.covers("P1", "T2")),
        pytest.param("accept-ra", marks=pytest.mark.covers("P1", "T2")),
        pytest.param("components", marks=pytest.mark.covers("T1")),
        pytest.param("felix-ipv6", marks=pytest.mark.covers("T1", "T2")),
        pytest.param("pools", marks=pytest.mark.covers("T1")),
        pytest.param("blocks", marks=pytest.mark.covers("T1", "T2")),
        pytest.param("bgp-sessions", marks=pytest.mark.covers("T1", "T2")),
    ],
)
def test_the_check_list_of_ipv6_holds(item: str, item_must_hold: Callable[[str], None]) -> None:
    """The settings that one checks first when IPv6 does not work are right on every node.

    Why: each of these is enough to stop a family's traffic, some only later: a forwarding kernel
    drops the default route of a router advertisement unless accept_ra is 2 (Linux ip-sysctl).
    """
    item_must_hold(item)


@pytest.mark.quick
@pytest.mark.story("probe pods")
def test_every_covered_node_runs_a_probe_pod(no_finding: NoFinding, run_state: RunState) -> None:
    """A restricted probe pod became Ready on every covered node."""
    no_finding("probe-pods")
    assert run_state.topology is not None, f"the run is blocked: {run_state.blockers[0]}"


@pytest.mark.quick
@pytest.mark.story("probe pods")
@pytest.mark.covers("P2")
def test_every_probe_pod_has_an_address_of_each_required_family(
    topology: ProbeTopology, settings: Settings
) -> None:
    """The podIPs of every probe pod include each family that the cluster must have."""
    missing = {
        f"{pod.name} has no {family} address": pod.subject()
        for pod in topology.pods
        for family in settings.require_families
        if family not in pod.families()
    }
    require_none(missing)


@pytest.mark.quick
@pytest.mark.story("policies")
def test_probe_pods_may_talk_to_each_other(open_flows: int) -> None:
    """No policy of the cluster's owner closes every flow of a family between probe pods.

    Why: flows that are denied on purpose cannot be measured; the policy has to exempt the harness.
    """
    assert open_flows == 0


@pytest.mark.quick
@pytest.mark.story("agents")
def test_every_agent_answers_and_listens_on_each_family(
    topology: ProbeTopology, agents: Agents, measured_families: tuple[Family, ...]
) -> None:
    """Every agent is reachable over its control channel and serves its ports in each family."""
    wildcard = {Family.IPV4: "0.0.0.0", Family.IPV6: "[::]"}  # noqa: S104 - what agents report
    asked = [
        (endpoint, agents.ask(endpoint, protocol.Hello(), protocol.Welcome, timeout=30))
        for endpoint in (*topology.pods, *topology.hosts)
    ]
    deaf = {
        f"{endpoint.name} does not listen over {family}": endpoint.subject()
        for endpoint, answer in asked
        for family in measured_families
        if not any(f"/{wildcard[family]}:" in port_spec for port_spec in answer.result().listening)
    }
    require_none(deaf)
