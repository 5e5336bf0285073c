"""The source address that a node sees from pods and nodes, and that a pod sees from nodes."""

from __future__ import annotations

import pytest

from sixproof.checks.services.service_checks import ServiceChecks
from sixproof.workloads.probe_pods.topology import ProbeTopology
from sixproof.workloads.services.routing import ServiceTarget
from sixproof.workloads.services.source import Translation

pytestmark = [pytest.mark.feature("Nodes"), pytest.mark.covers("P3", "L1")]


@pytest.mark.story("source address")
def test_a_node_sees_pods_as_nat_outgoing_of_their_pool_says(
    topology: ProbeTopology,
    node_targets: tuple[ServiceTarget, ...],
    service_checks: ServiceChecks,
    translation: Translation,
) -> None:
    """A node sees its own pods with their pod addresses, and pods of other nodes with their node's
    address if their pool has natOutgoing."""
    pods = topology.in_namespace("a")
    service_checks.must_show_source("pod to node", pods, node_targets, translation)


@pytest.mark.story("source address")
def test_nodes_see_nodes_addresses(
    topology: ProbeTopology,
    node_targets: tuple[ServiceTarget, ...],
    service_checks: ServiceChecks,
    translation: Translation,
) -> None:
    """A node sees connections from another node with one of that node's addresses."""
    service_checks.must_show_source("node to node", topology.hosts, node_targets, translation)


@pytest.mark.story("source address")
def test_pods_see_nodes_addresses(
    topology: ProbeTopology,
    pod_targets: tuple[ServiceTarget, ...],
    service_checks: ServiceChecks,
    translation: Translation,
) -> None:
    """A pod sees connections from a node with one of that node's addresses, which may be that of a
    tunnel."""
    service_checks.must_show_source("node to pod", topology.hosts, pod_targets, translation)
