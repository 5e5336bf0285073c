"""A made-up cluster for the tests: nine pods on three nodes, both families, four ports."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

from sixproof.model import (
    ClusterFacts,
    Endpoint,
    EndpointKind,
    Expectation,
    Family,
    Flow,
    Matrix,
    NodeFacts,
    Observation,
    Outcome,
    Protocol,
)
from sixproof.reporting.matrix.grid import Expected

NODES = ("control-plane", "worker", "worker2")
PORT_SPECS = (
    (Protocol.TCP, 8080),
    (Protocol.TCP, 8081),
    (Protocol.UDP, 8080),
    (Protocol.ICMP, None),
)
OPEN = Expectation.allowed("no policy selects echo")
DENY = Expectation(frozenset({Outcome.DROPPED}), "NetworkPolicy x/deny-all ingress: no rule")

Rule = Callable[[Flow], Outcome]


def pod(role: str, node: str, number: int) -> Endpoint:
    """A dual-stack pod, named by its role and node."""
    return Endpoint(
        name=f"{role}@{node}",
        kind=EndpointKind.POD,
        addresses=(
            ipaddress.ip_address(f"192.168.{number}.{number + 10}"),
            ipaddress.ip_address(f"fd00:10:244:{number:x}::{number + 10:x}"),
        ),
        namespace="six-x",
        pod=f"{role}-{number}",
        node=node,
        labels=(("role", role),),
    )


def pods(roles: str = "abc", nodes: Iterable[str] = NODES) -> tuple[Endpoint, ...]:
    """One pod a role and node."""
    pairs = [(role, node) for node in nodes for role in roles]
    return tuple(pod(role, node, number) for number, (role, node) in enumerate(pairs, 1))


def works(_: Flow) -> Outcome:
    """Nothing is broken."""
    return Outcome.ALLOWED


def seen(flow: Flow, outcome: Outcome, **more: object) -> Observation:
    """An observation with evidence that befits its outcome."""
    if outcome is Outcome.UNKNOWN:
        return Observation(flow, outcome, reason="agent channel lost")
    if outcome is Outcome.ALLOWED:
        return Observation(
            flow,
            outcome,
            waited=1.0,
            latency=0.0004,
            peer_saw=flow.source.address(flow.family),
            answered_by=flow.destination.pod,
            arrived=True,
            nonce="n1",
        )
    return Observation(
        flow,
        outcome,
        attempts=3,
        waited=3.2,
        arrived=outcome is Outcome.REPLY_LOST,
        nonce="n1",
    )


def topology(
    rule: Rule = works,
    *,
    endpoints: Iterable[Endpoint] | None = None,
    port_specs: Iterable[tuple[Protocol, int | None]] = PORT_SPECS,
    families: Iterable[Family] = tuple(Family),
    title: str = "Pod to pod",
    itself: bool = True,
) -> Matrix:
    """Every endpoint to every endpoint in each family and port, as `rule` says."""
    places = tuple(endpoints or pods())
    flows = [
        Flow(source, destination, address, protocol, port)
        for family in families
        for source in places
        for destination in places
        if itself or source != destination
        for protocol, port in port_specs
        if (address := destination.address(family)) is not None
    ]
    return Matrix.of(title, [seen(flow, rule(flow)) for flow in flows])


def all_open(matrix: Matrix) -> Expected:
    """Everything must be allowed."""
    return dict.fromkeys(matrix.cells, OPEN)


def between(flow: Flow, one: str, other: str) -> bool:
    """Whether a flow runs between two nodes, either way."""
    return {flow.source.node, flow.destination.node} == {one, other}


def v6_tunnel_broken(flow: Flow) -> Outcome:
    """TCP and UDP over IPv6 die between the two workers; ICMPv6 passes."""
    dead = between(flow, "worker", "worker2") and flow.port is not None
    return Outcome.DROPPED if dead and flow.family is Family.IPV6 else Outcome.ALLOWED


def facts() -> ClusterFacts:
    """A dual-stack cluster with Calico and VXLAN."""
    nodes = tuple(
        NodeFacts(
            name=name,
            addresses=(
                ipaddress.ip_address(f"172.18.0.{number}"),
                ipaddress.ip_address(f"fc00:f853:ccd:e793::{number}"),
            ),
            kernel="6.18.5",
            os_image="Debian GNU/Linux 12 (bookworm)",
            runtime="containerd://1.6.20",
            kubelet="v1.37.0",
        )
        for number, name in enumerate(NODES, 2)
    )
    return ClusterFacts(
        server="https://127.0.0.1:6443",
        version="v1.37.0",
        nodes=nodes,
        service_families=(Family.IPV4, Family.IPV6),
        pod_families=(Family.IPV4, Family.IPV6),
        service_cidrs=(
            ipaddress.ip_network("10.96.0.0/16"),
            ipaddress.ip_network("fd00:10:96::/112"),
        ),
        pod_cidrs=(
            ipaddress.ip_network("192.168.0.0/16"),
            ipaddress.ip_network("fd00:10:244::/56"),
        ),
        cni="Calico",
        cni_version="v3.31.2",
        dataplane="iptables",
        encapsulation=((Family.IPV4, "VXLAN"), (Family.IPV6, "VXLAN")),
        pod_mtu=1430,
        kube_proxy_mode="iptables",
        calico_api=True,
    )
