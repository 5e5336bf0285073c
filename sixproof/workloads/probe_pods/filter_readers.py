"""Filter readers: pods in the host network of nodes that may read the packet filter (NET_ADMIN).

The kernel shows only these which rules drop, what they counted, and whom IP sets hold. They are
created only after a failure, in the namespace of the host agents, and are removed with the run.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from sixproof.kube.api.client import Cluster
from sixproof.kube.facts import pods as kube_pods
from sixproof.model import Endpoint
from sixproof.workloads.probe_pods.deploy import endpoint_of, pod_name
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.probe_pod import NET_ADMIN, PodOptions, PodSpec, pod
from sixproof.workloads.probe_pods.topology import HOST_ROLE

ROLE = "filter"
PATIENCE = 8.0
"""Seconds in which they may become ready."""


def build(
    cluster: Cluster, run: Run, nodes: Sequence[str], options: PodOptions, timeout: float
) -> tuple[Endpoint, ...]:
    """One per node; those that do not become ready in `timeout` seconds are missing.

    Raises:
        ApiError: the cluster does not admit such pods.
    """
    home = run.namespace(HOST_ROLE)
    specs = [
        PodSpec(pod_name(ROLE, node), home, node, host_network=True, capability=NET_ADMIN)
        for node in nodes
    ]
    cluster.gather([functools.partial(cluster.apply, pod(run, spec, options)) for spec in specs])
    settled = kube_pods.settle(cluster, home, run.selector, [spec.role for spec in specs], timeout)
    return tuple(endpoint_of(ready, ROLE) for ready in settled.ready.values())
