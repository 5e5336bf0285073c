"""A router that peers with the nodes has the routes of every pod and service, each to its node.

Why: sessions may be Established, and every pod Ready, while a route of one family is filtered, or
leads to another node. The router's kernel is asked, so that this is found before a packet is lost.
"""

from __future__ import annotations

import pytest

from sixproof.checks.bgp.peer_routes import PeerRoutes
from sixproof.model import Family

pytestmark = [
    pytest.mark.feature("BGP"),
    pytest.mark.story("routes outside"),
    pytest.mark.covers("B1", "B4"),
]


def test_the_router_sends_packets_for_every_pod_to_its_node(
    peer_routes: PeerRoutes, ip_family: Family
) -> None:
    """Its kernel has a route to every pod's address, and the next hop is the pod's own node."""
    peer_routes.must_lead_to_pods(ip_family)


def test_the_router_sends_packets_for_ranges_of_services_to_nodes(
    peer_routes: PeerRoutes, ip_family: Family
) -> None:
    """Its kernel has a route to each range that BGPConfiguration advertises (serviceClusterIPs,
    serviceExternalIPs, serviceLoadBalancerIPs), and the next hop is a node."""
    peer_routes.must_lead_to_services(ip_family)
