"""What nodes must announce to a BGP peer, and what of that is missing or wrong. Pure.

A node announces its blocks whole, the ranges of service addresses of BGPConfiguration, and adds the
communities of prefixAdvertisements (projectcalico/calico v3.31, confd's templates). Blocks of pools
with disableBGPExport are not announced, nor are single addresses.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sixproof.agent.protocol import BgpRoute, BgpSession
from sixproof.calico.ipam import Ipam
from sixproof.calico.nodes import CalicoNode
from sixproof.calico.state import CalicoState
from sixproof.kube.api import json_fields
from sixproof.model import EXCLUDED, Family, IPAddress, IPNetwork, within

ESTABLISHED = "Established"


@dataclasses.dataclass(frozen=True, slots=True)
class WantedRoute:
    """A route that a node must announce, with itself as the next hop, and what asks for it."""

    prefix: IPNetwork
    next_hop: IPAddress
    why: str


def by_node(
    sessions: Iterable[BgpSession], addresses: Mapping[IPAddress, str], family: Family
) -> dict[str, BgpSession]:
    """The session of each node over a family: the last one that is Established, else the last one.
    `addresses` are the nodes' own, with their names; what comes from others is left out."""
    found: dict[str, BgpSession] = {}
    for session in sessions:
        peer = json_fields.address(session.peer)
        node = addresses.get(peer, "") if peer is not None and Family.of(peer) is family else ""
        known = found.get(node)
        if node and not (known and known.state == ESTABLISHED and session.state != ESTABLISHED):
            found[node] = session
    return found


def expected(
    state: CalicoState, ipam: Ipam, node: CalicoNode, family: Family
) -> tuple[WantedRoute, ...]:
    """The routes that a node must announce over a family."""
    chosen = node.address(family)
    if chosen is None:
        return ()
    return tuple(
        WantedRoute(prefix, chosen.ip, why)
        for prefix, why in (*_blocks(state, ipam, node), *_ranges(state, node))
        if Family.of(prefix) is family and prefix.prefixlen < prefix.max_prefixlen
    )


def missing(route: WantedRoute, session: BgpSession) -> str:
    """What is wrong with a route as it was announced, "" where nothing is."""
    seen = _find(route.prefix, session.routes)
    if seen is None:
        return f"it does not announce {route.prefix}, {route.why}"
    if json_fields.address(seen.next_hop) != route.next_hop:
        hop = seen.next_hop or "none"
        return f"it announces {route.prefix} with next hop {hop} instead of {route.next_hop}"
    return ""


def untagged(route: WantedRoute, session: BgpSession, wanted: frozenset[str]) -> str:
    """Which communities a route lacks, "" where it lacks none, or is not there at all."""
    seen = _find(route.prefix, session.routes)
    lacking = sorted(wanted - frozenset(seen.communities)) if seen else []
    if not lacking:
        return ""
    has = ", ".join(seen.communities if seen else ()) or "none"
    return (
        f"it announces {route.prefix} without community {', '.join(lacking)}, which "
        f"prefixAdvertisements asks for; it has {has}"
    )


def misidentified(sessions: Mapping[str, BgpSession], wanted: Mapping[str, int]) -> dict[str, str]:
    """What is wrong with how each node introduces itself, "" where nothing is: its AS number, by
    what it opened with and by its paths, and its BGP Identifier, which no other may have (RFC 6286
    section 2.1)."""
    holders = Counter(s.identifier for s in sessions.values() if s.as_number)
    found = {}
    for node, session in sessions.items():
        first = {route.as_path[0] for route in session.routes if route.as_path}
        said = {session.as_number, *first}
        others = [n for n, s in sessions.items() if s.identifier == session.identifier != ""]
        if said != {wanted[node]}:
            spoken = " and ".join(map(str, sorted(said)))
            found[node] = f"it speaks as AS {spoken}, Calico gives it AS {wanted[node]}"
        elif holders[session.identifier] > 1:
            named = " and ".join(other for other in others if other != node)
            found[node] = f"it has the BGP Identifier {session.identifier}, which {named} has, too"
        else:
            found[node] = ""
    return found


def silent(session: BgpSession, hold: int) -> str:
    """What is wrong with how a node keeps its session alive; "" where nothing is. `hold` is the
    smaller one of both hold times, seconds (RFC 4271 section 4.4: a third of it is usual)."""
    longest = max(session.kept, default=0.0)
    if not session.kept:
        return "it has not sent a second KEEPALIVE"
    if longest > hold:
        return f"{longest:.1f} s passed between two KEEPALIVEs, the hold time is {hold} s"
    return ""


def _find(prefix: IPNetwork, routes: Sequence[BgpRoute]) -> BgpRoute | None:
    return next((r for r in routes if r.prefix == str(prefix)), None)


def _blocks(state: CalicoState, ipam: Ipam, node: CalicoNode) -> Iterator[tuple[IPNetwork, str]]:
    for cidr, owner in ipam.affinities.items():
        pools = [pool for pool in state.pools if within(cidr, pool.cidr)]
        if owner == node.name and pools and all(pool.exported for pool in pools):
            yield cidr, f"a block of its own (IPPool {pools[0].name})"


def _ranges(state: CalicoState, node: CalicoNode) -> Iterator[tuple[IPNetwork, str]]:
    if dict(node.labels).get(EXCLUDED) is not None:
        return
    for setting, ranges in state.bgp.announced.items():
        for network in ranges:
            yield network, f"one of {setting} of BGPConfiguration"


def addresses_of(nodes: Iterable[CalicoNode]) -> dict[IPAddress, str]:
    """Every address of nodes, with its node's name."""
    found: dict[IPAddress, str] = {}
    for node in nodes:
        tunnels: tuple[IPAddress, ...] = tuple(t.address for t in node.tunnels)
        chosen: tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...] = tuple(
            interface.ip for interface in node.chosen
        )
        for address in (*chosen, *node.internal, *tunnels):
            found[address] = node.name
    return found
