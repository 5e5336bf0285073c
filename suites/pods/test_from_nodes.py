"""Nodes reach pods, on their own node and on others."""

from __future__ import annotations

import pytest

from sixproof.checks.connect.connectivity import Connectivity
from sixproof.model import Family
from sixproof.workloads.probe_pods.topology import ProbeTopology, different_nodes, flows, same_node

pytestmark = pytest.mark.feature("Pod-to-pod")


@pytest.mark.story("from a node")
def test_a_node_reaches_its_own_pods(
    topology: ProbeTopology, ip_family: Family, connectivity: Connectivity
) -> None:
    """From the host network, every pod of the same node answers.

    Why: kubelet's probes come this way.
    """
    pairs = flows(topology.hosts, topology.pods, [ip_family], where=same_node)
    connectivity.must_work("node to its own pods", pairs)


@pytest.mark.story("from a node")
def test_a_node_reaches_pods_of_other_nodes(
    topology: ProbeTopology, ip_family: Family, connectivity: Connectivity
) -> None:
    """From the host network, every pod of every other node answers.

    Why: the API server reaches webhooks and aggregated APIs this way.
    """
    pairs = flows(topology.hosts, topology.pods, [ip_family], where=different_nodes)
    connectivity.must_work("node to pods of other nodes", pairs)
