"""The applications of the cluster's owner: services, and the pods that are ready behind them.

Everything is only read, and what is no pod of the cluster is not dialled.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from sixproof.errors import UsageError
from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.facts.pods import RunningPod, running_pod
from sixproof.kube.runs import ownership
from sixproof.model import Endpoint, EndpointKind, Family, Protocol
from sixproof.policy import NamedPort
from sixproof.workloads.services import manifests
from sixproof.workloads.services.manifests import Service
from sixproof.workloads.services.slices import SERVICE_NAME

SYSTEM = ("kube-", "calico-", "tigera-", "cilium", "metallb-", "local-path-storage")
"""How the names of namespaces begin that belong to the cluster itself."""
API_SERVER = ("default", "kubernetes")
"""The service of the API server, of one family by design: it has the first service range's."""


@dataclasses.dataclass(frozen=True, slots=True)
class ReadyPod:
    """A ready pod behind a service: the number of each of its ports by the service port's name, the
    families in which EndpointSlices list it as ready, and its own named ports."""

    endpoint: Endpoint
    ports: tuple[tuple[str, int], ...]
    families: tuple[Family, ...]
    named: tuple[NamedPort, ...] = ()

    def port(self, name: str) -> int | None:
        """The port behind a port of the service, None where it has none."""
        return dict(self.ports).get(name)


@dataclasses.dataclass(frozen=True, slots=True)
class Application:
    """A service with its ready pods.

    `others` counts endpoints besides them that may answer: what is no pod, and pods that are
    published although they are not Ready. `local` is an internalTrafficPolicy of Local.
    """

    service: Service
    backends: tuple[ReadyPod, ...] = ()
    others: int = 0
    local: bool = False

    @property
    def called(self) -> str:
        """``shop/web``."""
        return f"{self.service.namespace}/{self.service.name}"


def namespaces(cluster: Cluster, wanted: Sequence[str], spared: Collection[str]) -> tuple[str, ...]:
    """The namespaces that are meant: `wanted`, or where it is empty all but those of the cluster
    itself; without those `spared` and those of runs.

    Raises:
        UsageError: there is no such namespace.
        ApiError: they cannot be read.
    """
    found = {
        json_fields.name(one): json_fields.labels(one) for one in cluster.list(resources.NAMESPACE)
    }
    if missing := [name for name in wanted if name not in found]:
        raise UsageError(f"--six-applications: there is no namespace {', '.join(missing)}")
    return tuple(
        name
        for name, labels in sorted(found.items())
        if (name in wanted if wanted else not name.startswith(SYSTEM)) and name not in spared
        if labels.get(ownership.MANAGED_BY) != ownership.MANAGER
    )


def read(cluster: Cluster, homes: Sequence[str]) -> tuple[Application, ...]:
    """The services of these namespaces, three requests for each of them.

    Raises:
        ApiError: services, EndpointSlices or pods cannot be read.
    """
    kinds = (resources.SERVICE, resources.ENDPOINT_SLICE, resources.POD)
    calls = [functools.partial(cluster.list, kind, home) for home in homes for kind in kinds]
    listed = cluster.gather(calls)
    return tuple(
        application
        for services, slices, pods in zip(listed[::3], listed[1::3], listed[2::3], strict=True)
        for application in of_namespace(services, slices, pods)
    )


def of_namespace(
    services: Iterable[Manifest], slices: Iterable[Manifest], pods: Iterable[Manifest]
) -> Iterator[Application]:
    """The applications of one namespace, from what the API server lists there."""
    behind: defaultdict[str, list[Manifest]] = defaultdict(list)
    for one in slices:
        behind[json_fields.labels(one).get(SERVICE_NAME, "")].append(one)
    running = {
        pod.name: (pod, tuple(_named(manifest)))
        for manifest in pods
        if (pod := running_pod(manifest)) is not None
    }
    for manifest in services:
        found = manifests.service(manifest)
        if found.kind != "ExternalName" and (found.namespace, found.name) != API_SERVER:
            local = json_fields.text(manifest, "spec", "internalTrafficPolicy") == "Local"
            yield _application(found, behind[found.name], running, local)


def _named(pod: Manifest) -> Iterator[NamedPort]:
    for container in json_fields.entries(pod, "spec", "containers"):
        for port in json_fields.entries(container, "ports"):
            if name := json_fields.text(port, "name"):
                protocol = json_fields.text(port, "protocol") or "TCP"
                number = json_fields.number(port, "containerPort") or 0
                if protocol in set(Protocol):
                    yield NamedPort(name, Protocol(protocol), number)


def _application(
    service: Service,
    slices: Iterable[Manifest],
    running: Mapping[str, tuple[RunningPod, tuple[NamedPort, ...]]],
    local: bool,
) -> Application:
    ports: defaultdict[str, dict[str, int]] = defaultdict(dict)
    families: defaultdict[str, dict[Family, None]] = defaultdict(dict)
    others: set[str] = set()
    for one in slices:
        if one.get("addressType") not in set(Family):
            continue
        family = Family(one["addressType"])
        numbers = {
            json_fields.text(port, "name"): json_fields.number(port, "port") or 0
            for port in json_fields.entries(one, "ports")
        }
        for entry in json_fields.entries(one, "endpoints"):
            if json_fields.flag(entry, "conditions", "ready") is False:
                continue
            pod = json_fields.text(entry, "targetRef", "name")
            if json_fields.text(entry, "targetRef", "kind") != "Pod" or pod not in running:
                others.update(json_fields.strings(entry, "addresses"))
                continue
            ports[pod] |= numbers
            families[pod][family] = None
    backends = (
        ReadyPod(
            _endpoint(running[name][0]),
            tuple(sorted(ports[name].items())),
            tuple(f for f in Family if f in families[name]),
            running[name][1],
        )
        for name in sorted(families)
    )
    return Application(service, tuple(backends), len(others), local)


def _endpoint(pod: RunningPod) -> Endpoint:
    """A pod as it is dialled: at most one address of a family."""
    first = {Family.of(address): address for address in reversed(pod.addresses)}
    return Endpoint(
        name=f"{pod.namespace}/{pod.name}",
        kind=EndpointKind.HOST if pod.host_network else EndpointKind.POD,
        addresses=tuple(address for address in pod.addresses if address in first.values()),
        namespace=pod.namespace,
        pod=pod.name,
        node=pod.node,
        labels=pod.labels,
        service_account=pod.service_account,
    )


def tcp_ports(service: Service) -> tuple[manifests.ServicePort, ...]:
    """The ports at which a connection shows whether somebody listens; nothing is said about UDP,
    whose servers answer only what they understand."""
    return tuple(port for port in service.ports if port.protocol is Protocol.TCP)
