"""Fresh pods: created for one test and removed with it."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

from sixproof.kube.api import resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.facts import pods as kube_pods
from sixproof.model import Endpoint
from sixproof.workloads.probe_pods.deploy import endpoint_of, pod_name
from sixproof.workloads.probe_pods.probe_pod import PodOptions, PodSpec, pod
from sixproof.workloads.probe_pods.topology import ProbeTopology


@contextlib.contextmanager
def pods(
    cluster: Cluster,
    topology: ProbeTopology,
    options: PodOptions,
    *,
    role: str = "a",
    timeout: float,
) -> Iterator[tuple[Endpoint, ...]]:
    """One new probe pod on every node of the probe topology, in one of its namespaces.

    Raises:
        NotReady: a pod did not become ready in `timeout` seconds.
    """
    namespace, batch = topology.run.namespace(role), secrets.token_hex(2)
    specs = [
        PodSpec(
            role=pod_name(f"new{batch}", node),
            namespace=namespace,
            node=node,
            labels=(("sixproof.dev/batch", batch),),
        )
        for node in topology.nodes
    ]
    try:
        for spec in specs:
            cluster.apply(pod(topology.run, spec, options))
        names = [spec.role for spec in specs]
        ready = kube_pods.wait_ready(
            cluster, namespace, f"sixproof.dev/batch={batch}", names, timeout
        )
        yield tuple(endpoint_of(ready[name], f"new-{role}") for name in names)
    finally:
        cluster.delete_all(resources.POD, namespace, labels=f"sixproof.dev/batch={batch}", grace=0)
