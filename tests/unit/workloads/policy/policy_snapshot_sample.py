"""three namespaces of nine pods on three nodes, for the tests of policy cases."""

from __future__ import annotations

import ipaddress

from sixproof.model import ClusterFacts, Endpoint, EndpointKind, Family, NodeFacts, Protocol
from sixproof.policy import ClusterSnapshot, Node, ServicePortSnapshot, ServiceSnapshot
from sixproof.workloads.policy.policy_namespaces import (
    NAMESPACES,
    PARTS,
    POLICY_NAMESPACES,
    PolicyNamespaces,
)
from sixproof.workloads.probe_pods.identity import Run

RUN = Run("abc123")
HOMES = {name: RUN.namespace(f"gw0-{name}") for name in NAMESPACES}


def _pod(row: int, column: int, name: str) -> Endpoint:
    part = PARTS[column]
    number = (row + column) % 3 + 1
    addresses = (f"10.244.{number}.{row + 5}", f"fd00:10:244:{number}::{row + 5:x}")
    return Endpoint(
        name=f"{name}/{part.name}",
        kind=EndpointKind.POD,
        addresses=tuple(map(ipaddress.ip_address, addresses)),
        namespace=HOMES[name],
        pod=part.name,
        node=f"n{number}",
        labels=tuple(sorted({POLICY_NAMESPACES: "abc123-gw0", **part.labels}.items())),
        service_account=part.account,
    )


def _host(number: int) -> Endpoint:
    addresses = (f"192.0.2.{number}", f"2001:db8::{number}")
    return Endpoint(
        name=f"host@n{number}",
        kind=EndpointKind.HOST,
        addresses=tuple(map(ipaddress.ip_address, addresses)),
        namespace=RUN.namespace("host"),
        pod=f"host-n{number}",
        node=f"n{number}",
    )


PODS = tuple(_pod(r, c, name) for r, name in enumerate(NAMESPACES) for c in range(len(PARTS)))
HOSTS = tuple(map(_host, (1, 2, 3)))
SCENE = PolicyNamespaces(RUN, "gw0", HOMES, PODS, HOSTS)
FACTS = ClusterFacts(
    server="",
    version="",
    nodes=tuple(NodeFacts(h.node, h.addresses) for h in HOSTS),
    pod_families=tuple(Family),
    pod_cidrs=tuple(map(ipaddress.ip_network, ("10.244.0.0/16", "fd00:10:244::/56"))),
    service_cidrs=tuple(map(ipaddress.ip_network, ("10.96.0.0/16", "fd00:10:96::/112"))),
)
SERVICE = ServiceSnapshot(
    HOMES["shop"],
    "web",
    tuple(map(ipaddress.ip_address, ("10.96.0.9", "fd00:10:96::9"))),
    ports=(
        ServicePortSnapshot(80, Protocol.TCP, 8080, 30080),
        ServicePortSnapshot(80, Protocol.UDP, 8080),
    ),
    backends=(SCENE.pod("shop/web"),),
)
WORLD = ClusterSnapshot.of(
    SCENE.namespace_labels(),
    nodes=[Node(h.node, h.addresses) for h in HOSTS],
    ports=SCENE.named_ports(),
    service_accounts=SCENE.service_accounts(),
    services=(SERVICE,),
    endpoints=(*PODS, *HOSTS),
)
