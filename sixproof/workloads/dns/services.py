"""Services whose names are looked up: every family policy, headless, aliases, many addresses.

They exist side by side in one of the run's namespaces and need no traffic. Names carry a token, so
that several processes of a run do not collide. Addresses of hand-made EndpointSlices are
documentation addresses (RFC 3849, RFC 5737), which are unreachable.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sixproof.model import Family
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.ports import TCP

Manifest = dict[str, Any]

SET = "sixproof.dev/dns"
"""The label with the token, on every object of a set."""
PART = "sixproof.dev/dns-part"
BACKEND, UNREADY = "backend", "unready"
SERVICE_NAME = "kubernetes.io/service-name"
SLICE_MANAGER = "endpointslice.kubernetes.io/managed-by"

STACKS = {
    "v46": (Family.IPV4, Family.IPV6),
    "v64": (Family.IPV6, Family.IPV4),
    "v4": (Family.IPV4,),
    "v6": (Family.IPV6,),
}
"""Families of a service, in the order in which it names them."""

MANY = 120
"""Addresses of one family behind the service with a big answer."""
PORTS = (("web", "TCP", 80), ("echo", "UDP", 80))
"""Named ports of every service: name, protocol, number. Pods serve both on their first port."""

V4_BLOCKS = {"hosts": "203.0.113", "big": "198.51.100", "moving": "192.0.2", "sentinel": "192.0.2"}
V6_BLOCKS = {part: number for number, part in enumerate(V4_BLOCKS)}


@dataclasses.dataclass(frozen=True, slots=True)
class ManualEndpoint:
    """An entry of a hand-made EndpointSlice: the address is the block's, number `host`."""

    host: int
    hostname: str = ""
    ready: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class NameSet:
    """A set of services. `families` are those that the cluster gives to services, the default
    one first."""

    run: Run
    namespace: str
    families: tuple[Family, ...]
    token: str = dataclasses.field(default_factory=lambda: secrets.token_hex(2))

    @property
    def selector(self) -> str:
        """A label selector for the set's objects."""
        return f"{SET}={self.token}"

    def name(self, part: str) -> str:
        """The name of one of its services."""
        return f"{part}-{self.token}"

    def stacks(self) -> dict[str, tuple[Family, ...]]:
        """The family policies that this cluster can grant."""
        return {k: v for k, v in STACKS.items() if set(v) <= set(self.families)}

    def cluster_ip(self) -> tuple[str, ...]:
        """The names of its services with clusterIPs, one per family policy."""
        return tuple(self.name(f"clusterip-{stack}") for stack in self.stacks())

    def headless(self) -> tuple[str, ...]:
        """The names of its headless services with pods behind them, one per family policy."""
        return tuple(self.name(f"headless-{stack}") for stack in self.stacks())

    def labels(self, part: str = "") -> dict[str, str]:
        """The labels of one of its objects."""
        return {**self.run.labels, SET: self.token, **({PART: part} if part else {})}

    def address(self, part: str, family: Family, host: int) -> str:
        """A documentation address for a hand-made endpoint of one of its services."""
        if family is Family.IPV4:
            return f"{V4_BLOCKS[part]}.{host}"
        return f"2001:db8:{int(self.token, 16):x}:{V6_BLOCKS[part] + 1:x}::{host:x}"

    def backends(self) -> dict[str, int]:
        """How many ready endpoints a backend pod is worth, by name of service."""
        counts = {f"headless-{stack}": len(families) for stack, families in self.stacks().items()}
        return {self.name(part): count for part, count in counts.items()}


HOSTS = (
    ManualEndpoint(1, "left"),
    ManualEndpoint(2, "right"),
    ManualEndpoint(3, "gone", ready=False),
)
MOVING_BEFORE = (ManualEndpoint(1), ManualEndpoint(2), ManualEndpoint(3, ready=False))
MOVING_AFTER = (ManualEndpoint(2, ready=False), ManualEndpoint(3), ManualEndpoint(4))
"""One endpoint is removed, one becomes unready, one becomes ready, one is added."""


