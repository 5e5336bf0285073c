"""Services: a manifest as the run applies it, and the service that the API server made of it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sixproof import yaml_text
from sixproof.errors import ManifestError, Subject
from sixproof.kube.api import json_fields
from sixproof.kube.runs import ownership
from sixproof.model import Endpoint, EndpointKind, Family, IPAddress, IPNetwork, NodeFacts, Protocol
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.ports import PortSpec

Manifest = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class ServicePort:
    """One port: `target` is the container port's number or name, `node_port` None without one."""

    name: str
    protocol: Protocol
    port: int
    target: str
    node_port: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Ingress:
    """An entry of `status.loadBalancer.ingress`: an address, or the name of a `host`. `mode` is its
    ipMode (KEP-1860), "" where the API server has none."""

    address: IPAddress | None = None
    host: str = ""
    mode: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Service:
    """A service as the API server completed it. `selector` are sorted pairs, empty without one.

    `ingress`, `health_port` (healthCheckNodePort), `source_ranges` (loadBalancerSourceRanges) and
    `load_balancer_class` are those of type LoadBalancer; `external_ips` are its externalIPs.
    """

    name: str
    namespace: str
    kind: str
    policy: str
    families: tuple[Family, ...]
    cluster_ips: tuple[IPAddress, ...]
    ports: tuple[ServicePort, ...]
    selector: tuple[tuple[str, str], ...] = ()
    headless: bool = False
    publishes_unready: bool = False
    ingress: tuple[Ingress, ...] = ()
    health_port: int | None = None
    source_ranges: tuple[IPNetwork, ...] = ()
    load_balancer_class: str = ""
    external_ips: tuple[IPAddress, ...] = ()

    def subject(self, part: str = "") -> Subject:
        """It, or a part of it, as what a verdict is about."""
        return Subject("Service", f"{self.namespace}/{self.name}", part=part)

    @property
    def labels(self) -> str:
        """Its selector in kubectl's spelling."""
        return ",".join(f"{k}={v}" for k, v in self.selector)

    @property
    def port_specs(self) -> tuple[PortSpec, ...]:
        """The ports that it serves at its clusterIPs."""
        return tuple(PortSpec(p.protocol, p.port) for p in self.ports)

    @property
    def node_port_specs(self) -> tuple[PortSpec, ...]:
        """The ports that it serves at every node."""
        return tuple(PortSpec(p.protocol, p.node_port) for p in self.ports if p.node_port)

    @property
    def load_balancer_addresses(self) -> tuple[IPAddress, ...]:
        """The addresses that a load balancer has for it, in the order of its status."""
        return tuple(one.address for one in self.ingress if one.address is not None)

    def endpoint(self) -> Endpoint:
        """The service at its clusterIPs."""
        return Endpoint(
            name=self.name,
            kind=EndpointKind.SERVICE,
            addresses=self.cluster_ips,
            namespace=self.namespace,
        )

    def at(self, node: NodeFacts) -> tuple[Endpoint, ...]:
        """The service at every InternalIP of a node, ``web at worker``: an endpoint for the first
        of each family, another one for the second of each, and so on."""
        return tuple(
            Endpoint(
                name=f"{self.name} at {node.name}" + (f" ({number})" if number > 1 else ""),
                kind=EndpointKind.SERVICE,
                addresses=addresses,
                namespace=self.namespace,
                node=node.name,
            )
            for number, addresses in enumerate(by_turns(node.addresses), 1)
        )


def load(path: Path, run: Run, namespace: str, **metadata_and_spec: Any) -> Manifest:
    """The one service of a file, owned by a run, in a namespace.

    `name` replaces its name; every other argument is a field of its `spec`.

    Raises:
        ManifestError: the file does not hold one Service.
    """
    manifest = yaml_text.document(path.read_text(encoding="utf-8"))
    if json_fields.text(manifest, "kind") != "Service":
        raise ManifestError("kind", f"{path.name} must hold one Service")
    owned = ownership.owned(manifest, run.id)
    name = metadata_and_spec.pop("name", json_fields.name(owned))
    owned["metadata"].update(name=name, namespace=namespace)
    owned["spec"].update(metadata_and_spec)
    return owned


def service(manifest: Mapping[str, Any]) -> Service:
    """The service of an object that the API server gave back."""
    spec = json_fields.mapping(manifest, "spec")
    ips = json_fields.strings(spec, "clusterIPs")
    return Service(
        name=json_fields.name(manifest),
        namespace=json_fields.namespace(manifest),
        kind=json_fields.text(spec, "type"),
        policy=json_fields.text(spec, "ipFamilyPolicy"),
        families=tuple(
            Family(f) for f in json_fields.strings(spec, "ipFamilies") if f in set(Family)
        ),
        cluster_ips=json_fields.addresses(ips),
        ports=tuple(map(_port, json_fields.entries(spec, "ports"))),
        selector=tuple(
            sorted((k, str(v)) for k, v in json_fields.mapping(spec, "selector").items())
        ),
        headless="None" in ips,
        publishes_unready=json_fields.flag(spec, "publishNotReadyAddresses") or False,
        ingress=tuple(
            map(_ingress, json_fields.entries(manifest, "status", "loadBalancer", "ingress"))
        ),
        health_port=json_fields.number(spec, "healthCheckNodePort") or None,
        source_ranges=json_fields.networks(
            text.strip() for text in json_fields.strings(spec, "loadBalancerSourceRanges")
        ),
        load_balancer_class=json_fields.text(spec, "loadBalancerClass"),
        external_ips=json_fields.addresses(json_fields.strings(spec, "externalIPs")),
    )


def _ingress(entry: Manifest) -> Ingress:
    return Ingress(
        address=json_fields.address(json_fields.text(entry, "ip")),
        host=json_fields.text(entry, "hostname"),
        mode=json_fields.text(entry, "ipMode"),
    )


def _port(entry: Manifest) -> ServicePort:
    return ServicePort(
        name=json_fields.text(entry, "name"),
        protocol=Protocol(json_fields.text(entry, "protocol") or "TCP"),
        port=json_fields.number(entry, "port") or 0,
        target=json_fields.text(entry, "targetPort"),
        node_port=json_fields.number(entry, "nodePort"),
    )


def by_turns(addresses: tuple[IPAddress, ...]) -> list[tuple[IPAddress, ...]]:
    """The first address of each family together, then the second ones, and so on."""
    rows = [[a for a in addresses if Family.of(a) is family] for family in Family]
    turns = itertools.zip_longest(*rows)
    return [tuple(a for a in turn if a is not None) for turn in turns]
