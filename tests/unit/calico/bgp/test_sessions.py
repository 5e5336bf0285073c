"""Which sessions each node must have: mesh, peers by address, reflectors by selector."""

from __future__ import annotations

import ipaddress

import pytest

from sixproof.calico.bgp.configuration import Bgp, BgpPeer
from sixproof.calico.bgp.sessions import wanted
from sixproof.calico.nodes import CalicoNode
from sixproof.model import Family

SIX, FOUR = Family.IPV6, Family.IPV4


def node(
    number: int, *labels: tuple[str, str], reflector: bool = False, six: bool = True
) -> CalicoNode:
    texts = [f"192.0.2.{number}/24", *([f"2001:db8::{number}/64"] if six else [])]
    return CalicoNode(
        f"w{number}",
        tuple(map(ipaddress.ip_interface, texts)),
        labels=labels,
        reflector=reflector,
    )


def pairs(bgp: Bgp, *nodes: CalicoNode, family: Family = SIX) -> set[tuple[str, str]]:
    """Node and peer, by the peer's name or else its address."""
    found = (s for s in wanted(bgp, nodes) if s.family is family)
    return {(s.node, s.peer_node or str(s.peer)) for s in found}


def test_the_mesh_is_among_all_nodes_over_each_family_that_both_have() -> None:
    nodes = (node(1), node(2), node(3, six=False))
    assert pairs(Bgp(), *nodes) == {("w1", "w2"), ("w2", "w1")}
    assert len(pairs(Bgp(), *nodes, family=FOUR)) == 6


def test_reflectors_have_no_part_in_the_mesh() -> None:
    assert pairs(Bgp(), node(1), node(2), node(3, reflector=True)) == {("w1", "w2"), ("w2", "w1")}


def test_reflectors_by_selector_are_peers_from_both_sides() -> None:
    peer = BgpPeer("rr", peer_selector="route-reflector == 'true'")
    nodes = (node(1), node(2), node(3, ("route-reflector", "true"), reflector=True))
    found = pairs(Bgp(topology=False, peers=(peer,)), *nodes)
    assert found == {("w1", "w3"), ("w2", "w3"), ("w3", "w1"), ("w3", "w2")}


@pytest.mark.parametrize(
    ("chosen", "nodes"),
    [
        ("all()", {"w1", "w2"}),
        ("w2", {"w2"}),
        ("rack == 'a'", {"w1"}),
        ("rack ==", set()),
    ],
)
def test_a_peer_of_an_address_is_one_of_the_nodes_that_it_selects(
    chosen: str, nodes: set[str]
) -> None:
    """By a selector or by one node's name; a selector that cannot be read selects none."""
    peer = BgpPeer("router", "[2001:db8::5]:1179", nodes=chosen)
    bgp = Bgp(topology=False, peers=(peer,))
    found = pairs(bgp, node(1, ("rack", "a")), node(2))
    assert found == {(name, "2001:db8::5") for name in nodes}
    assert not pairs(bgp, node(1), family=FOUR)


def test_a_peer_of_a_nodes_own_address_is_that_node_and_not_its_own_peer() -> None:
    peer = BgpPeer("w2-by-address", "2001:db8::2")
    found = wanted(Bgp(topology=False, peers=(peer,)), (node(1), node(2)))
    assert [(s.node, s.peer_node, s.why) for s in found] == [("w1", "w2", "BGPPeer w2-by-address")]


def test_a_session_that_is_asked_for_twice_is_one() -> None:
    peer = BgpPeer("w2-by-address", "2001:db8::2")
    assert len(wanted(Bgp(peers=(peer,)), (node(1), node(2)))) == 4
