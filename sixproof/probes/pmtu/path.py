"""The path between two endpoints as its devices and routes promise it: every hop with its MTU.

Nothing here is measured with packets. The pod's interface, the nodes' routes, tunnels, outer and
workload interfaces are read through the agents, so that what the packets then do can be held
against it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from sixproof.agent.protocol import Inspected, RouteSeen
from sixproof.model import Endpoint, Family, IPAddress


@dataclasses.dataclass(frozen=True, slots=True)
class Overhead:
    """What a tunnel adds to a packet, in bytes, and the family of its outer packets."""

    name: str
    size: int
    outer: Family


@dataclasses.dataclass(frozen=True, slots=True)
class Hop:
    """A place that a packet passes and the largest one that fits, in bytes.

    A `carrier` is the interface under a tunnel: its MTU less the tunnel's headers.
    """

    where: str
    device: str
    mtu: int
    why: str = ""
    carrier: bool = False

    def __str__(self) -> str:
        why = f" ({self.why})" if self.why else ""
        return f"{self.device} of {self.where} {self.mtu}{why}"


@dataclasses.dataclass(frozen=True, slots=True)
class Path:
    """The hops from a source to a destination over a family, in the packet's order."""

    source: str
    destination: str
    family: Family
    hops: tuple[Hop, ...]

    @property
    def narrowest(self) -> Hop | None:
        """The first of the smallest hops, None where nothing is known."""
        return min(self.hops, key=lambda hop: hop.mtu, default=None)

    @property
    def promised(self) -> int | None:
        """What devices and routes are set to carry; the carrier of a tunnel promises nothing."""
        return min((hop.mtu for hop in self.hops if not hop.carrier), default=None)

    @property
    def reportable_mtus(self) -> frozenset[int]:
        """The MTUs that may be reported to a sender: of each hop that is narrower than all earlier
        ones, and of the carriers that hold less than their tunnel."""
        mtus, least = {hop.mtu for hop in self.overfull}, None
        for hop in self.hops:
            if not hop.carrier and (least is None or hop.mtu < least):
                mtus.add(hop.mtu)
                least = hop.mtu
        return frozenset(mtus)

    @property
    def overfull(self) -> tuple[Hop, ...]:
        """Carriers that hold less than the tunnel on them is set to."""
        return tuple(
            carrier
            for tunnel, carrier in zip(self.hops, self.hops[1:], strict=False)
            if carrier.carrier and carrier.mtu < tunnel.mtu
        )

    def __str__(self) -> str:
        return " -> ".join(map(str, self.hops)) or "no hop is known"


Ask = tuple[str, IPAddress]
"""The endpoint that is asked for a route, by name, and the route's destination."""


@dataclasses.dataclass(frozen=True, slots=True)
class PathTopology:
    """What the agents said.

    `nodes` are the host-network agents by their node, `tunnels` what is known of tunnel devices.
    """

    inspected: Mapping[str, Inspected]
    routes: Mapping[Ask, RouteSeen]
    nodes: Mapping[str, Endpoint]
    tunnels: Mapping[str, Overhead] = dataclasses.field(default_factory=dict)

    def hop(
        self, asked: Endpoint, where: str, address: IPAddress, *, forwards: bool = False
    ) -> tuple[Hop, ...]:
        """The interface by which an endpoint sends to an address, and its route where narrower.

        A route with an MTU of its own is what the kernel uses, also where the interface
        is narrower (Linux, ip_dst_mtu_maybe_forward): Felix' routes into a tunnel do. An IPv6
        packet that a node `forwards` must fit the interface all the same, unless that MTU is locked
        (ip6_dst_mtu_maybe_forward; measured on Linux 6.18).
        """
        route = self.routes.get((asked.name, address))
        seen = self.inspected.get(asked.name)
        if route is None or seen is None or route.device not in seen.mtus:
            return ()
        device = seen.mtus[route.device]
        if not route.mtu or route.expires is not None or route.mtu == device:
            return (Hop(where, route.device, device),)
        if route.mtu > device:
            if forwards and Family.of(address) is Family.IPV6 and not route.locked:
                why = f"the interface's own: the route to {address} has {route.mtu}"
                return (Hop(where, route.device, device, why),)
            why = f"route to {address}; the interface has {device}"
            return (Hop(where, route.device, route.mtu, why),)
        narrower = Hop(where, route.device, route.mtu, f"route to {address}")
        return (Hop(where, route.device, device), narrower)

    def carrier(self, node: Endpoint, tunnel: str, peer: Endpoint) -> tuple[Hop, ...]:
        """What the interface under a tunnel towards another node leaves for the inside."""
        kind = self.tunnels.get(tunnel)
        address = peer.address(kind.outer) if kind else None
        if kind is None or address is None:
            return ()
        return tuple(
            dataclasses.replace(
                hop,
                mtu=hop.mtu - kind.size,
                why=f"{hop.mtu} - {kind.size} for {kind.name}",
                carrier=True,
            )
            for hop in self.hop(node, node.node, address)[-1:]
        )


def questions(
    source: Endpoint,
    destination: Endpoint,
    family: Family,
    nodes: Mapping[str, Endpoint],
    frontend: Endpoint | None = None,
) -> tuple[Ask, ...]:
    """The routes to ask for, to know a path; `frontend` is the node whose address is dialled."""
    address, back = destination.address(family), source.address(family)
    if address is None or back is None:
        return ()
    asks = [(source.name, address), (destination.name, back)]
    for node in {source.node, destination.node} & nodes.keys():
        asks.append((nodes[node].name, address))
    here, there = nodes.get(source.node), nodes.get(destination.node)
    if here and there and here != there:
        asks += [(here.name, a) for a in there.addresses]
    front = frontend.address(family) if frontend else None
    if frontend and front:
        asks += [(source.name, front), (frontend.name, address)]
        asks += [(here.name, front)] if here else []
        asks += [(frontend.name, a) for a in there.addresses] if there else []
    return tuple(asks)


def path(
    source: Endpoint,
    destination: Endpoint,
    family: Family,
    path_topology: PathTopology,
    frontend: Endpoint | None = None,
) -> Path:
    """The path of a pair, as far as agents could report it.

    A `frontend` is the node at whose address the source dials: it is sent there first, and the
    frontend translates the address and sends on.
    """
    address, back = destination.address(family), source.address(family)
    front = frontend.address(family) if frontend else address
    if address is None or back is None or front is None:
        return Path(source.name, destination.name, family, ())
    hops = list(path_topology.hop(source, source.name, front))
    here, there = path_topology.nodes.get(source.node), path_topology.nodes.get(destination.node)
    if here is not None and frontend is not None:
        hops += path_topology.hop(here, here.node, front, forwards=here.name != source.name)
    onward_from = here if frontend is None else frontend
    if onward_from is not None and onward_from.name != source.name:
        onward = path_topology.hop(onward_from, onward_from.node, address, forwards=True)
        hops += onward
        if there is not None and there != onward_from and onward:
            hops += path_topology.carrier(onward_from, onward[0].device, there)
    if there is not None and there != onward_from and there.name != destination.name:
        hops += path_topology.hop(there, there.node, address, forwards=True)
    end = path_topology.hop(destination, destination.name, back)[:1]
    return Path(source.name, destination.name, family, (*hops, *end))
