"""What a strict owner sets up: taints, odd labels, admission, quotas and a default deny.

System namespaces are left alone, as an owner would. All of it is applied once the bed works, except
the API server's default Pod Security level, which it starts with.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from testbed.variants.variant import Variant

SYSTEM = (
    *("kube-system", "kube-public", "kube-node-lease", "calico-system", "calico-apiserver"),
    *("tigera-operator", "local-path-storage"),
)
ADMISSION = "admission.yaml"
"""The API server's AdmissionConfiguration: a file beside kind's configuration, and on the node."""
FOLDER = "/etc/kubernetes/six"
NAME = "six-staging"
TAINT = "sixproof.test/team=storage:NoSchedule"
HOSTNAME = "kubernetes.io/hostname=host-1.example"
"""Not the node's name, as where a cloud names machines."""
GONE = ("node-role.kubernetes.io/control-plane-", "kubernetes.io/arch-")
NAMESPACE = "team-a"
REQUIRED = (
    "object.spec.containers.all(c, has(c.resources)"
    " && has(c.resources.requests) && has(c.resources.limits)"
    " && 'cpu' in c.resources.requests && 'memory' in c.resources.requests"
    " && 'memory' in c.resources.limits)"
)


def admission() -> dict[str, Any]:
    """Pod Security: restricted wherever a namespace does not define another level."""
    levels = dict.fromkeys(("enforce", "audit", "warn"), "restricted")
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [
            {
                "name": "PodSecurity",
                "configuration": {
                    "apiVersion": "pod-security.admission.config.k8s.io/v1",
                    "kind": "PodSecurityConfiguration",
                    "defaults": levels,
                    "exemptions": {"namespaces": list(SYSTEM)},
                },
            }
        ],
    }


def cluster_configuration() -> dict[str, object]:
    """kubeadm's part of it (v1beta3, where arguments are a map)."""
    volume = {"name": "six-admission", "hostPath": FOLDER, "mountPath": FOLDER, "readOnly": True}
    return {
        "kind": "ClusterConfiguration",
        "apiServer": {
            "extraArgs": {"admission-control-config-file": f"{FOLDER}/{ADMISSION}"},
            "extraVolumes": [{**volume, "pathType": "Directory"}],
        },
    }


def node_commands(variant: Variant) -> Iterator[tuple[str, ...]]:
    """kubectl commands for nodes: one worker is normal except for its hostname, one has a taint,
    the last is cordoned; no node has the usual labels."""
    first, *_, tainted, cordoned = variant.nodes[1:]
    yield "taint", "--overwrite", "node", tainted, TAINT
    yield "cordon", cordoned
    yield "label", "--overwrite", "node", first, HOSTNAME
    for node in variant.nodes:
        yield "label", "node", node, *GONE


def objects() -> list[dict[str, Any]]:
    """Admission and network policies, and a team's namespace with its limits.

    Quotas belong to a namespace: adding them to each new one would take a controller. Pods that
    state no memory, which a memory quota would refuse, are refused everywhere by the admission
    policy.
    """
    inside = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": list(SYSTEM)}
    pods = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["pods"],
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        *(limits for home in ("default", NAMESPACE) for limits in _limits(home)),
        _admission_object(
            "ValidatingAdmissionPolicy",
            {
                "failurePolicy": "Fail",
                "matchConstraints": {
                    "namespaceSelector": {"matchExpressions": [inside]},
                    "resourceRules": [pods],
                },
                "validations": [
                    {
                        "expression": REQUIRED,
                        "message": "every container must request cpu and memory, and limit memory",
                    }
                ],
            },
        ),
        _admission_object(
            "ValidatingAdmissionPolicyBinding",
            {"policyName": NAME, "validationActions": ["Deny"]},
        ),
        _default_deny(),
    ]


def _admission_object(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    version = "admissionregistration.k8s.io/v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": NAME}, "spec": spec}


def _limits(home: str) -> Iterator[dict[str, Any]]:
    about = {"name": NAME, "namespace": home}
    hard = {"pods": "10", "requests.cpu": "2", "requests.memory": "1Gi", "limits.memory": "2Gi"}
    yield {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": about,
        "spec": {"hard": {**hard, "services.nodeports": "0", "services.loadbalancers": "0"}},
    }
    least = {"cpu": "10m", "memory": "16Mi"}
    container = {
        "type": "Container",
        "defaultRequest": least,
        "default": {"memory": "128Mi"},
        "min": least,
        "max": {"cpu": "1", "memory": "512Mi"},
    }
    yield {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": about,
        "spec": {"limits": [container]},
    }


def _default_deny() -> dict[str, Any]:
    """Deny everything both ways except queries to the cluster's DNS."""
    names = ", ".join(f'"{name}"' for name in SYSTEM)
    dns = {
        "namespaceSelector": 'projectcalico.org/name == "kube-system"',
        "selector": 'k8s-app == "kube-dns"',
        "ports": [53],
    }
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": "GlobalNetworkPolicy",
        "metadata": {"name": NAME},
        "spec": {
            "namespaceSelector": f"projectcalico.org/name not in {{{names}}}",
            "types": ["Ingress", "Egress"],
            "egress": [
                {"action": "Allow", "protocol": protocol, "destination": dns}
                for protocol in ("UDP", "TCP")
            ],
        },
    }
