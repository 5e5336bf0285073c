"""Whom a node sees, and whom a pod sees when a node calls."""

from __future__ import annotations

import pytest

from fixtures.dialling import Dialling
from sixproof.workloads.probe_pods.mesh import Mesh
from sixproof.workloads.services.routing import Target
from sixproof.workloads.services.source import Translation

pytestmark = [pytest.mark.feature("Nodes"), pytest.mark.covers("P3", "L1")]


@pytest.mark.story("source address")
def test_a_node_sees_pods_as_their_pool_lets_them_out(
    mesh: Mesh, node_targets: tuple[Target, ...], dialling: Dialling, translation: Translation
) -> None:
    """A node sees its own pods by their addresses, other nodes' pods by their node's where their
    pool has natOutgoing."""
    pods = mesh.in_namespace("a")
    dialling.must_show_source("pod to node", pods, node_targets, translation)


@pytest.mark.story("source address")
def test_nodes_see_nodes_addresses(
    mesh: Mesh, node_targets: tuple[Target, ...], dialling: Dialling, translation: Translation
) -> None:
    """Between nodes, each sees an address of the other."""
    dialling.must_show_source("node to node", mesh.hosts, node_targets, translation)


@pytest.mark.story("source address")
def test_pods_see_nodes_addresses(
    mesh: Mesh, pod_targets: tuple[Target, ...], dialling: Dialling, translation: Translation
) -> None:
    """A pod sees an address of the node that calls, be it that of a tunnel."""
    dialling.must_show_source("node to pod", mesh.hosts, pod_targets, translation)
