"""Every pod can reach every other pod, over each family and protocol.

Why: the Kubernetes network model requires that pods reach all other pods on any node without NAT;
dual stack requires it of each family on its own (KEP-563).
"""

from __future__ import annotations

import pytest

from sixproof.checks.connect.connectivity import Connectivity
from sixproof.model import Expectation, Family, Flow, Outcome, Protocol
from sixproof.probes.connect.probe import ProbeOptions
from sixproof.workloads.probe_pods.ports import CLOSED_PORT, PortSpec
from sixproof.workloads.probe_pods.topology import (
    ProbeTopology,
    different_nodes,
    flows,
    itself,
    same_node,
)

pytestmark = pytest.mark.feature("Pod-to-pod")


@pytest.mark.story("across nodes")
def test_pods_reach_pods_on_other_nodes(
    topology: ProbeTopology,
    ip_family: Family,
    port_specs: tuple[PortSpec, ...],
    connectivity: Connectivity,
) -> None:
    """A pod reaches every pod on every other node, on every port it serves."""
    pairs = flows(topology.pods, topology.pods, [ip_family], port_specs, where=different_nodes)
    connectivity.must_work("pods across nodes", pairs)


@pytest.mark.story("on one node")
def test_pods_reach_pods_on_their_own_node(
    topology: ProbeTopology,
    ip_family: Family,
    port_specs: tuple[PortSpec, ...],
    connectivity: Connectivity,
) -> None:
    """A pod reaches every other pod on its own node, on every port it serves."""
    pairs = flows(topology.pods, topology.pods, [ip_family], port_specs, where=same_node)
    connectivity.must_work("pods on one node", pairs)


@pytest.mark.story("a pod to itself")
def test_a_pod_reaches_itself_by_its_own_address(
    topology: ProbeTopology,
    ip_family: Family,
    port_specs: tuple[PortSpec, ...],
    connectivity: Connectivity,
) -> None:
    """A pod reaches itself at the address that the API shows for it."""
    pairs = flows(topology.pods, topology.pods, [ip_family], port_specs, where=itself)
    connectivity.must_work("a pod to itself", pairs)


@pytest.mark.story("across namespaces")
def test_pods_reach_pods_of_another_namespace(
    topology: ProbeTopology,
    ip_family: Family,
    port_specs: tuple[PortSpec, ...],
    connectivity: Connectivity,
) -> None:
    """Pods reach pods of another namespace: namespaces by themselves do not separate pods."""
    ours, theirs = topology.in_namespace("a"), topology.in_namespace("b")
    connectivity.must_work("across namespaces", flows(ours, theirs, [ip_family], port_specs))


@pytest.mark.quick
@pytest.mark.story("full mesh")
@pytest.mark.covers("M1")
def test_families_agree_on_every_edge_of_the_full_mesh(
    topology: ProbeTopology,
    measured_families: tuple[Family, ...],
    echo_ports: tuple[PortSpec, ...],
    connectivity: Connectivity,
) -> None:
    """Every pair of pods, port and protocol that works over one family works over the other."""
    pairs = flows(topology.pods, topology.pods, measured_families)
    echoes = flows(topology.pods, topology.pods, measured_families, echo_ports)
    connectivity.must_work("full mesh", pairs + echoes, headline=True)


@pytest.mark.quick
@pytest.mark.story("closed port")
def test_a_closed_port_is_refused_at_once(
    topology: ProbeTopology, ip_family: Family, connectivity: Connectivity
) -> None:
    """A port on which no pod listens refuses TCP and UDP at once instead of leaving the client
    without an answer.

    Why: clients fall back to the other family or another backend at once only if they are refused
    (RFC 4443 section 3.1 code 4, RFC 9293 section 3.5.2).
    """
    closed = [PortSpec(Protocol.TCP, CLOSED_PORT), PortSpec(Protocol.UDP, CLOSED_PORT)]
    pairs = flows(topology.pods, topology.pods, [ip_family], closed)
    options = ProbeOptions(timeout=connectivity.patience, closed=True)
    matrix = connectivity.measure("closed ports", pairs, options)
    connectivity.check(matrix, nothing_listens)


def nothing_listens(flow: Flow) -> Expectation:
    """The destination must refuse: it serves no such port."""
    because = f"{flow.destination.name} does not listen on {flow.port_spec}"
    return Expectation(frozenset({Outcome.REFUSED}), because)
