"""BGP: whether Calico uses it, and with which peers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from sixproof.calico.bgp.filters import BgpFilter, bgp_filter
from sixproof.calico.nodes import as_number
from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import Manifest
from sixproof.model import Family, IPAddress, IPNetwork, within

_DEFAULT_AS = 64512  # the private AS number that Calico uses by default
_DEFAULT_PORT = 179


@dataclasses.dataclass(frozen=True, slots=True)
class BgpPeer:
    """One BGPPeer. `address` is as written, with or without a port, "" for peers that are nodes
    chosen by `peer_selector`; `nodes` is the selector of the nodes that peer with it, `filters` are
    the BGPFilters that apply to it."""

    name: str
    address: str = ""
    as_number: int | None = None
    nodes: str = "all()"
    peer_selector: str = ""
    password: bool = False
    filters: tuple[str, ...] = ()

    @property
    def host(self) -> IPAddress | None:
        """The address without its port, None for peers that are chosen by selector."""
        host = self.address
        if host.startswith("["):
            host = host[1:].partition("]")[0]
        elif host.count(":") == 1:
            host = host.partition(":")[0]
        return json_fields.address(host)

    @property
    def family(self) -> Family | None:
        """The family of the session, None for peers that are chosen by selector."""
        host = self.host
        return Family.of(host) if host else None


@dataclasses.dataclass(frozen=True, slots=True)
class PrefixAdvertisement:
    """The `communities` (``64512:100``, or three numbers: a large one) of routes within a range."""

    cidr: IPNetwork
    communities: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Bgp:
    """The content of BGPConfiguration `default`; `configured` states whether it exists.

    `enabled` is false where calico-node runs without BIRD (backend ``vxlan`` or ``none``).
    """

    enabled: bool = False
    configured: bool = False
    as_number: int = _DEFAULT_AS
    topology: bool = True
    listen_port: int = _DEFAULT_PORT
    cluster_ips: tuple[IPNetwork, ...] = ()
    external_ips: tuple[IPNetwork, ...] = ()
    load_balancer_ips: tuple[IPNetwork, ...] = ()
    communities: tuple[str, ...] = ()
    advertisements: tuple[PrefixAdvertisement, ...] = ()
    peers: tuple[BgpPeer, ...] = ()
    filters: tuple[BgpFilter, ...] = ()

    def communities_of(self, prefix: IPNetwork) -> frozenset[str]:
        """The communities that a node adds to a route that it announces."""
        mine = (a for a in self.advertisements if within(prefix, a.cidr))
        return frozenset(value for one in mine for value in one.communities)

    @property
    def announced(self) -> Mapping[str, tuple[IPNetwork, ...]]:
        """The ranges of service addresses that nodes announce, by their setting."""
        return {
            "serviceClusterIPs": self.cluster_ips,
            "serviceExternalIPs": self.external_ips,
            "serviceLoadBalancerIPs": self.load_balancer_ips,
        }


def bgp(
    configurations: Iterable[Manifest],
    peers: Iterable[Manifest],
    backend: str,
    filters: Iterable[Manifest] = (),
) -> Bgp:
    """The BGP state. `backend` is calico-node's CALICO_NETWORKING_BACKEND."""
    found = next((c for c in configurations if json_fields.name(c) == "default"), None)
    spec = json_fields.mapping(found, "spec")
    return Bgp(
        enabled=backend in ("", "bird"),
        configured=found is not None,
        as_number=as_number(json_fields.text(spec, "asNumber")) or _DEFAULT_AS,
        topology=json_fields.flag(spec, "nodeToNodeMeshEnabled") is not False,
        listen_port=json_fields.number(spec, "listenPort") or _DEFAULT_PORT,
        cluster_ips=_cidrs(spec, "serviceClusterIPs"),
        external_ips=_cidrs(spec, "serviceExternalIPs"),
        load_balancer_ips=_cidrs(spec, "serviceLoadBalancerIPs"),
        communities=tuple(
            json_fields.text(c, "value") for c in json_fields.entries(spec, "communities")
        ),
        advertisements=_advertisements(spec),
        peers=tuple(map(peer, sorted(peers, key=json_fields.name))),
        filters=tuple(map(bgp_filter, sorted(filters, key=json_fields.name))),
    )


def _advertisements(spec: Manifest) -> tuple[PrefixAdvertisement, ...]:
    """Those of BGPConfiguration, each community by its value: it may stand there by its name."""
    named = {
        json_fields.text(entry, "name"): json_fields.text(entry, "value")
        for entry in json_fields.entries(spec, "communities")
    }
    found = []
    for entry in json_fields.entries(spec, "prefixAdvertisements"):
        cidr = json_fields.network(json_fields.text(entry, "cidr"))
        values = tuple(named.get(c, c) for c in json_fields.strings(entry, "communities"))
        if cidr is not None:
            found.append(PrefixAdvertisement(cidr, values))
    return tuple(found)


def peer(manifest: Manifest) -> BgpPeer:
    """The peer of a BGPPeer object."""
    spec = json_fields.mapping(manifest, "spec")
    return BgpPeer(
        name=json_fields.name(manifest),
        address=json_fields.text(spec, "peerIP"),
        as_number=as_number(json_fields.text(spec, "asNumber")),
        nodes=json_fields.text(spec, "node") or json_fields.text(spec, "nodeSelector") or "all()",
        peer_selector=json_fields.text(spec, "peerSelector"),
        password=bool(json_fields.mapping(spec, "password")),
        filters=json_fields.strings(spec, "filters"),
    )


def _cidrs(spec: Manifest, key: str) -> tuple[IPNetwork, ...]:
    return json_fields.networks(
        json_fields.text(entry, "cidr") for entry in json_fields.entries(spec, key)
    )
