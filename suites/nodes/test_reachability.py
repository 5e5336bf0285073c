"""Nodes reach nodes, pods and services, and pods reach nodes, over each family."""

from __future__ import annotations

import pytest

from sixproof.checks.connect.connectivity import Connectivity
from sixproof.checks.services.service_checks import ServiceChecks
from sixproof.errors import Subject
from sixproof.model import Family, NodeFacts
from sixproof.reporting.diagnosis.evidence import require_none
from sixproof.workloads.probe_pods.ports import HOST_AGENT_PORTS, ICMP
from sixproof.workloads.probe_pods.topology import ProbeTopology, different_nodes, flows, same_node
from sixproof.workloads.services.routing import ServiceTarget

pytestmark = [pytest.mark.feature("Nodes"), pytest.mark.covers("P3")]

PORT_SPECS = (*HOST_AGENT_PORTS, ICMP)
Families = tuple[Family, ...]


@pytest.mark.story("addresses")
def test_every_node_has_an_internal_ip(
    ip_family: Family, covered_nodes: tuple[NodeFacts, ...]
) -> None:
    """Every node has an InternalIP of each family that pods have.

    Why: without it a node's NodePorts, host-network pods and kubelet are absent in that family.
    """
    lacking = {
        f"node {node.name} has no {ip_family} InternalIP": Subject.of_node(node.name)
        for node in covered_nodes
        if node.address(ip_family) is None
    }
    require_none(lacking, ip_family)


@pytest.mark.story("addresses")
def test_host_network_pods_have_their_nodes_addresses(
    topology: ProbeTopology, covered_nodes: tuple[NodeFacts, ...]
) -> None:
    """The podIPs of a host-network pod are its node's first InternalIP of each family."""
    pods = {host.node: set(host.addresses) for host in topology.hosts}
    differing = [
        (node.name, address)
        for node in covered_nodes
        for address in pods.get(node.name, set()) ^ set(map(node.address, node.families()))
        if address is not None
    ]
    wrong = {
        f"node {name}: {address} is of the node or of its host-network pod, not of both": (
            Subject.of_node(name, str(address))
        )
        for name, address in differing
    }
    require_none(wrong, *sorted({Family.of(address) for _, address in differing}))


@pytest.mark.quick
@pytest.mark.story("node to node")
def test_nodes_reach_nodes(
    topology: ProbeTopology, measured_families: Families, connectivity: Connectivity
) -> None:
    """Every node reaches every node, including itself, at its InternalIPs."""
    pairs = flows(topology.hosts, topology.hosts, measured_families, PORT_SPECS)
    connectivity.must_work("node to node", pairs, headline=True)


@pytest.mark.quick
@pytest.mark.story("pod to node")
def test_pods_reach_their_own_node(
    topology: ProbeTopology, measured_families: Families, connectivity: Connectivity
) -> None:
    """A pod reaches its own node at each of its InternalIPs.

    Why: node-local agents (DNS caches, metrics) are reached this way.
    """
    pairs = flows(topology.pods, topology.hosts, measured_families, PORT_SPECS, where=same_node)
    connectivity.must_work("pod to its own node", pairs)


@pytest.mark.quick
@pytest.mark.story("pod to node")
def test_pods_reach_other_nodes(
    topology: ProbeTopology, measured_families: Families, connectivity: Connectivity
) -> None:
    """A pod reaches every other node at each of its InternalIPs."""
    pairs = flows(
        topology.pods, topology.hosts, measured_families, PORT_SPECS, where=different_nodes
    )
    connectivity.must_work("pod to other nodes", pairs)


@pytest.mark.quick
@pytest.mark.story("node to pod")
def test_nodes_reach_pods(
    topology: ProbeTopology, measured_families: Families, connectivity: Connectivity
) -> None:
    """From the host network of every node, every pod answers."""
    connectivity.must_work("node to pod", flows(topology.hosts, topology.pods, measured_families))


@pytest.mark.quick
@pytest.mark.story("node to service")
def test_nodes_reach_cluster_ips(
    topology: ProbeTopology, web: ServiceTarget, service_checks: ServiceChecks
) -> None:
    """From the host network of every node, a service answers at its clusterIP of each family.

    Why: webhooks, image pulls and node agents call services this way.
    """
    service_checks.must_answer("node to clusterIP", topology.hosts, [web])
