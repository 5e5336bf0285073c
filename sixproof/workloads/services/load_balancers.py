"""Load balancers: services of type LoadBalancer, and what must answer at their addresses.

Semantics: Service v1 API (externalTrafficPolicy, healthCheckNodePort, loadBalancerSourceRanges,
allocateLoadBalancerNodePorts), KEP-1860 (ipMode), KEP-563 (families), and kube-proxy's
implementation: it applies source ranges family by family.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sixproof.errors import ApiError, NotAsked
from sixproof.kube.api import json_fields, resources, wait
from sixproof.kube.api.client import Cluster
from sixproof.model import Endpoint, Family, IPAddress, IPNetwork
from sixproof.workloads.probe_pods.topology import ProbeTopology
from sixproof.workloads.services.backends import GROUP
from sixproof.workloads.services.families import FamilyPolicy, FamilyWish
from sixproof.workloads.services.kube_proxy import KubeProxy
from sixproof.workloads.services.manifests import Manifest, Service, load, service
from sixproof.workloads.services.routing import FrontendType, ServiceTarget, at_addresses
from sixproof.workloads.services.shared_services import ROLE

MANIFEST = "load-balancer.yaml"
CLUSTER, LOCAL = "balanced", "balanced-local"
"""Services of every family with externalTrafficPolicy Cluster, and Local with one backend."""
WITHOUT_NODE_PORTS = "balanced-no-node-port"
ADMITS, DENIES = "balanced-admits", "balanced-denies"
"""Services whose source ranges contain the client outside, or contain no client."""
ONE_FAMILY = {family: f"balanced-denies-{family.lower()}" for family in Family}
"""Those with such a range of one family only."""
WISHES = {
    f"balanced-{wish.name}": wish
    for wish in (
        FamilyWish(FamilyPolicy.SINGLE, (Family.IPV4,)),
        FamilyWish(FamilyPolicy.SINGLE, (Family.IPV6,)),
        FamilyWish(FamilyPolicy.REQUIRE, (Family.IPV6, Family.IPV4)),
    )
}
"""Services that request families."""
NOBODY = {Family.IPV4: "203.0.113.0/24", Family.IPV6: "2001:db8:ffff::/48"}
"""Documentation ranges, from which nothing sends (RFC 5737, RFC 3849)."""

_REFUSED = 422
_VIP = ("", "VIP")


@dataclasses.dataclass(frozen=True)
class LoadBalancers:
    """Services of type LoadBalancer as they were when all had their addresses, or `seconds` after
    their creation. Those that a cluster cannot grant (RequireDualStack of one family) are missing.
    """

    services: Mapping[str, Service]
    seconds: float

    @property
    def none_assigned(self) -> bool:
        """Whether none of them has an address or a host name."""
        return not any(found.ingress for found in self.services.values())


def create(
    cluster: Cluster,
    topology: ProbeTopology,
    manifests: Path,
    client: Endpoint | None,
    timeout: float,
) -> LoadBalancers:
    """Create the services, or find them, and wait for their addresses at most `timeout` seconds.

    They are in the namespace of the shared services and have their backends. `client` is the one
    that a service with source ranges admits.

    Raises:
        ApiError: the API server refused what it must grant.
    """
    home = topology.run.namespace(ROLE)
    wanted = _manifests(topology, home, manifests, client)
    made = cluster.gather(functools.partial(_apply, cluster, manifest) for manifest in wanted)
    names = {found.name for found in made if found is not None}

    def look() -> dict[str, Service]:
        listed = map(service, cluster.list(resources.SERVICE, home))
        return {found.name: found for found in listed if found.name in names}

    waited = wait.until(look, lambda seen: not any(map(lacking, seen.values())), timeout=timeout)
    return LoadBalancers(waited.value, waited.seconds)


def must_be_assigned(found: LoadBalancers) -> LoadBalancers:
    """The services, where a provider assigns them addresses.

    Raises:
        NotAsked: no provider does on this cluster, or one assigns host names instead.
    """
    enable = "MetalLB, IPPools of Calico for LoadBalancer, or a cloud's controller; on the test "
    enable += "bed --six-variant bgp"
    if found.none_assigned:
        why = "services of type LoadBalancer are given no address: none of "
        why += f"{len(found.services)} had one after the settle time-out"
        raise NotAsked(why, enable)
    if not any(one.load_balancer_addresses for one in found.services.values()):
        raise NotAsked("load balancers are given names of hosts here, no addresses", enable)
    return found


def amiss(found: Service, inside: Sequence[IPNetwork] = ()) -> str:
    """What is wrong with the addresses of a service's load balancer, "" where nothing is.

    It must have an address of each of its families and of no other, and none from the ranges of
    pods and services (`inside`). Their order is free: the API does not specify it, and Calico's
    follows none.
    """
    if any(one.host for one in found.ingress):
        return ""
    given = found.load_balancer_addresses
    foreign = [str(a) for a in given if Family.of(a) not in found.families]
    taken = [
        f"{a} of {n}" for a in given for n in inside if Family.of(n) is Family.of(a) and a in n
    ]
    has = f"has {' and '.join(map(str, given)) or 'none'}"
    if none := lacking(found):
        return f"{found.name} ({found.policy}) has no {' and no '.join(none)} address: it {has}"
    if foreign:
        return f"{found.name} ({found.policy}) has {', '.join(foreign)}, of a family it has not"
    if taken:
        return f"{found.name} has {', '.join(taken)}, a range of pods or services"
    modes = {one.mode for one in found.ingress} - {*_VIP, "Proxy"}
    return f"{found.name} has ipMode {', '.join(sorted(modes))} (KEP-1860)" if modes else ""


def lacking(found: Service) -> tuple[Family, ...]:
    """The families of a service of which its load balancer has no address."""
    if any(one.host for one in found.ingress):
        return ()
    given = {Family.of(a) for a in found.load_balancer_addresses}
    return tuple(f for f in found.families if f not in given)


def bars(found: Service, address: IPAddress) -> str:
    """Why a service's source ranges bar an address, "" where they do not.

    kube-proxy applies the ranges of the packet's own family; where there is none, or one of length
    0, all clients of that family are admitted (pkg/proxy/serviceport.go).
    """
    family = Family.of(address)
    mine = [n for n in found.source_ranges if Family.of(n) is family]
    if not mine or any(n.prefixlen == 0 or address in n for n in mine):
        return ""
    ranges = ", ".join(map(str, mine))
    return f"loadBalancerSourceRanges of {found.name} hold {ranges}, not {address}"


def at_load_balancer(
    found: Service,
    backends: tuple[Endpoint, ...],
    proxy: KubeProxy,
    *,
    local: bool = False,
    announced: str = "",
) -> tuple[ServiceTarget, ...]:
    """A service at every address of its load balancer."""
    return at_addresses(
        found,
        found.load_balancer_addresses,
        FrontendType.LOAD_BALANCER,
        backends,
        proxy,
        local=local,
        announced=announced,
    )


def for_client(
    target: ServiceTarget, found: Service, client: Endpoint
) -> tuple[ServiceTarget, ...]:
    """The same for a client, a target for each family, since source ranges may bar one only."""
    targets = []
    for address in target.endpoint.addresses:
        family = Family.of(address)
        own = client.address(family)
        if own is None:
            continue
        name = f"{target.endpoint.name} over {family}"
        endpoint = dataclasses.replace(target.endpoint, name=name, addresses=(address,))
        targets.append(dataclasses.replace(target, endpoint=endpoint, barred=bars(found, own)))
    return tuple(targets)


def _manifests(
    topology: ProbeTopology, home: str, folder: Path, client: Endpoint | None
) -> list[Manifest]:
    both = FamilyWish(FamilyPolicy.PREFER).spec()
    own = client.addresses if client else ()
    admitted = [f"{a}/{a.max_prefixlen}" for a in own] or list(NOBODY.values())
    specs: dict[str, dict[str, Any]] = {
        CLUSTER: both,
        LOCAL: {
            **both,
            "externalTrafficPolicy": "Local",
            "selector": {GROUP: "web", "sixproof.dev/place": "first"},
        },
        WITHOUT_NODE_PORTS: {**both, "allocateLoadBalancerNodePorts": False},
        ADMITS: {**both, "loadBalancerSourceRanges": admitted},
        DENIES: {**both, "loadBalancerSourceRanges": list(NOBODY.values())},
        **{
            name: {**both, "loadBalancerSourceRanges": [NOBODY[family]]}
            for family, name in ONE_FAMILY.items()
        },
        **{name: wish.spec() for name, wish in WISHES.items()},
    }
    return [
        load(folder / MANIFEST, topology.run, home, name=name, **spec)
        for name, spec in specs.items()
    ]


def _apply(cluster: Cluster, manifest: Manifest) -> Service | None:
    """The service, None where the API server refuses its families."""
    try:
        return service(cluster.apply(manifest))
    except ApiError as error:
        if error.status != _REFUSED or json_fields.name(manifest) not in WISHES:
            raise
        return None
