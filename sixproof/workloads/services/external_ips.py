"""External IPs: a service at addresses of ranges that nodes advertise by BGP.

Semantics: Service v1 API (externalIPs), Calico's BGPConfiguration (serviceExternalIPs), and
kube-proxy's implementation: traffic from outside is masqueraded by the node that it reaches, as
externalTrafficPolicy Cluster has it.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from sixproof.errors import ApiError, NotAsked
from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.client import Cluster
from sixproof.model import Endpoint, Family, IPAddress, IPNetwork
from sixproof.workloads.probe_pods.topology import ProbeTopology
from sixproof.workloads.services.families import FamilyPolicy, FamilyWish
from sixproof.workloads.services.kube_proxy import KubeProxy
from sixproof.workloads.services.manifests import Service, load, service
from sixproof.workloads.services.routing import FrontendType, ServiceTarget, at_addresses
from sixproof.workloads.services.shared_services import ROLE

MANIFEST = "external-ips.yaml"
ENABLE = "serviceExternalIPs of BGPConfiguration, with a range of each family"
_TRIES = 256
"""Addresses of a range that are looked at for one that no service has."""
_FORBIDDEN = 403


def create(
    cluster: Cluster, topology: ProbeTopology, manifests: Path, ranges: Sequence[IPNetwork]
) -> Service:
    """Create the service, or find it, at one address of each family of the topology.

    It is in the namespace of the shared services and has their backends. The addresses are such
    that no other service has them.

    Raises:
        NotAsked: there is no range, a family has none or no free address there, services may not
            be listed, or admission refuses external IPs (DenyServiceExternalIPs).
    """
    if not ranges:
        raise NotAsked("Calico advertises no range of external IPs", ENABLE)
    home = topology.run.namespace(ROLE)
    try:
        known = [service(found) for found in cluster.list(resources.SERVICE)]
    except ApiError as error:
        raise NotAsked(f"services cannot be listed: {error}", "list on services") from error
    manifest = load(manifests / MANIFEST, topology.run, home)
    name = json_fields.name(manifest)
    if own := [one for one in known if (one.namespace, one.name) == (home, name)]:
        return own[0]
    taken = {a for one in known for a in (*one.external_ips, *one.load_balancer_addresses)}
    seed = zlib.crc32(topology.run.id.encode())
    families = topology.families()
    chosen = [_free(ranges, family, taken, seed) for family in families]
    manifest["spec"].update(FamilyWish(FamilyPolicy.PREFER).spec())
    manifest["spec"]["externalIPs"] = list(map(str, chosen))
    try:
        return service(cluster.apply(manifest))
    except ApiError as error:
        if error.status != _FORBIDDEN:
            raise
        raise NotAsked(
            f"external IPs are refused: {error}", "an admission that permits them"
        ) from (error)


def at_external_ips(
    found: Service, backends: Iterable[Endpoint], proxy: KubeProxy
) -> tuple[ServiceTarget, ...]:
    """The service at its external IPs."""
    return at_addresses(found, found.external_ips, FrontendType.EXTERNAL_IP, backends, proxy)


def _free(
    ranges: Sequence[IPNetwork], family: Family, taken: Collection[IPAddress], seed: int
) -> IPAddress:
    """An address of a family that no service has. Runs begin at different places."""
    network = next((n for n in ranges if Family.of(n) is family), None)
    if network is None:
        raise NotAsked(f"Calico advertises no range of {family} external IPs", ENABLE)
    hosts = max(network.num_addresses - 2, 1)  # the first and the last of a subnet are no host's
    first = 1 if network.num_addresses > 2 else 0
    for number in range(min(_TRIES, hosts)):
        address: IPAddress = network[first + (seed + number) % hosts]
        if address not in taken:
            return address
    raise NotAsked(f"no address of {network} is free for an external IP", ENABLE)
