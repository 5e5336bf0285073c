"""The bed's small network plugin (testbed/kindnet) as objects: its account, its permissions, and
its pods. kind's node image has kind's own, which kind itself installs."""

from __future__ import annotations

from typing import Any

from testbed.build.recipes import KINDNET_IMAGE
from testbed.variants.variant import Variant

NAME = "kindnet"
"""Also the name of kind's DaemonSet: it identifies a cluster's network plugin."""
NAMESPACE = "kube-system"
CONFIG = "/etc/cni/net.d"
MAY_READ = {"": ["namespaces", "nodes", "pods"], "networking.k8s.io": ["networkpolicies"]}


def objects(variant: Variant) -> list[dict[str, Any]]:
    """ServiceAccount, read permission for what rules are made from, and a pod on every node."""
    rbac = "rbac.authorization.k8s.io"
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": NAME},
            "rules": [
                {"apiGroups": [group], "resources": kinds, "verbs": ["list", "watch"]}
                for group, kinds in MAY_READ.items()
            ],
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": NAME},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": NAME},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
        },
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"k8s-app": NAME}},
            "spec": {
                "selector": {"matchLabels": {"k8s-app": NAME}},
                "template": {"metadata": {"labels": {"k8s-app": NAME}}, "spec": pod(variant)},
            },
        },
    ]


def pod(variant: Variant) -> dict[str, Any]:
    """Privileged: it enables forwarding on the node, which requires write access to /proc/sys.

    It is Ready once the node has its CNI configuration, which comes after rules and routes.
    """
    container = {
        "name": NAME,
        "image": KINDNET_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "env": [
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "POD_RANGES", "value": ",".join(variant.pod_subnets)},
        ],
        "securityContext": {"privileged": True},
        "readinessProbe": {
            "exec": {"command": ["test", "-s", f"{CONFIG}/10-{NAME}.conflist"]},
            "periodSeconds": 2,
        },
        "volumeMounts": [{"name": "cni", "mountPath": CONFIG}],
    }
    return {
        "serviceAccountName": NAME,
        "priorityClassName": "system-node-critical",
        "hostNetwork": True,
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [{"name": "cni", "hostPath": {"path": CONFIG, "type": "DirectoryOrCreate"}}],
    }
