"""Raw pods: pods that may send and capture whole packets, in their own namespace.

NET_RAW is beyond what "baseline" admits, so the namespace is "privileged"; otherwise the pods are
restricted: no service-account token, read-only root, every other capability dropped. They run as
root because a container runtime gives capabilities to root only.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from sixproof import yaml_text
from sixproof.kube.api.client import Cluster
from sixproof.kube.facts import pods as kube_pods
from sixproof.kube.runs import ownership
from sixproof.model import Endpoint
from sixproof.workloads.probe_pods.deploy import endpoint_of, pod_name
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.probe_pod import NET_RAW, Manifest, PodOptions, PodSpec, pod
from sixproof.workloads.services.backends import open_namespace

GUARDED = "sixproof.dev/guarded"
ROLES = ("raw", "guarded")
"""Pods that no policy isolates, and pods that a policy of the tests selects."""


def build(
    cluster: Cluster,
    run: Run,
    serial: str,
    nodes: Sequence[str],
    options: PodOptions,
    timeout: float,
) -> dict[str, tuple[Endpoint, ...]]:
    """One pod of each role per node, in a namespace of this process only; they go with the run.

    Raises:
        ApiError: the cluster does not admit such pods.
        NotReady: one did not become ready in `timeout` seconds.
    """
    home = open_namespace(cluster, run, f"raw-{serial}", options, "privileged")
    specs = {
        role: [
            PodSpec(pod_name(role, node), home, node, ((GUARDED, _word(role)),), capability=NET_RAW)
            for node in nodes
        ]
        for role in ROLES
    }
    every = [spec for row in specs.values() for spec in row]
    cluster.gather([functools.partial(cluster.apply, pod(run, s, options)) for s in every])
    ready = kube_pods.wait_ready(cluster, home, run.selector, [s.role for s in every], timeout)
    return {
        role: tuple(endpoint_of(ready[spec.role], role) for spec in row)
        for role, row in specs.items()
    }


def guard(path: Path, run: Run, namespace: str) -> Manifest:
    """The policy of a file, owned by a run, in the namespace of its raw pods."""
    owned = ownership.owned(yaml_text.document(path.read_text(encoding="utf-8")), run.id)
    owned["metadata"]["namespace"] = namespace
    return owned


def _word(role: str) -> str:
    return "yes" if role == "guarded" else "no"