def services(names: NameSet, alias_target: str) -> list[Manifest]:
    """The services; `alias_target` is the target of the ExternalName."""
    pods = {SET: names.token, PART: BACKEND}
    unready = {SET: names.token, PART: UNREADY}
    made = []
    for stack, families in names.stacks().items():
        made.append(service(names, f"clusterip-{stack}", families, pods))
        made.append(service(names, f"headless-{stack}", families, pods, headless=True))
    every = names.families
    made += [
        service(names, part, every, None, headless=True)
        for part in ("hosts", "big", "moving", "empty")
    ]
    published = service(names, "published", every, unready, headless=True)
    published["spec"]["publishNotReadyAddresses"] = True
    made += [published, service(names, "unpublished", every, unready, headless=True)]
    made.append(
        _object(names, "v1", "Service", names.name("alias"), "alias")
        | {"spec": {"type": "ExternalName", "externalName": alias_target}}
    )
    return made


def service(
    names: NameSet,
    part: str,
    families: Sequence[Family],
    selector: Mapping[str, str] | None,
    *,
    headless: bool = False,
) -> Manifest:
    """One service; without a selector its EndpointSlices are hand-made."""
    port_spec = TCP
    spec: Manifest = {
        "ipFamilyPolicy": "RequireDualStack" if len(families) > 1 else "SingleStack",
        "ipFamilies": [f.value for f in families],
        "ports": [
            {"name": name, "protocol": protocol, "port": number, "targetPort": port_spec.port}
            for name, protocol, number in PORTS
        ],
    }
    if selector is not None:
        spec["selector"] = dict(selector)
    if headless:
        spec["clusterIP"] = "None"
    return _object(names, "v1", "Service", names.name(part), part) | {"spec": spec}


def slices(names: NameSet) -> list[Manifest]:
    """The hand-made EndpointSlices."""
    many = tuple(ManualEndpoint(host) for host in range(1, MANY + 1))
    parts = {"hosts": HOSTS, "big": many, "moving": MOVING_BEFORE}
    return [
        slice_of(names, part, family, endpoints)
        for part, endpoints in parts.items()
        for family in names.families
    ]


def slice_of(
    names: NameSet,
    part: str,
    family: Family,
    endpoints: Iterable[ManualEndpoint],
    name: str = "",
) -> Manifest:
    """A hand-made EndpointSlice of one of the services; `name` is the service's where it is not
    the part's own."""
    owner = name or names.name(part)
    made = _object(names, "discovery.k8s.io/v1", "EndpointSlice", f"{owner}-{family.lower()}", part)
    made["metadata"]["labels"] |= {SERVICE_NAME: owner, SLICE_MANAGER: "sixproof.dev"}
    return made | {
        "addressType": family.value,
        "ports": [{"name": n, "protocol": p, "port": number} for n, p, number in PORTS],
        "endpoints": [
            {
                "addresses": [names.address(part, family, e.host)],
                "conditions": {"ready": e.ready},
                **({"hostname": e.hostname} if e.hostname else {}),
            }
            for e in endpoints
        ],
    }


def sentinel(names: NameSet, number: int) -> tuple[str, list[Manifest]]:
    """A service that did not exist before, with its name and its slices, for `settle`."""
    name = names.name(f"sentinel{number}")
    made = service(names, f"sentinel{number}", names.families, None, headless=True)
    behind = [
        slice_of(names, "sentinel", family, (ManualEndpoint(254),), name)
        for family in names.families
    ]
    return name, [made, *behind]


ANYWHERE = {Family.IPV4: "0.0.0.0/0", Family.IPV6: "::/0"}


def only_dns(names: NameSet, namespace: str, selector: Mapping[str, str]) -> Manifest:
    """A policy by which backend pods may send to the DNS pods, on port 53, and nowhere else.

    `selector` are the DNS pods' labels, in `namespace`.
    """
    peer = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "podSelector": {"matchLabels": dict(selector)},
    }
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    return _egress(names, "only-dns", {"to": [peer], "ports": ports})


def only_family(names: NameSet, family: Family) -> Manifest:
    """A policy by which backend pods may send over one family, and over the other nothing."""
    block = {"ipBlock": {"cidr": ANYWHERE[family]}}
    return _egress(names, f"only-{family.lower()}", {"to": [block]})


def _egress(names: NameSet, part: str, rule: Manifest) -> Manifest:
    spec = {
        "podSelector": {"matchLabels": {SET: names.token, PART: BACKEND}},
        "policyTypes": ["Egress"],
        "egress": [rule],
    }
    made = _object(names, "networking.k8s.io/v1", "NetworkPolicy", names.name(part), part)
    return made | {"spec": spec}


def _object(names: NameSet, api_version: str, kind: str, name: str, part: str) -> Manifest:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": names.namespace, "labels": names.labels(part)},
    }
