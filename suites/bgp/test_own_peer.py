"""What nodes say to a BGP peer: the run makes one of its own, and nodes connect to it.

Why: what a router outside has learnt shows only what it kept, and few clusters let a test look into
theirs. The peer is a pod whose agent listens; it announces nothing, so no route changes.
"""

from __future__ import annotations

import pytest

from sixproof.checks.bgp.own_peer_checks import OwnPeerChecks
from sixproof.checks.calico.address_checks import AddressChecks
from sixproof.model import Family

pytestmark = [
    pytest.mark.feature("BGP"),
    pytest.mark.story("announcements"),
    pytest.mark.disruptive,
]


@pytest.mark.covers("B2", "B4")
def test_nodes_that_a_bgppeer_selects_connect_and_no_other_does(
    own_peer_checks: OwnPeerChecks, ip_family: Family
) -> None:
    """A new BGPPeer with a nodeSelector: the nodes that it selects have an Established session with
    the peer, and the node that it leaves out has none.

    Why: calico-node's confd writes BIRD's configuration. Where it stands still, old sessions stay
    Established and nothing new is followed.
    """
    own_peer_checks.must_connect(ip_family)


@pytest.mark.covers("B1", "B4")
def test_nodes_announce_their_blocks_and_the_ranges_of_services(
    own_peer_checks: OwnPeerChecks, address_checks: AddressChecks, ip_family: Family
) -> None:
    """Each node announces every IPAM block of its own and each range in serviceClusterIPs,
    serviceExternalIPs and serviceLoadBalancerIPs, with its own address as the next hop."""
    own_peer_checks.must_announce(ip_family, address_checks.read_ipam)


@pytest.mark.covers("B1")
def test_announced_routes_have_their_communities(
    own_peer_checks: OwnPeerChecks, address_checks: AddressChecks, ip_family: Family
) -> None:
    """Routes within a range of prefixAdvertisements carry its communities, large ones as well.

    Why: routers outside decide by them what to accept and where to pass it on (RFC 1997, RFC 8092).
    """
    own_peer_checks.must_add_communities(ip_family, address_checks.read_ipam)


@pytest.mark.covers("B1", "B2")
def test_nodes_have_their_as_number_and_an_identifier_of_their_own(
    own_peer_checks: OwnPeerChecks, ip_family: Family
) -> None:
    """Each node opens its session with the AS number of BGPConfiguration or of its own annotation,
    which its paths begin with, and no two nodes have the same BGP Identifier.

    Why: RFC 6286 section 2.1. On an IPv6-only cluster there is no IPv4 address to take it from
    (CALICO_ROUTER_ID); peers refuse a second session with the same one.
    """
    own_peer_checks.must_identify_themselves(ip_family)


@pytest.mark.covers("B2")
def test_nodes_keep_their_sessions_alive(own_peer_checks: OwnPeerChecks, ip_family: Family) -> None:
    """With a hold time of 9 s, KEEPALIVE messages of each node come within it.

    Why: RFC 4271 section 4.4; a node that is too slow loses its sessions, and with them the routes.
    """
    own_peer_checks.must_keep_alive(ip_family)


@pytest.mark.covers("B2", "B4")
def test_a_filter_keeps_back_routes_of_its_family_alone(
    own_peer_checks: OwnPeerChecks, address_checks: AddressChecks, ip_family: Family
) -> None:
    """While a BGPFilter of the peer rejects every route of a family, nodes announce none of it, and
    those of the other family as before; once it is gone, they are announced again."""
    own_peer_checks.must_filter(ip_family, address_checks.read_ipam)
