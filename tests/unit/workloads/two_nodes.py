"""Two nodes of a dual-stack cluster with pods, for the tests of services."""

from __future__ import annotations

import ipaddress

from sixproof.model import Endpoint, EndpointKind, IPAddress, IPNetwork, NodeFacts


def addresses(*texts: str) -> tuple[IPAddress, ...]:
    """Addresses of these texts."""
    return tuple(map(ipaddress.ip_address, texts))


def networks(*texts: str) -> tuple[IPNetwork, ...]:
    """Networks of these texts."""
    return tuple(map(ipaddress.ip_network, texts))


POOLS = networks("10.244.0.0/16", "fd00:10:244::/56")
NODES = {
    f"n{i}": NodeFacts(
        f"n{i}",
        addresses(f"192.0.2.{i}", f"2001:db8::{i}"),
        networks(f"10.9.{i}.0/24", f"fd00:9:0:{i}::/64"),
    )
    for i in (1, 2)
}
TUNNELS = [
    (name, address)
    for i, name in enumerate(NODES, 1)
    for address in addresses(f"10.244.{i}.0", f"fd00:10:244:{i}::")
]


def pod(name: str, node: str, number: int) -> Endpoint:
    """A pod on a node, in the pools."""
    i = node.removeprefix("n")
    return Endpoint(
        name=f"{name}@{node}",
        kind=EndpointKind.POD,
        addresses=addresses(f"10.244.{i}.{number}", f"fd00:10:244:{i}::{number:x}"),
        namespace="shop",
        pod=f"{name}-{node}",
        node=node,
    )


def host(node: str) -> Endpoint:
    """The host-network agent of a node."""
    return Endpoint(
        name=f"host@{node}",
        kind=EndpointKind.HOST,
        addresses=NODES[node].addresses,
        namespace="shop-host",
        pod=f"host-{node}",
        node=node,
    )


A1, A2 = pod("a", "n1", 5), pod("a", "n2", 5)
WEB1, WEB2 = pod("web", "n1", 7), pod("web", "n2", 7)
HOST1, HOST2 = host("n1"), host("n2")
