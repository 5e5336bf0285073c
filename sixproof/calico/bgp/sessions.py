"""Which BGP sessions each node must have, by BGPConfiguration, BGPPeers and nodes. Pure.

Calico's rules (API reference, BGPConfiguration and BGPPeer; confd's templates of v3.31): the mesh
connects nodes that are not route reflectors. A BGPPeer with an address is a peer of the nodes that
it selects. One with a peerSelector makes the selected nodes and the nodes that match it peer with
each other, whichever side is asked. A session carries the family of its addresses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from sixproof.calico.bgp.configuration import Bgp, BgpPeer
from sixproof.calico.nodes import CalicoNode
from sixproof.model import Family, IPAddress
from sixproof.policy.calico.selector_text import parse_selector


@dataclasses.dataclass(frozen=True, slots=True)
class WantedSession:
    """A session that a node must have. `peer_node` names the peer where it is a node of the
    cluster, `why` the mesh or the BGPPeer that requires it."""

    node: str
    family: Family
    peer: IPAddress
    peer_node: str
    why: str


def wanted(bgp: Bgp, nodes: Sequence[CalicoNode]) -> tuple[WantedSession, ...]:
    """All sessions of all nodes, each from both of its ends where both are nodes."""
    found: dict[tuple[str, IPAddress], WantedSession] = {}
    for session in _wanted(bgp, nodes):
        found.setdefault((session.node, session.peer), session)
    return tuple(found.values())


def _wanted(bgp: Bgp, nodes: Sequence[CalicoNode]) -> Iterator[WantedSession]:
    for peer in bgp.peers:
        why = f"BGPPeer {peer.name}" + ", with a password" * peer.password
        chosen = [node for node in nodes if _selects(peer.nodes, node)]
        if peer.peer_selector:
            others = [node for node in nodes if _selects(peer.peer_selector, node)]
            yield from _between(chosen, others, why)
            yield from _between(others, chosen, why)
        else:
            yield from _outward(peer, chosen, nodes, why)
    if bgp.topology:
        meshed = [node for node in nodes if not node.reflector]
        yield from _between(meshed, meshed, "the node-to-node mesh")


def _outward(
    peer: BgpPeer, chosen: Iterable[CalicoNode], nodes: Sequence[CalicoNode], why: str
) -> Iterator[WantedSession]:
    """Sessions with the peer at an address, which may itself be a node."""
    address = peer.host
    if address is None:
        return
    holder = next((n.name for n in nodes if _has(n, address)), "")
    for node in chosen:
        if node.name != holder:
            yield WantedSession(node.name, Family.of(address), address, holder, why)


def _between(
    nodes: Iterable[CalicoNode], others: Sequence[CalicoNode], why: str
) -> Iterator[WantedSession]:
    """Sessions between these nodes and those, over each family that both have."""
    for node in nodes:
        for other in others:
            for family in Family:
                there = other.address(family)
                if node.name != other.name and node.address(family) and there:
                    yield WantedSession(node.name, family, there.ip, other.name, why)


def _has(node: CalicoNode, address: IPAddress) -> bool:
    return any(interface.ip == address for interface in node.chosen)


def _selects(selector: str, node: CalicoNode) -> bool:
    """Whether a selector, or the name of one node, selects a node; an unreadable one selects none,
    as in Calico."""
    if selector == node.name:
        return True
    try:
        return parse_selector(selector).matches(dict(node.labels))
    except ValueError:
        return False
