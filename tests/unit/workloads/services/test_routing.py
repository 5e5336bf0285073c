"""Who may answer a client, and what it must come to."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.model import Family, Outcome, Protocol
from sixproof.workloads.probe_pods.ports import PortSpec
from sixproof.workloads.services.kube_proxy import KubeProxy
from sixproof.workloads.services.manifests import Service, ServicePort
from sixproof.workloads.services.routing import (
    FrontendType,
    ServiceTarget,
    at_cluster_ip,
    at_nodes,
    flows_to,
    not_at_nodes,
)
from tests.unit.workloads.two_nodes import A1, A2, HOST1, HOST2, NODES, WEB1, WEB2, addresses

PROXY = KubeProxy("nftables")
WEB = Service(
    name="web",
    namespace="shop",
    kind="NodePort",
    policy="PreferDualStack",
    families=(Family.IPV6, Family.IPV4),
    cluster_ips=addresses("fd00:96::7", "10.96.0.7"),
    ports=(
        ServicePort("http", Protocol.TCP, 80, "8080", 30080),
        ServicePort("echo", Protocol.UDP, 80, "8080", 30081),
    ),
)


def outcomes(target: ServiceTarget, client: object = A1) -> set[Outcome]:
    """What a client's connection must come to."""
    return set(target.expectation(client).outcomes)  # type: ignore[arg-type]


def test_every_backend_may_answer() -> None:
    target = at_cluster_ip(WEB, [WEB1, WEB2], PROXY)
    assert target.candidates(A1) == (WEB1, WEB2)
    assert outcomes(target) == {Outcome.ALLOWED}
    assert target.expectation(A1).because == "web@n1, web@n2 are behind the clusterIP of web"


def test_what_is_dialled_directly_says_so() -> None:
    target = ServiceTarget(WEB1, FrontendType.DIRECT, (), (WEB1,))
    assert target.expectation(A1).because == "web@n1 is dialled at its own address"


def test_nobody_behind_it_is_a_refusal() -> None:
    for target in (at_cluster_ip(WEB, [], PROXY), at_nodes(WEB, NODES.values(), [], PROXY)[0]):
        assert outcomes(target) == {Outcome.REFUSED}
        assert target.candidates(A1) == ()


def test_internal_local_stays_on_the_client_s_node() -> None:
    target = at_cluster_ip(WEB, [WEB1], PROXY, local=True)
    assert [target.candidates(c) for c in (A1, HOST1, A2, HOST2)] == [(WEB1,), (WEB1,), (), ()]
    assert outcomes(target, A1) == {Outcome.ALLOWED}
    assert outcomes(target, A2) == {Outcome.DROPPED}
    assert "keeps its traffic on n2" in target.expectation(A2).because


def test_external_local_stays_on_the_dialled_node_but_for_its_own_clients() -> None:
    at1, at2 = at_nodes(WEB, NODES.values(), [WEB1], PROXY, local=True)
    assert [t.endpoint.name for t in (at1, at2)] == ["web at n1", "web at n2"]
    assert [at1.candidates(c) for c in (A1, A2)] == [(WEB1,), (WEB1,)]
    assert [at2.candidates(c) for c in (A1, A2, HOST1, HOST2)] == [(), (WEB1,), (), (WEB1,)]
    assert outcomes(at2, A1) == {Outcome.DROPPED}


@pytest.mark.parametrize("mode", ["ipvs", ""])
def test_other_proxies_may_refuse_what_kube_proxy_drops(mode: str) -> None:
    target = at_cluster_ip(WEB, [WEB1], KubeProxy(mode), local=True)
    assert outcomes(target, A2) == {Outcome.DROPPED, Outcome.REFUSED, Outcome.REJECTED}


def test_the_family_that_a_service_lacks_is_closed_on_nodes() -> None:
    six = dataclasses.replace(WEB, families=(Family.IPV6,))
    lacking = not_at_nodes(six, NODES.values())
    assert [t.endpoint.addresses for t in lacking] == [
        addresses("192.0.2.1"),
        addresses("192.0.2.2"),
    ]
    assert outcomes(lacking[0]) == {Outcome.REFUSED}
    assert lacking[0].expectation(A1).because == "web has no IPv4: nothing listens on its NodePort"
    present = at_nodes(six, NODES.values(), [WEB1], PROXY)
    assert present[0].endpoint.addresses == addresses("2001:db8::1")
    assert all(not t.endpoint.addresses for t in not_at_nodes(WEB, NODES.values()))


def test_flows_go_where_both_ends_have_an_address() -> None:
    target = at_cluster_ip(WEB, [WEB1], PROXY)
    one = dataclasses.replace(A2, addresses=A2.addresses[:1])  # IPv4 alone
    found = flows_to([A1, one], [target], Family)
    assert [(f.source.name, f.family, f.port_spec) for f in found] == [
        ("a@n1", Family.IPV4, "tcp/80"),
        ("a@n1", Family.IPV4, "udp/80"),
        ("a@n1", Family.IPV6, "tcp/80"),
        ("a@n1", Family.IPV6, "udp/80"),
        ("a@n2", Family.IPV4, "tcp/80"),
        ("a@n2", Family.IPV4, "udp/80"),
    ]
    chosen = flows_to([A1], [target], [Family.IPV6], [PortSpec(Protocol.TCP, 443)])
    assert [str(f) for f in chosen] == ["a@n1 -> web over IPv6 tcp/443 ([fd00:96::7]:443)"]
