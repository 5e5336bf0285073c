"""The probe pod: the agent from a ConfigMap on a stock Python image, restricted by Pod Security."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Sequence
from typing import Any

from sixproof.agent.identity import KEY_FILE
from sixproof.workloads.probe_pods import delivery
from sixproof.workloads.probe_pods.identity import ROLE, Run
from sixproof.workloads.probe_pods.ports import HOST_AGENT_PORTS, POD_PORTS, PortSpec

CONFIG_MAP = "sixproof-agent"
SECRET = "sixproof-key"  # noqa: S105 - its name
CONTAINER = "agent"
ENFORCED_LEVEL = "pod-security.kubernetes.io/enforce"
"""The label of a namespace with the Pod Security level of its pods."""
HOME = "/sixproof"
SOCKET = "/run/sixproof/agent.sock"
BRIDGE = delivery.bridge(HOME, SOCKET)
"""The command of the exec stream."""
LISTENS = (*BRIDGE, "listens")
"""The command that ends once the agent listens on every port."""

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
NOBODY = 65534
NET_RAW, NET_ADMIN = "NET_RAW", "NET_ADMIN"

Manifest = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class PodOptions:
    """What the user may decide about probe pods.

    `tolerations` are Kubernetes toleration objects; the default tolerates every taint, so that
    every node is covered.
    """

    image: str
    pull_secret: str = ""
    tolerations: tuple[tuple[tuple[str, str], ...], ...] = ((("operator", "Exists"),),)


@dataclasses.dataclass(frozen=True, slots=True)
class PodSpec:
    """One probe pod: `role` names it, `node` pins it, `labels` are added to the run's,
    `annotations` are the only ones it has.

    One with a `capability` (NET_RAW, NET_ADMIN) is admitted by Pod Security "privileged" only; with
    NET_ADMIN it reads the packet filter and serves no ports.
    """

    role: str
    namespace: str
    node: str
    labels: tuple[tuple[str, str], ...] = ()
    host_network: bool = False
    capability: str = ""
    annotations: tuple[tuple[str, str], ...] = ()

    @property
    def port_specs(self) -> tuple[PortSpec, ...]:
        """What this pod serves."""
        if self.capability == NET_ADMIN:
            return ()
        return HOST_AGENT_PORTS if self.host_network else POD_PORTS


NO_SIDECAR_LABELS = {
    "sidecar.istio.io/inject": "false",
    "istio.io/dataplane-mode": "none",
    "kuma.io/sidecar-injection": "disabled",
}
NO_SIDECAR_ANNOTATIONS = {
    "linkerd.io/inject": "disabled",
    "consul.hashicorp.com/connect-inject": "false",
}
"""What keeps service meshes from putting a proxy into a pod, by the documentation of Istio
(sidecars and ambient mode), Linkerd, Kuma and Consul: it would answer in the agent's place, and
what it carries is not what the network does."""


def agent_config_map(run: Run, namespace: str) -> Manifest:
    """The ConfigMap that carries the agent's files into a namespace."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIG_MAP, "namespace": namespace, "labels": run.labels},
        "data": {delivery.map_key(p): text for p, text in delivery.agent_files().items()},
    }


def key_secret(run: Run, namespace: str) -> Manifest:
    """The Secret that carries the run's key into a namespace: reading Secrets takes more permission
    than reading other objects in a namespace. It cannot change under an agent that has read it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": namespace, "labels": run.labels},
        "type": "Opaque",
        "immutable": True,
        "data": {KEY_FILE: base64.b64encode(run.key.encode()).decode()},
    }


def namespace(run: Run, role: str, level: str = "restricted") -> Manifest:
    """A namespace of the run that enforces a Pod Security Standard."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": run.namespace(role),
            "labels": {
                **run.labels,
                ROLE: role,
                ENFORCED_LEVEL: level,
                "pod-security.kubernetes.io/warn": level,
            },
        },
    }


def pod(run: Run, spec: PodSpec, options: PodOptions) -> Manifest:
    """The Pod manifest of a probe pod."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": spec.role,
            "namespace": spec.namespace,
            "labels": {**run.labels, **NO_SIDECAR_LABELS, ROLE: spec.role, **dict(spec.labels)},
            "annotations": {**NO_SIDECAR_ANNOTATIONS, **dict(spec.annotations)},
        },
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",  # a restarted agent would have lost its arrival log
            "terminationGracePeriodSeconds": 0,
            "hostNetwork": spec.host_network,
            "affinity": _pinned_to(spec.node),
            "tolerations": [dict(t) for t in options.tolerations],
            "imagePullSecrets": [{"name": options.pull_secret}] if options.pull_secret else [],
            "securityContext": _pod_security(spec),
            "containers": [_container(spec, options.image)],
            "volumes": [
                {
                    "name": "agent",
                    "projected": {"sources": _sources()},
                },
                {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            ],
        },
    }


def node_of(manifest: Manifest) -> str:
    """The node that a probe pod is pinned to."""
    required = manifest["spec"]["affinity"]["nodeAffinity"][_REQUIRED]
    (node,) = required["nodeSelectorTerms"][0]["matchFields"][0]["values"]
    return str(node)


def _sources() -> list[Manifest]:
    """The agent's files and its key, each at its path."""
    files = [{"key": delivery.map_key(path), "path": path} for path in delivery.agent_files()]
    key = {"key": KEY_FILE, "path": delivery.KEY_PATH}
    return [
        {"configMap": {"name": CONFIG_MAP, "items": files}},
        {"secret": {"name": SECRET, "items": [key]}},
    ]


def _container(spec: PodSpec, image: str) -> Manifest:
    port_specs: Sequence[PortSpec] = spec.port_specs
    return {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [*delivery.SERVE, SOCKET, *map(str, port_specs)],
        "workingDir": HOME,
        # Until it ends the kubelet considers no pod ready: ready means listening. A probe would run
        # again and again, or cross the network under test.
        "lifecycle": {"postStart": {"exec": {"command": list(LISTENS)}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "env": [
            {"name": "SIXPROOF_POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
        ],
        "ports": [
            {
                "name": port_spec.port_name,
                "containerPort": port_spec.port,
                "protocol": port_spec.protocol.value,
            }
            for port_spec in port_specs
        ],
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"memory": "256Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], **_added(spec)},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [
            {"name": "agent", "mountPath": HOME, "readOnly": True},
            {"name": "run", "mountPath": "/run/sixproof"},
        ],
    }


def _added(spec: PodSpec) -> Manifest:
    return {"add": [spec.capability]} if spec.capability else {}


def _pod_security(spec: PodSpec) -> Manifest:
    user = 0 if spec.capability else NOBODY  # the runtime gives capabilities to root only
    security: Manifest = {
        "runAsNonRoot": not spec.capability,
        "runAsUser": user,
        "runAsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if (
        not spec.host_network
    ):  # a safe sysctl, needed for unprivileged echo; refused with hostNetwork
        security["sysctls"] = [{"name": "net.ipv4.ping_group_range", "value": "0 2147483647"}]
    return security


def _pinned_to(node: str) -> Manifest:
    """Affinity to one node by its object name; unlike nodeName it lets the scheduler refuse."""
    expression = {"key": "metadata.name", "operator": "In", "values": [node]}
    required = {"nodeSelectorTerms": [{"matchFields": [expression]}]}
    return {"nodeAffinity": {_REQUIRED: required}}
