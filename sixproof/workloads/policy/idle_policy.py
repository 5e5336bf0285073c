"""A policy that selects no pod: a change that every node's policy agent must take over, and that
changes nothing for anybody."""

from __future__ import annotations

from sixproof.kube.runs import ownership
from sixproof.workloads.policy.cases import Manifest
from sixproof.workloads.probe_pods.identity import Run

NOBODY = {"sixproof.dev/selects": "nobody"}
"""A label that no pod has."""
FIRST_PORT = 10_000


def idle_policy(run: Run, worker: str, number: int) -> Manifest:
    """The policy of one process, in its `number`-th form: whoever compares it finds it changed."""
    manifest: Manifest = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"idle-{worker}", "namespace": run.namespace("a")},
        "spec": {
            "podSelector": {"matchLabels": NOBODY},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": FIRST_PORT + number}]}],
        },
    }
    return ownership.owned(manifest, run.id)
