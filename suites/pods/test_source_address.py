"""Pods see each other's own addresses."""

from __future__ import annotations

import pytest

from sixproof.checks.connect.connectivity import Connectivity
from sixproof.model import Family
from sixproof.workloads.probe_pods.topology import ProbeTopology, flows

pytestmark = pytest.mark.feature("Pod-to-pod")


@pytest.mark.story("source address")
def test_a_server_sees_the_address_that_its_client_has(
    topology: ProbeTopology, ip_family: Family, connectivity: Connectivity
) -> None:
    """A server sees a pod's own address: there is no address translation between pods.

    Why: the network model requires it, and policies match on the address that arrives.
    """
    matrix = connectivity.must_work(
        "source addresses", flows(topology.pods, topology.pods, [ip_family])
    )
    connectivity.must_show_clients("pod to pod, source addresses", matrix)
