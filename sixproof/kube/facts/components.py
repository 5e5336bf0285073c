"""The cluster's own pods that carry traffic or report on it, and their settings."""

from __future__ import annotations

import dataclasses
import functools

from sixproof.errors import ApiError
from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.facts import events
from sixproof.kube.runs import ownership

SYSTEM = "kube-system"
_COREDNS = "CoreDNS"
COMPONENTS = {"kube-proxy": "kube-proxy", "kube-dns": _COREDNS, "calico-node": "calico-node"}
"""Components by the value of their label k8s-app."""
_SETTINGS = {
    "kube-proxy": ("kube-proxy", "config.conf"),
    "Corefile": ("coredns", "Corefile"),
}
_LONGEST = 20_000
"""Characters of a setting that are kept."""
_WORDS = 200
"""Characters of what the API says of a pod's end, and of a path."""


@dataclasses.dataclass(frozen=True)
class HealthCheck:
    """Where a pod says over HTTP how it is: `path` begins with a slash. `declared` says that a
    probe of its own asks there; else it is where such pods usually say it."""

    port: int
    path: str
    declared: bool = True


_USUAL = {
    "livenessProbe": HealthCheck(8080, "/health", declared=False),
    "readinessProbe": HealthCheck(8181, "/ready", declared=False),
}
"""Of CoreDNS, by its probes: where its plugins health and ready answer unless told otherwise."""


@dataclasses.dataclass(frozen=True)
class ComponentPod:
    """One of the cluster's own pods: `component` is what it is (``kube-proxy``, ``CoreDNS``, ...),
    `started` an ISO 8601 time, `addresses` its podIPs. `checks` are those of CoreDNS; the health of
    other components is asked on their nodes' loopback."""

    component: str
    namespace: str
    name: str
    node: str
    ready: bool
    restarts: int = 0
    started: str = ""
    addresses: list[str] = dataclasses.field(default_factory=list)
    checks: list[HealthCheck] = dataclasses.field(default_factory=list)


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
    """A ready address of an EndpointSlice that neither a pod of its namespace nor a node has.
    `kept_by` names the controller that manages the slice, "" for none."""

    namespace: str
    service: str
    slice: str
    address: str
    kept_by: str = ""


@dataclasses.dataclass(frozen=True)
class EndedPod:
    """A pod of a run whose `container` ended, or which the kubelet or the API server ended as a
    whole (""): `how` gives the reason in their words, `when` is an ISO 8601 time or ""."""

    namespace: str
    name: str
    node: str
    how: str
    container: str = ""
    when: str = ""


@dataclasses.dataclass(frozen=True)
class RunSeen:
    """What the API shows of a run's own objects that may explain a failure; `problems` list what
    could not be read."""

    strays: list[StrayEndpoint] = dataclasses.field(default_factory=list)
    ended: list[EndedPod] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)


def of_run(cluster: Cluster, run_id: str) -> RunSeen:
    """The EndpointSlices of a run that lead to no pod, and its pods that ended."""
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
        return RunSeen(problems=[f"pods and EndpointSlices of the run: {error}"])
    manifests = [manifest for pods_of_home in held for manifest in pods_of_home]
    strays = _strays([one for slices_of_home in slices for one in slices_of_home], manifests)
    return RunSeen(strays, [end for manifest in manifests for end in _ends(manifest)])


def _strays(slices: list[Manifest], manifests: list[Manifest]) -> list[StrayEndpoint]:
    known = {
        json_fields.text(entry, "ip")
        for manifest in manifests
        for entry in json_fields.entries(manifest, "status", "podIPs")
    }
    return [
        StrayEndpoint(
            json_fields.namespace(one),
            json_fields.labels(one).get("kubernetes.io/service-name", ""),
            json_fields.name(one),
            address,
            json_fields.labels(one).get("endpointslice.kubernetes.io/managed-by", ""),
        )
        for one in slices
        for entry in json_fields.entries(one, "endpoints")
        if json_fields.flag(entry, "conditions", "ready") is not False
        for address in json_fields.strings(entry, "addresses")
        if address not in known
    ]


def _ends(manifest: Manifest) -> list[EndedPod]:
    """How a pod ended, nothing where it did not."""
    where = (
        json_fields.namespace(manifest),
        json_fields.name(manifest),
        json_fields.text(manifest, "spec", "nodeName"),
    )
    phase, reason, message = (
        json_fields.text(manifest, "status", key) for key in ("phase", "reason", "message")
    )
    if phase == "Failed" and reason:
        return [EndedPod(*where, ": ".join(filter(None, (reason, message)))[:_WORDS])]
    return [
        EndedPod(
            *where,
            how[:_WORDS],
            json_fields.text(one, "name"),
            json_fields.text(one, "state", "terminated", "finishedAt"),
        )
        for one in json_fields.entries(manifest, "status", "containerStatuses")
        if (how := events.how_ended(one))
    ]


def _pod(manifest: Manifest) -> ComponentPod:
    statuses = json_fields.entries(manifest, "status", "containerStatuses")
    ready = json_fields.condition(manifest, "Ready")
    addresses = json_fields.entries(manifest, "status", "podIPs")
    component = COMPONENTS[json_fields.labels(manifest)["k8s-app"]]
    return ComponentPod(
        component=component,
        namespace=json_fields.namespace(manifest),
        name=json_fields.name(manifest),
        node=json_fields.text(manifest, "spec", "nodeName"),
        ready=json_fields.text(ready, "status") == "True",
        restarts=sum(json_fields.number(s, "restartCount") or 0 for s in statuses),
        started=json_fields.text(manifest, "status", "startTime"),
        addresses=[json_fields.text(entry, "ip") for entry in addresses],
        checks=_checks(manifest) if component == _COREDNS else [],
    )


def _checks(manifest: Manifest) -> list[HealthCheck]:
    """Where CoreDNS says how it is: as its probes ask, else where it usually is."""
    containers = json_fields.entries(manifest, "spec", "containers")
    return [
        next((found for one in containers if (found := _declared(one, probe))), usual)
        for probe, usual in _USUAL.items()
    ]


def _declared(container: Manifest, probe: str) -> HealthCheck | None:
    """Where a probe of a container asks the pod over HTTP, None where it does not."""
    asked = json_fields.mapping(container, probe, "httpGet")
    if json_fields.text(asked, "scheme") == "HTTPS" or json_fields.text(asked, "host"):
        return None
    named = {
        json_fields.text(one, "name"): json_fields.number(one, "containerPort")
        for one in json_fields.entries(container, "ports")
    }
    port = json_fields.number(asked, "port") or named.get(json_fields.text(asked, "port"))
    path = json_fields.text(asked, "path") or "/"
    plain = path.isascii() and path.isprintable() and " " not in path and len(path) <= _WORDS
    if not port or not 0 < port < 65536 or not plain:
        return None
    return HealthCheck(port, f"/{path.removeprefix('/')}")


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
