"""Announcers: what attracts traffic for a load balancer's address to nodes, as far as known."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from sixproof.calico.state import CalicoState
from sixproof.errors import ApiError, Subject
from sixproof.kube.api import json_fields
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.api.resources import Kind
from sixproof.model import IPAddress
from sixproof.workloads.services.manifests import Service

L2_STATUSES = Kind("metallb.io/v1beta1", "ServiceL2Status", "servicel2statuses")
"""MetalLB's statement of which node answers neighbour solicitations and ARP for a service."""
_UNREAD = (403, 404)


@dataclasses.dataclass(frozen=True, slots=True)
class Announcers:
    """What is known of them: Calico's settings, and the node from which MetalLB announces a service
    on the link (L2), by namespace and name."""

    calico: CalicoState | None = None
    at_the_link: Mapping[tuple[str, str], str] = dataclasses.field(default_factory=dict)

    def of(self, found: Service) -> str:
        """One phrase about a service that has addresses: what announces each of them."""
        if node := self.at_the_link.get((found.namespace, found.name)):
            return f"MetalLB announces it from {node} (L2)"
        announcers = dict.fromkeys(map(self._address, found.load_balancer_addresses))
        if announcers.keys() == {""}:
            kind = found.load_balancer_class
            return f"its provider is not known{f', class {kind}' if kind else ''}"
        return ", ".join(filter(None, announcers))

    def strays(self, services: Iterable[Service]) -> dict[str, Subject]:
        """Addresses outside Calico's pools where Calico assigned others: one provider assigns all
        addresses of services that name none (loadBalancerClass)."""
        given = [(one, a) for one in services for a in one.load_balancer_addresses]
        ours = [a for _, a in given if self._address(a)]
        return {
            f"{one.name} has {address}, which is of no IPPool of Calico for load balancers": (
                one.subject(str(address))
            )
            for one, address in given
            if ours and not self._address(address)
        }

    def _address(self, address: IPAddress) -> str:
        pool = self.calico.pool_of(address) if self.calico else None
        if self.calico is None or pool is None or "LoadBalancer" not in pool.uses:
            return ""
        bgp = self.calico.bgp
        if not bgp.enabled:
            return f"Calico's IPAM gave {address}, Calico speaks no BGP"
        held = next((n for n in bgp.load_balancer_ips if address in n), None)
        if held is None:
            return f"no node announces {address}: no range of serviceLoadBalancerIPs holds it"
        return f"nodes announce {held} by BGP"


def read(cluster: Cluster, calico: CalicoState | None) -> Announcers:
    """What the cluster reports; what it does not serve, or may not be read, is empty.

    Raises:
        ApiError: the API server failed otherwise.
    """
    try:
        listed = cluster.list(L2_STATUSES)
    except ApiError as error:
        if error.status not in _UNREAD:
            raise
        listed = ()
    return Announcers(calico, at_the_link(listed))


def at_the_link(statuses: Iterable[Manifest]) -> dict[tuple[str, str], str]:
    """By namespace and name of the service, the node of each ServiceL2Status."""
    found = {}
    for manifest in statuses:
        status = json_fields.mapping(manifest, "status")
        key = tuple(json_fields.text(status, k) for k in ("serviceNamespace", "serviceName"))
        if node := json_fields.text(status, "node"):
            found[key[0], key[1]] = node
    return found
