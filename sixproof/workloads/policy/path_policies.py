"""Policies for paths: only one port between the pods of a set is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sixproof.model import Endpoint
from sixproof.workloads.probe_pods.identity import ROLE, Run
from sixproof.workloads.probe_pods.ports import PortSpec


def default_deny(
    run: Run, namespace: str, pods: Iterable[Endpoint], allowed: Iterable[PortSpec], serial: str
) -> tuple[dict[str, Any], ...]:
    """Manifests: these pods of a namespace are isolated, except for some ports between them.

    Nothing allows ICMP: a Packet Too Big passes as part of the flow that it belongs to. `serial`
    keeps names apart from those of other processes of the run in the same namespace.
    """
    named = [pod.pod for pod in pods]
    chosen = {"matchExpressions": [{"key": ROLE, "operator": "In", "values": named}]}
    ports = [
        {"protocol": port_spec.protocol.value, "port": port_spec.port} for port_spec in allowed
    ]
    both = {"podSelector": chosen, "policyTypes": ["Ingress", "Egress"]}
    peers = [{"podSelector": chosen}]
    one_port = {
        "ingress": [{"from": peers, "ports": ports}],
        "egress": [{"to": peers, "ports": ports}],
    }
    return (
        _policy(run, namespace, f"path-{serial}-default-deny", both),
        _policy(run, namespace, f"path-{serial}-one-port", {**both, **one_port}),
    )


def _policy(run: Run, namespace: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace, "labels": run.labels},
        "spec": spec,
    }
