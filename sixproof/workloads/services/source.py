"""Source addresses: which one a server must see, and why.

Three things translate it: kube-proxy (masquerade of what it does not treat as a local pod's, of
hairpins, and of external traffic unless its policy is Local), the CNI's natOutgoing for what leaves
the pools, and the kernel's choice for packets that start on a node. Everything else keeps the
client's own address, as the network model requires.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from sixproof.model import Endpoint, Family, IPAddress, IPNetwork, NodeFacts
from sixproof.workloads.services.kube_proxy import KubeProxy
from sixproof.workloads.services.routing import FrontendType, ServiceTarget, is_on_the_host

_EXTERNAL = (FrontendType.LOAD_BALANCER, FrontendType.EXTERNAL_IP)
"""Frontends whose addresses are no node's and no cluster IP."""
_BY_PROXY = (FrontendType.CLUSTER_IP, FrontendType.NODE_PORT, *_EXTERNAL)
_ANYWHERE = (FrontendType.CLUSTER_IP, *_EXTERNAL)
"""Frontends that clients in the cluster reach on their own node."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outgoing:
    """What the CNI does with packets that leave the pods' ranges.

    `pools` are all ranges, `masqueraded` those whose pods leave them under their node's address,
    None where that is not known. `hosts_too` states whether nodes count as outside.
    """

    pools: tuple[IPNetwork, ...] = ()
    masqueraded: tuple[IPNetwork, ...] | None = None
    hosts_too: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class ExpectedSource:
    """The addresses of which a server must see one, and the reason; empty where it is unknown for
    this cluster."""

    addresses: frozenset[IPAddress]
    because: str


@dataclasses.dataclass(frozen=True, slots=True)
class Translation:
    """What translates addresses on this cluster. `own` are each node's addresses, by its name: its
    InternalIPs, those of its tunnel devices and the gateways of its pods, from which the kernel
    picks one."""

    proxy: KubeProxy
    outgoing: Outgoing
    nodes: Mapping[str, NodeFacts]
    own: Mapping[str, frozenset[IPAddress]]

    def source(
        self, client: Endpoint, target: ServiceTarget, backend: Endpoint, family: Family
    ) -> ExpectedSource:
        """The address that `backend` must see when `client` dials `target`."""
        if target.frontend in _BY_PROXY and not self.proxy.known:
            return ExpectedSource(frozenset(), "nothing is known of this cluster's service proxy")
        if target.frontend in _EXTERNAL and not client.node:
            return self._from_outside(client, target, family)
        masqueraded = self._masquerade(client, target, backend, family)
        return masqueraded or self._unmasqueraded(client, target, backend, family)

    def _from_outside(
        self, client: Endpoint, target: ServiceTarget, family: Family
    ) -> ExpectedSource:
        """For a client on no node, behind a load balancer that translates nothing itself."""
        own = client.address(family)
        if target.local and own is not None:
            because = "externalTrafficPolicy Local: no node translates the client's address"
            return ExpectedSource(frozenset({own}), because)
        if target.local:
            return ExpectedSource(frozenset(), f"{client.name} has no {family} address")
        anyone = frozenset(a for own in self.own.values() for a in own if Family.of(a) is family)
        because = "externalTrafficPolicy Cluster: the node that it came to masquerades"
        return ExpectedSource(anyone, f"an address of a node: {because}")

    def _masquerade(
        self, client: Endpoint, target: ServiceTarget, backend: Endpoint, family: Family
    ) -> ExpectedSource | None:
        """The address that kube-proxy (for a HostPort the CNI's portmap) sets, None for none."""
        if target.frontend is FrontendType.DIRECT:
            return None
        node = client.node if target.frontend in _ANYWHERE else target.endpoint.node
        inside = node == client.node
        if is_on_the_host(backend) and backend.node == node and not is_on_the_host(client):
            return None  # delivered on that node: it never meets the masquerade on the way out
        if inside and client.address(family) == backend.address(family):
            why = "a backend that reaches itself: its reply must come back the way it went"
            return self._node(node, family, why)
        if target.frontend is FrontendType.HOST_PORT:
            return self._by_portmap(client, node, family) if inside else None
        if target.frontend is FrontendType.NODE_PORT and not target.local:
            why = "externalTrafficPolicy Cluster: the node that was dialled masquerades"
            return self._node(node, family, why)
        if target.frontend in _EXTERNAL and not target.local:
            why = "externalTrafficPolicy Cluster: the client's own node masquerades"
            return self._node(node, family, why)
        if target.frontend is FrontendType.CLUSTER_IP and self.proxy.masquerade_all:
            return self._node(node, family, "kube-proxy masquerades all (masqueradeAll)")
        if inside and not self._is_local(client, family):
            why = f"kube-proxy does not take {client.name} for a pod of its node"
            return self._node(node, family, why)
        return None

    def _by_portmap(self, client: Endpoint, node: str, family: Family) -> ExpectedSource | None:
        """Where the CNI is not known: its portmap masquerades the backend's whole subnet, which is
        that pod only where IPAM gives it a full-length prefix, as Calico's does."""
        own = client.address(family)
        if self.outgoing.masqueraded is not None or own is None or is_on_the_host(client):
            return None
        either = self._node(node, family, "portmap may masquerade pods of the backend's subnet")
        return ExpectedSource(either.addresses | {own}, f"its own address, or {either.because}")

    def _unmasqueraded(
        self, client: Endpoint, target: ServiceTarget, backend: Endpoint, family: Family
    ) -> ExpectedSource:
        """The address with which a packet leaves the client's node."""
        own = client.address(family)
        if own is None:
            return ExpectedSource(frozenset(), f"{client.name} has no {family} address")
        if is_on_the_host(client):
            return self._node(client.node, family, "it starts on the node: the kernel's choice")
        # A packet to another node's port reaches that node first; behind any other frontend it goes
        # to the backend's node.
        elsewhere = (
            target.endpoint.node
            if target.frontend in (FrontendType.NODE_PORT, FrontendType.HOST_PORT)
            else ""
        )
        if elsewhere in ("", client.node):
            elsewhere = backend.node if is_on_the_host(backend) else ""
        if elsewhere in ("", client.node):
            return ExpectedSource(
                frozenset({own}), "nothing on this way translates a pod's address"
            )
        return self._leaving(client, own, family)

    def _leaving(self, client: Endpoint, own: IPAddress, family: Family) -> ExpectedSource:
        """A pod's packet to the address of another node."""
        outgoing = self.outgoing
        if outgoing.masqueraded is None:
            return ExpectedSource(
                frozenset(), "nothing is known of how this CNI translates outgoing pods"
            )
        pool = next((p for p in outgoing.pools if own in p), None)
        if outgoing.hosts_too and any(own in p for p in outgoing.masqueraded):
            why = f"natOutgoing of pool {pool}: a node's address is outside of all pools"
            return self._node(client.node, family, why)
        return ExpectedSource(frozenset({own}), f"pool {pool} has no natOutgoing for nodes")

    def _is_local(self, client: Endpoint, family: Family) -> bool:
        own, node = client.address(family), self.nodes.get(client.node)
        if own is None or node is None or is_on_the_host(client):
            return False
        return self.proxy.takes_for_local(own, node)

    def _node(self, name: str, family: Family, why: str) -> ExpectedSource:
        addresses = frozenset(a for a in self.own.get(name, ()) if Family.of(a) is family)
        return ExpectedSource(addresses, f"an address of {name}: {why}")


def gateways(
    nodes: Iterable[NodeFacts], held: Iterable[tuple[str, IPAddress]]
) -> Iterator[tuple[str, IPAddress]]:
    """Of pairs of node name and address that the node's devices have, those in the range of its own
    pods: of a bridge, or of its ends of their veths (the CNI project's bridge and ptp plugins)."""
    ranges = {node.name: node.pod_cidrs for node in nodes}
    for name, address in held:
        if any(address in cidr for cidr in ranges.get(name, ())):
            yield name, address


def own_addresses(
    nodes: Iterable[NodeFacts], more: Iterable[tuple[str, IPAddress]]
) -> dict[str, frozenset[IPAddress]]:
    """Each node's addresses from its InternalIPs and from pairs of node name and another address of
    it: of a tunnel, or of its pods' gateway."""
    found: dict[str, set[IPAddress]] = {node.name: set(node.addresses) for node in nodes}
    for name, address in more:
        found.setdefault(name, set()).add(address)
    return {name: frozenset(addresses) for name, addresses in found.items()}
