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
    Finding,
    Flow,
    Matrix,
    NodeFacts,
    Observation,
    Outcome,
    Protocol,
    Severity,
)
from sixproof.reporting.matrix.grid import Expected
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome, Convergence, RunRecord

NODES = ("control-plane", "worker", "worker2")
PORT_SPECS = (
    (Protocol.TCP, 8080),
    (Protocol.TCP, 8081),
    (Protocol.UDP, 8080),
    (Protocol.ICMP, None),
)
OPEN = Expectation.allowed("no policy selects echo")
DENY = Expectation(frozenset({Outcome.DROPPED}), "NetworkPolicy x/deny-all ingress: no rule")

RUN = RunRecord("six-1", "2026-11-23T02:00:00Z", "2026-11-23T02:01:00Z", 60.0, "0.1.0", 1)

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


def measured(rule: Rule, title: str = "Pod to pod", *, headline: bool = False) -> Measured:
    """A judged matrix in which everything must be allowed."""
    matrix = topology(rule, title=title)
    return Measured(matrix, all_open(matrix), f"t.py::test_{title}", headline)


def broken() -> Results:
    """A run in which IPv6 is broken between two nodes."""
    return Results(
        RUN,
        environment=(("Kubernetes", "v1.37.0"),),
        facts=facts(),
        findings=(
            Finding("P9", Severity.NOTE, "pool", "is small"),
            Finding("P1", Severity.ERROR, "node worker", "forwarding is 0", "1", "sysctl -w <x>"),
        ),
        cases=(
            Case(
                "t.py::test_mesh[IPv6]",
                CaseOutcome.FAILED,
                message="all <IPv6> ...",
                family=Family.IPV6,
                accuses=(Family.IPV6,),
                covers=("L1",),
            ),
            Case("t.py::test_mesh[IPv4]", CaseOutcome.PASSED, family=Family.IPV4, covers=("L1",)),
            Case(
                "t.py::test_raw",
                CaseOutcome.SKIPPED,
                reason="needs the raw tier",
                enable="--six-raw on",
                covers=("M5", "Z9"),
            ),
            Case(
                "t.py::test_agent[IPv6]",
                CaseOutcome.BROKEN,
                message="agent lost",
                family=Family.IPV6,
            ),
        ),
        convergences=(
            Convergence("apply deny-all", 0.9, Family.IPV4, 3),
            Convergence("apply deny-all", 4.2, Family.IPV6, 9),
        ),
        matrices=(
            measured(v6_tunnel_broken, headline=True),
            measured(v6_tunnel_broken, "Again"),
            measured(works, "Calm"),
            measured(works, "Services", headline=True),
        ),
        damaged=("gw1.jsonl line 3: cut off",),
    )
