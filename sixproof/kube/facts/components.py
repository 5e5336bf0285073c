"""The cluster's own pods that carry traffic or answer for it, and their settings."""

from __future__ import annotations

import dataclasses
import functools

from sixproof.errors import ApiError
from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.runs import ownership

SYSTEM = "kube-system"
COMPONENTS = {"kube-proxy": "kube-proxy", "kube-dns": "CoreDNS", "calico-node": "calico-node"}
"""Components by the value of their label k8s-app."""
_SETTINGS = {
    "kube-proxy": ("kube-proxy", "config.conf"),
    "Corefile": ("coredns", "Corefile"),
}
_LONGEST = 20_000
"""Characters of a setting that are kept."""


@dataclasses.dataclass(frozen=True)
class ComponentPod:
    """A pod of the cluster's own: `component` is what it is (``kube-proxy``, ``CoreDNS``, ...),
    `started` an ISO 8601 time, `addresses` its podIPs."""

    component: str
    namespace: str
    name: str
    node: str
    ready: bool
    restarts: int = 0
    started: str = ""
    addresses: list[str] = dataclasses.field(default_factory=list)


def pods(cluster: Cluster, cni_namespace: str = "") -> tuple[list[ComponentPod], list[str]]:
    """Those pods, and what could not be read."""
    labels = f"k8s-app in ({', '.join(COMPONENTS)})"
    spaces = dict.fromkeys(filter(None, (SYSTEM, cni_namespace, "calico-system")))
    problems: list[str] = []
    found: list[Manifest] = []
    for space in spaces:
        try:
            found += cluster.list(resources.POD, space, labels=labels)
        except ApiError as error:
            problems.append(f"pods of {space}: {error}")
    return [_pod(manifest) for manifest in found], problems


@dataclasses.dataclass(frozen=True)
class StrayEndpoint:
    """A ready address of an EndpointSlice that no pod of its namespace has, nor a node. `kept_by`
    names the controller that keeps the slice, "" where none does."""

    namespace: str
    service: str
    slice: str
    address: str
    kept_by: str = ""


def stray_endpoints(cluster: Cluster, run_id: str) -> tuple[list[StrayEndpoint], list[str]]:
    """Those of the services of a run, and what could not be read."""
    try:
        homes = cluster.list(resources.NAMESPACE, labels=ownership.selector(run_id))
        names = [json_fields.name(home) for home in homes]
        slices = cluster.gather(
            [functools.partial(cluster.list, resources.ENDPOINT_SLICE, name) for name in names]
        )
        held = cluster.gather(
            [functools.partial(cluster.list, resources.POD, name) for name in names]
        )
    except ApiError as error:
        return [], [f"EndpointSlices of the run: {error}"]
    known = {
        json_fields.text(entry, "ip")
        for pods_of_home in held
        for manifest in pods_of_home
        for entry in json_fields.entries(manifest, "status", "podIPs")
    }
    found = [
        StrayEndpoint(
            json_fields.namespace(one),
            json_fields.labels(one).get("kubernetes.io/service-name", ""),
            json_fields.name(one),
            address,
            json_fields.labels(one).get("endpointslice.kubernetes.io/managed-by", ""),
        )
        for slices_of_home in slices
        for one in slices_of_home
        for entry in json_fields.entries(one, "endpoints")
        if json_fields.flag(entry, "conditions", "ready") is not False
        for address in json_fields.strings(entry, "addresses")
        if address not in known
    ]
    return found, []


def _pod(manifest: Manifest) -> ComponentPod:
    statuses = json_fields.entries(manifest, "status", "containerStatuses")
    ready = json_fields.condition(manifest, "Ready")
    addresses = json_fields.entries(manifest, "status", "podIPs")
    return ComponentPod(
        component=COMPONENTS[json_fields.labels(manifest)["k8s-app"]],
        namespace=json_fields.namespace(manifest),
        name=json_fields.name(manifest),
        node=json_fields.text(manifest, "spec", "nodeName"),
        ready=json_fields.text(ready, "status") == "True",
        restarts=sum(json_fields.number(s, "restartCount") or 0 for s in statuses),
        started=json_fields.text(manifest, "status", "startTime"),
        addresses=[json_fields.text(entry, "ip") for entry in addresses],
    )


def settings(cluster: Cluster) -> tuple[dict[str, str], list[str]]:
    """The texts of the components' settings by name, and what could not be read."""
    found: dict[str, str] = {}
    problems: list[str] = []
    for name, (config_map, key) in _SETTINGS.items():
        try:
            held = cluster.get(resources.CONFIG_MAP, config_map, SYSTEM)
        except ApiError as error:
            problems.append(f"settings of {name}: {error}")
        else:
            found[name] = json_fields.text(held, "data", key)[:_LONGEST]
    return found, problems
