"""EndpointSlices: which addresses are behind a service, and which should be."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable

from sixproof.errors import Subject
from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.model import Family, IPAddress, Protocol
from sixproof.workloads.services.manifests import Service

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Behind:
    """One ready address behind a service, on one of its ports: ``IPv6 TCP fd00::1 8080``."""

    family: Family
    protocol: Protocol
    port: int
    address: IPAddress

    def __str__(self) -> str:
        return f"{self.family} {self.protocol} {self.address} port {self.port}"


def listed(cluster: Cluster, service: Service) -> frozenset[Behind]:
    """What the EndpointSlices of a service list as ready (absent conditions mean ready).

    Raises:
        ApiError: they cannot be read.
    """
    labels = f"{SERVICE_NAME}={service.name}"
    return ready(cluster.list(resources.ENDPOINT_SLICE, service.namespace, labels=labels))


@dataclasses.dataclass(frozen=True, slots=True)
class ListingSlice:
    """An EndpointSlice, and the name of its manager ("" for none)."""

    namespace: str
    name: str
    keeper: str

    @property
    def subject(self) -> Subject:
        """It, as what a verdict is about."""
        return Subject("EndpointSlice", f"{self.namespace}/{self.name}")

    def __str__(self) -> str:
        return f"EndpointSlice {self.name} ({self.keeper or 'kept by no controller'})"


def sources(cluster: Cluster, service: Service) -> dict[Behind, ListingSlice]:
    """What the EndpointSlices of a service list as ready, each with the slice that lists it.

    Raises:
        ApiError: they cannot be read.
    """
    labels = f"{SERVICE_NAME}={service.name}"
    slices = cluster.list(resources.ENDPOINT_SLICE, service.namespace, labels=labels)
    return {entry: _listing(found) for found in slices for entry in ready([found])}


def _listing(found: Manifest) -> ListingSlice:
    keeper = json_fields.labels(found).get(MANAGED_BY, "")
    return ListingSlice(json_fields.namespace(found), json_fields.name(found), keeper)


def wanted(cluster: Cluster, service: Service) -> frozenset[Behind]:
    """What they must list: the podIPs of the service's ready pods, in its families.

    Pods that are not ready count for a service that publishes them. A target port's name is looked
    up in each pod.

    Raises:
        ApiError: the pods cannot be read.
    """
    return selected(cluster.list(resources.POD, service.namespace, labels=service.labels), service)


def incomplete(cluster: Cluster, services: Iterable[Service]) -> tuple[str, ...]:
    """The services whose EndpointSlices do not list what they must; two requests per namespace.

    Raises:
        ApiError: slices or pods cannot be read.
    """
    homes: defaultdict[str, list[Service]] = defaultdict(list)
    for service in services:
        if service.selector:
            homes[service.namespace].append(service)
    found: list[str] = []
    for home, residents in homes.items():
        slices = cluster.list(resources.ENDPOINT_SLICE, home)
        pods = cluster.list(resources.POD, home)
        for service in residents:
            own = [s for s in slices if json_fields.labels(s).get(SERVICE_NAME) == service.name]
            if ready(own) != selected(pods, service):
                found.append(service.name)
    return tuple(found)


def ready(slices: Iterable[Manifest]) -> frozenset[Behind]:
    """The ready addresses of some EndpointSlices, each with each port of its slice."""
    return frozenset(
        Behind(Family(found["addressType"]), protocol, port, address)
        for found in slices
        if found.get("addressType") in set(Family)
        for protocol, port in _ports(found)
        for entry in json_fields.entries(found, "endpoints")
        if json_fields.flag(entry, "conditions", "ready") is not False
        for address in json_fields.addresses(json_fields.strings(entry, "addresses"))
    )


def selected(pods: Iterable[Manifest], service: Service) -> frozenset[Behind]:
    """The addresses that a service selects among these pods of its namespace."""
    return frozenset(
        Behind(Family.of(address), port.protocol, number, address)
        for pod in pods
        if set(service.selector) <= set(json_fields.labels(pod).items())
        and _counts(pod, service.publishes_unready)
        for address in _pod_ips(pod)
        if Family.of(address) in service.families
        for port in service.ports
        for number in [_number(pod, port.target, port.protocol)]
        if number
    )


def _counts(pod: Manifest, unready_too: bool) -> bool:
    if json_fields.text(pod, "metadata", "deletionTimestamp"):
        return False
    if json_fields.text(pod, "status", "phase") in ("Succeeded", "Failed"):
        return False
    return unready_too or json_fields.text(json_fields.condition(pod, "Ready"), "status") == "True"


def _pod_ips(pod: Manifest) -> tuple[IPAddress, ...]:
    return json_fields.addresses(
        json_fields.text(e, "ip") for e in json_fields.entries(pod, "status", "podIPs")
    )


def _number(pod: Manifest, target: str, protocol: Protocol) -> int | None:
    if target.isdigit():
        return int(target)
    for container in json_fields.entries(pod, "spec", "containers"):
        for port in json_fields.entries(container, "ports"):
            if port.get("name") == target and port.get("protocol", "TCP") == protocol:
                return json_fields.number(port, "containerPort")
    return None


def _ports(found: Manifest) -> list[tuple[Protocol, int]]:
    return [
        (
            Protocol(json_fields.text(port, "protocol") or "TCP"),
            json_fields.number(port, "port") or 0,
        )
        for port in json_fields.entries(found, "ports")
    ]
