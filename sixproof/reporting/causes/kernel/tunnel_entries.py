"""Tunnel entries: a node's VXLAN device does not know where another node's tunnel ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from sixproof.agent.protocol import NodeSeen
from sixproof.model import EndpointKind, Family, IPAddress
from sixproof.probes.nodes import fib
from sixproof.reporting.causes.kernel.neighbours import DEAD
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Command, Confidence, log_of, since
from sixproof.reporting.conclusion.reach import sends, surely_sends
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.pattern import said_some


@dataclasses.dataclass(frozen=True)
class _Hop:
    """The next hop of a way over a tunnel."""

    device: str
    gateway: str


def find(situation: Situation) -> Iterator[Cause]:
    """For each next hop over a tunnel: its link address, and where frames for that go."""
    for node, seen in situation.nodes.items():
        tunnels = {link.name for link in seen.links if link.kind == "vxlan"}
        for family in Family:
            hops: dict[tuple[str, _Hop], set[IPAddress]] = {}
            for end in situation.endpoints:
                address = end.address(family)
                if end.node == node or end.kind is not EndpointKind.POD or address is None:
                    continue
                route = fib.way(seen, address).route
                if route is not None and route.device in tunnels and route.gateway:
                    hop = _Hop(route.device, route.gateway)
                    hops.setdefault((end.node, hop), set()).add(address)
            for (peer, hop), addresses in hops.items():
                if said := _missing(situation, seen, peer, hop):
                    cause = _cause(situation, node, family, hop, said, frozenset(addresses))
                    when = _since(situation, node, peer, hop)
                    yield dataclasses.replace(cause, since=when, evidence=(_read(seen, hop),))


def _missing(situation: Situation, seen: NodeSeen, peer: str, hop: _Hop) -> tuple[str, ...]:
    """What the device does not know of a next hop, or knows wrongly, and the same in fewer words;
    nothing where nothing is."""
    end = f"the tunnel's end on {peer}"
    link = _link_address(seen, hop)
    if not link:
        return (
            f"has no neighbour entry for {hop.gateway}, {end}",
            f"has no neighbour entry for {end}",
        )
    remotes = _remotes(seen, hop, link)
    if not remotes:
        return f"has no forwarding entry for {link}, {end}", f"has no forwarding entry for {end}"
    addresses = situation.node_addresses.get(peer, ())
    if addresses and not any(ip_address(remote) in addresses for remote in remotes):
        to = said_some(remotes, 1)
        return (f"sends frames for {peer} to {to}, which is none of its addresses",)
    return ()


def _link_address(seen: NodeSeen, hop: _Hop) -> str:
    """The link address of a next hop by the node's neighbour table, "" where it has none."""
    entries = (n for n in seen.neighbours if (n.address, n.device) == (hop.gateway, hop.device))
    return next((n.link_address for n in entries if n.state not in DEAD and n.link_address), "")


def _remotes(seen: NodeSeen, hop: _Hop, link: str) -> list[str]:
    """Where the device sends frames for a link address."""
    return [f.remote for f in seen.forwarding if (f.link_address, f.device) == (link, hop.device)]


def _read(seen: NodeSeen, hop: _Hop) -> str:
    """What was read of the device's tables."""
    link = _link_address(seen, hop)
    if not link:
        others = sum(n.device == hop.device for n in seen.neighbours)
        return (
            f"neighbour entries of {hop.device} that were read: {others}, none of them usable "
            f"for {hop.gateway}"
        )
    table = [f for f in seen.forwarding if f.device == hop.device]
    remotes = ", ".join(_remotes(seen, hop, link)) or "not there"
    return (
        f"neighbour entry: {hop.gateway} lladdr {link}; forwarding entry for {link}: {remotes} "
        f"({len(table)} entries of {hop.device} were read)"
    )


def _since(situation: Situation, node: str, peer: str, hop: _Hop) -> str:
    """Whether the device did not know it either when the run began."""
    earlier = situation.earlier.get(node)
    return since(bool(_missing(situation, earlier, peer, hop))) if earlier else ""


def _cause(
    situation: Situation,
    node: str,
    family: Family,
    hop: _Hop,
    said: Sequence[str],
    to: frozenset[IPAddress],
) -> Cause:
    writer = _writer(hop.device)
    pods = situation.examination.of(writer, node)[:1]
    what, *briefer = (
        f"{hop.device} {missing}: {family} packets to pods there go nowhere" for missing in said
    )
    return Cause(
        "tunnel-entry",
        f"node {node}",
        what,
        f"See the log of {writer} there, which writes such entries",
        (family,),
        Confidence.SHOWN,
        hits=lambda wrong: sends(wrong.observation.flow, node, family, to),
        must=lambda flow: surely_sends(flow, node, family, to),
        briefer=tuple(briefer),
        do=tuple(map(log_of, pods)),
        see=(
            Command.of("bridge", "fdb", "show", "dev", hop.device, on=node),
            Command.ip(family, "neigh", "show", "dev", hop.device, on=node),
        ),
    )


def _writer(device: str) -> str:
    """The program that writes the entries of a tunnel device, by the device's name."""
    if device.endswith(".calico"):
        return "calico-node"
    return "flannel" if device.startswith("flannel") else f"the program that made {device}"


RULES = (
    CauseRule(
        "tunnel-entry",
        "A VXLAN device has no entry, or a wrong one, for another node's tunnel",
        "routes over VXLAN devices, their neighbour entries and forwarding databases",
        find,
        ("V1",),
        "RFC 7348 section 4.1",
    ),
)
