"""The truth about names: services as the API server shows them at the time of the question."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable

from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.model import Family, IPAddress

SERVICE_NAME = "kubernetes.io/service-name"


@dataclasses.dataclass(frozen=True, slots=True)
class TrueEndpoint:
    """An address behind a service, as an EndpointSlice lists it."""

    address: IPAddress
    hostname: str = ""
    ready: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class TruePort:
    """A port of a service; only named ones have SRV records."""

    name: str
    protocol: str
    number: int


@dataclasses.dataclass(frozen=True, slots=True)
class TrueService:
    """A service as the API shows it now. `cluster_ips` is empty for headless ones, `alias` the
    target of an ExternalName."""

    namespace: str
    name: str
    cluster_ips: tuple[IPAddress, ...] = ()
    headless: bool = False
    alias: str = ""
    ports: tuple[TruePort, ...] = ()
    endpoints: tuple[TrueEndpoint, ...] = ()

    def __str__(self) -> str:
        return f"Service {self.namespace}/{self.name}"

    def fqdn(self, zone: str) -> str:
        """The service's name, absolute (2.3.1, 2.4.1)."""
        return f"{self.name}.{self.namespace}.svc.{zone}."

    def ready(self) -> tuple[TrueEndpoint, ...]:
        """The endpoints that count (2.1: those that an EndpointSlice shows as ready)."""
        return tuple(e for e in self.endpoints if e.ready)

    def addresses(self, family: Family) -> tuple[IPAddress, ...]:
        """The addresses of a family that its name must lead to."""
        behind = [e.address for e in self.ready()] if self.headless else self.cluster_ips
        return tuple(a for a in behind if Family.of(a) is family)

    @property
    def source(self) -> str:
        """Where its addresses come from."""
        return f"{'ready endpoints' if self.headless else 'clusterIPs'} of {self}"


def read(cluster: Cluster, namespace: str, selector: str = "") -> dict[str, TrueService]:
    """The services of a namespace by name, as the API server shows them now.

    Raises:
        ApiError: they cannot be read.
    """
    services, slices = cluster.gather(
        (
            lambda: cluster.list(resources.SERVICE, namespace, labels=selector),
            lambda: cluster.list(resources.ENDPOINT_SLICE, namespace, labels=selector),
        )
    )
    return parse(services, slices)


def parse(services: Iterable[Manifest], slices: Iterable[Manifest]) -> dict[str, TrueService]:
    """The services of API objects, with the endpoints of the slices that belong to each."""
    behind: dict[str, list[TrueEndpoint]] = defaultdict(list)
    for found in slices:
        behind[json_fields.labels(found).get(SERVICE_NAME, "")] += _endpoints(found)
    return {json_fields.name(s): _service(s, behind[json_fields.name(s)]) for s in services}


def _service(found: Manifest, endpoints: Iterable[TrueEndpoint]) -> TrueService:
    ips = json_fields.strings(found, "spec", "clusterIPs")
    return TrueService(
        namespace=json_fields.namespace(found),
        name=json_fields.name(found),
        cluster_ips=json_fields.addresses(ips),
        headless="None" in ips,
        alias=json_fields.text(found, "spec", "externalName"),
        ports=tuple(
            TruePort(
                json_fields.text(port, "name"),
                (json_fields.text(port, "protocol") or "TCP").lower(),
                json_fields.number(port, "port") or 0,
            )
            for port in json_fields.entries(found, "spec", "ports")
        ),
        endpoints=tuple(dict.fromkeys(endpoints)),
    )


def _endpoints(found: Manifest) -> list[TrueEndpoint]:
    return [
        TrueEndpoint(
            address,
            json_fields.text(entry, "hostname"),
            json_fields.flag(entry, "conditions", "ready") is not False,  # absent means ready
        )
        for entry in json_fields.entries(found, "endpoints")
        for address in json_fields.addresses(json_fields.strings(entry, "addresses"))
    ]
