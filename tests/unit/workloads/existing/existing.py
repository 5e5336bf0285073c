"""Policies that stand, without a cluster: what a fake API would list of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
import yaml

from sixproof.kube.facts import policies
from sixproof.model import Endpoint, EndpointKind
from sixproof.policy import CALICO, Node
from sixproof.workloads.existing.policies import ExistingPolicies
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.topology import ProbeTopology
from tests.unit.workloads.two_nodes import NODES, pod

RUN = Run("abc")
SYSTEM = 'projectcalico.org/name not in {"kube-system"}'
DENY_ALL = f"""
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {{name: closed}}
spec: {{namespaceSelector: '{SYSTEM}', types: [Ingress, Egress]}}
"""
FROM_A = f"""
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {{name: half}}
spec:
  namespaceSelector: '{SYSTEM}'
  types: [Ingress]
  ingress:
    - action: Allow
      source: {{namespaceSelector: "sixproof.dev/role == 'a'"}}
"""
ONLY_IPV4 = f"""
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {{name: no-six}}
spec:
  namespaceSelector: '{SYSTEM}'
  types: [Ingress, Egress]
  ingress: [{{action: Allow, ipVersion: 4}}]
  egress: [{{action: Allow, ipVersion: 4}}]
"""
BY_ADMISSION = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: six-abc-%s}
spec: {podSelector: {}, policyTypes: [Ingress]}
"""


class Api:
    """Lists policies, and holds the labels of namespaces; `asked` are the namespaces of each
    reading."""

    def __init__(self, *texts: str) -> None:
        self.manifests = [m for text in texts for m in yaml.safe_load_all(text) if m]
        self.asked: list[tuple[str, ...]] = []

    def find(self, _kind: object, name: str) -> Mapping[str, Any]:
        """A namespace."""
        return {"metadata": {"labels": {"sixproof.dev/role": name.rpartition("-")[2]}}}

    def existing(self, namespaces: Iterable[str]) -> tuple[Any, ...]:
        """Cluster-wide policies, and those of these namespaces."""
        self.asked.append(tuple(namespaces))
        return tuple(
            m for m in self.manifests if m["metadata"].get("namespace", "") in ("", *namespaces)
        )


def existing(monkeypatch: pytest.MonkeyPatch, *texts: str) -> tuple[ExistingPolicies, Api]:
    """The policies of these texts, and the API that was asked for them."""
    api = Api(*texts)
    monkeypatch.setattr(policies, "existing", lambda _, namespaces: api.existing(namespaces))
    nodes = [Node(n.name, n.addresses) for n in NODES.values()]
    cluster: Any = api
    return ExistingPolicies(cluster, nodes, CALICO), api


def mesh_pod(role: str, node: str) -> Endpoint:
    """A probe pod."""
    return dataclasses.replace(pod(role, node, 10 + ord(role[0])), namespace=RUN.namespace(role))


def host(node: str) -> Endpoint:
    """A host-network agent."""
    return Endpoint(
        name=f"host@{node}",
        kind=EndpointKind.HOST,
        addresses=NODES[node].addresses,
        namespace=RUN.namespace("host"),
        node=node,
    )


MESH = ProbeTopology(
    RUN,
    tuple(mesh_pod(role, node) for role in "abc" for node in NODES),
    tuple(host(node) for node in NODES),
)
