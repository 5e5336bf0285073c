"""IPAM blocks as the store holds them: who has which address, and what does not parse."""

from __future__ import annotations

import ipaddress
from typing import Any

from sixproof.calico.ipam import Allocation, Block, Ipam, ipam
from sixproof.calico.nodes import CalicoNode, TunnelAddress
from sixproof.model import Family


def block(cidr: str, node: str = "w1", **spec: Any) -> dict[str, Any]:
    """An IPAMBlock whose third address a pod has, and whose first the node's tunnel has."""
    usual = {
        "cidr": cidr,
        "affinity": f"host:{node}",
        "allocations": [0, None, 1],
        "attributes": [
            {"handle_id": "t", "secondary": {"node": node, "type": "vxlanTunnelAddress"}},
            {"handle_id": "h", "secondary": {"namespace": "shop", "pod": "web", "node": node}},
        ],
    }
    return {"spec": {**usual, **spec}}


def affinity(cidr: str, node: str = "w1", **spec: str) -> dict[str, Any]:
    """A confirmed BlockAffinity."""
    usual = {"cidr": cidr, "node": node, "state": "confirmed", "deleted": "false"}
    return {"spec": {**usual, **spec}}


SIX = "fd00:10:244::40/122"


def test_addresses_are_counted_from_the_first_of_the_block() -> None:
    """An ordinal is the distance from it; the attributes say whose the address is."""
    (found,) = ipam([block(SIX)], []).blocks
    assert (found.family, found.node) == (Family.IPV6, "w1")
    assert {str(a): str(h) for a, h in found.assigned.items()} == {
        "fd00:10:244::40": "vxlanTunnelAddress of node w1",
        "fd00:10:244::42": "pod shop/web on w1",
    }


def test_the_block_of_an_address() -> None:
    """Of its own family, or none."""
    found = ipam([block("10.244.1.0/26"), block(SIX)], [])
    held = found.block_of(ipaddress.ip_address("fd00:10:244::7f"))
    assert held is not None
    assert str(held.cidr) == SIX
    assert found.block_of(ipaddress.ip_address("fd00:10:244::80")) is None


def test_affinities_that_count_are_confirmed() -> None:
    """Those that are pending or being deleted are not, nor those of load balancer addresses."""
    found = ipam(
        [],
        [
            affinity(SIX, type="host"),
            affinity("10.244.1.0/26", state="pending"),
            affinity("10.244.2.0/26", deleted="true"),
            affinity("nonsense"),
            affinity("10.105.0.0/26", "load-balancer", type="virtual"),
        ],
    )
    assert {str(k): v for k, v in found.affinities.items()} == {SIX: "w1"}


def test_what_is_no_block_is_left_out() -> None:
    """Cluster data is untrusted: no cidr, one being deleted, ordinals beyond the attributes."""
    odd = block(SIX, allocations=[9, True, "x", -1, None], affinity="virtual:x", attributes="no")
    found = ipam([block("nonsense"), block(SIX, deleted=True), {"spec": 3}, odd], [])
    assert found == Ipam((Block(ipaddress.ip_network(SIX)),))
    assert str(Allocation()) == "something of node unknown"


def test_more_ordinals_than_addresses_are_not_read() -> None:
    """A /127 has two."""
    (found,) = ipam([block("fd00::/127", allocations=[1, 1, 1])], []).blocks
    assert len(found.assigned) == 2


def test_the_tunnel_address_of_a_kind_and_family() -> None:
    """None where the node has none."""
    six = ipaddress.ip_address("fd00:10:244::40")
    ends = (TunnelAddress("VXLAN", ipaddress.ip_address("10.244.1.0")), TunnelAddress("VXLAN", six))
    node = CalicoNode("w1", tunnels=ends)
    assert node.tunnel("VXLAN", Family.IPV6) == six
    assert node.tunnel("WireGuard", Family.IPV6) is None
