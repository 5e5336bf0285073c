"""Whose address a server must see: every way from a client to a backend, in both families."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.model import Endpoint, EndpointKind, Family, IPAddress
from sixproof.workloads.probe_pods.ports import PortSpec
from sixproof.workloads.services.kube_proxy import KubeProxy
from sixproof.workloads.services.routing import FrontendType, ServiceTarget
from sixproof.workloads.services.source import Outgoing, Translation, gateways, own_addresses
from tests.unit.workloads.two_nodes import (
    A1,
    A2,
    HOST1,
    HOST2,
    NODES,
    POOLS,
    TUNNELS,
    WEB1,
    WEB2,
    addresses,
    networks,
)

PROXY = KubeProxy("iptables", "ClusterCIDR", POOLS)
USUAL = Translation(
    proxy=PROXY,
    outgoing=Outgoing(POOLS, POOLS),
    nodes=NODES,
    own=own_addresses(NODES.values(), TUNNELS),
)
SERVICE = Endpoint(name="web", kind=WEB1.kind)


def dialled(frontend: FrontendType, at: str = "", *, local: bool = False) -> ServiceTarget:
    """A target behind a frontend, at a node where it has one."""
    endpoint = dataclasses.replace(SERVICE, node=at.removesuffix("!"))
    port_specs: tuple[PortSpec, ...] = ()
    return ServiceTarget(endpoint, frontend, port_specs, (), local=local)


CLUSTER_IP = dialled(FrontendType.CLUSTER_IP)
DIRECT = dialled(FrontendType.DIRECT)
AT1, AT2 = dialled(FrontendType.NODE_PORT, "n1"), dialled(FrontendType.NODE_PORT, "n2")
LOCAL1, LOCAL2 = (dialled(FrontendType.NODE_PORT, n, local=True) for n in ("n1", "n2"))
HOST_PORT1 = dialled(FrontendType.HOST_PORT, "n1")

BALANCED = dialled(FrontendType.LOAD_BALANCER)
EXTERNAL = dialled(FrontendType.EXTERNAL_IP)
BALANCED_LOCAL = dialled(FrontendType.LOAD_BALANCER, local=True)
RACK = Endpoint("rack", EndpointKind.OUTSIDE, addresses("10.102.0.2", "fd00:102::2"), pod="rack")

OWN, N1, N2 = "the client's own", "an address of n1", "an address of n2"

WAYS = [
    # a clusterIP keeps pods' addresses, hides nodes and hairpins
    (A1, CLUSTER_IP, WEB1, OWN),
    (A1, CLUSTER_IP, WEB2, OWN),
    (HOST1, CLUSTER_IP, WEB1, N1),
    (HOST1, CLUSTER_IP, WEB2, N1),
    (WEB1, CLUSTER_IP, WEB1, N1),
    (WEB1, CLUSTER_IP, WEB2, OWN),
    # a backend that is a node: natOutgoing on the way to another node, nothing on the own one
    (A1, CLUSTER_IP, HOST1, OWN),
    (A1, CLUSTER_IP, HOST2, N1),
    (HOST1, CLUSTER_IP, HOST1, N1),
    (HOST1, CLUSTER_IP, HOST2, N1),
    # a NodePort hides everybody behind the node that was dialled
    (A1, AT1, WEB1, N1),
    (A1, AT1, WEB2, N1),
    (A1, AT2, WEB1, N2),
    (HOST1, AT1, WEB2, N1),
    (HOST1, AT2, WEB2, N2),
    (WEB1, AT1, WEB1, N1),
    (WEB1, AT2, WEB1, N2),
    # ... but on the node itself a backend of its host network is delivered to, not forwarded
    (A1, AT1, HOST1, OWN),
    (A1, AT2, HOST2, N1),
    # with externalTrafficPolicy Local it hides nobody; natOutgoing hides pods of other nodes
    (A1, LOCAL1, WEB1, OWN),
    (A1, LOCAL1, WEB2, OWN),
    (A1, LOCAL1, HOST2, N1),
    (A1, LOCAL2, WEB2, N1),
    (HOST1, LOCAL1, WEB2, N1),
    (HOST1, LOCAL2, WEB2, N1),
    (WEB1, LOCAL1, WEB1, N1),
    # a HostPort hides only hairpins
    (A1, HOST_PORT1, WEB1, OWN),
    (A2, HOST_PORT1, WEB1, N2),
    (HOST2, HOST_PORT1, WEB1, N2),
    (WEB1, HOST_PORT1, WEB1, N1),
    # a load balancer's address is met on the client's own node, and hides it unless it is Local
    (A1, BALANCED, WEB1, N1),
    (A1, BALANCED, WEB2, N1),
    (HOST1, BALANCED, WEB2, N1),
    (A1, EXTERNAL, WEB2, N1),
    (HOST1, EXTERNAL, WEB2, N1),
    (A1, BALANCED_LOCAL, WEB1, OWN),
    (A1, BALANCED_LOCAL, WEB2, OWN),
    (HOST1, BALANCED_LOCAL, WEB2, N1),
    (WEB1, BALANCED_LOCAL, WEB1, N1),
    # ... of a client outside as well
    (RACK, BALANCED_LOCAL, WEB2, OWN),
    # no service at all
    (A1, DIRECT, WEB2, OWN),
    (A1, DIRECT, HOST1, OWN),
    (A1, DIRECT, HOST2, N1),
    (HOST1, DIRECT, WEB2, N1),
    (HOST1, DIRECT, HOST2, N1),
]


def in_words(way: tuple[Endpoint, ServiceTarget, Endpoint, str]) -> str:
    """A way in words."""
    client, target, backend, _ = way
    local = " Local" if target.local else ""
    frontend = f"{target.frontend}{local} {target.endpoint.node}".strip()
    return f"{client.name} by {frontend} to {backend.name}"


def meant(words: str, client: Endpoint, family: Family) -> frozenset[IPAddress]:
    """The addresses that the words of a row stand for."""
    own = client.address(family)
    if words == OWN:
        return frozenset({own} if own else ())
    name = words.removeprefix("an address of ")
    return frozenset(a for a in USUAL.own[name] if Family.of(a) is family)


@pytest.mark.parametrize("family", Family, ids=str)
@pytest.mark.parametrize("way", WAYS, ids=in_words)
def test_usual_cluster(way: tuple[Endpoint, ServiceTarget, Endpoint, str], family: Family) -> None:
    client, target, backend, words = way
    source = USUAL.source(client, target, backend, family)
    assert source.addresses == meant(words, client, family)
    assert source.because


@pytest.mark.parametrize("family", Family, ids=str)
def test_a_load_balancer_shows_some_node_to_servers_unless_it_is_local(family: Family) -> None:
    source = USUAL.source(RACK, BALANCED, WEB1, family)
    assert source.addresses == meant(N1, A1, family) | meant(N2, A1, family)
    assert RACK.address(family) not in source.addresses
    unknown = dataclasses.replace(USUAL, proxy=KubeProxy())
    assert unknown.source(RACK, BALANCED, WEB1, family).addresses == frozenset()


def test_a_client_without_the_family_shows_nothing() -> None:
    four = dataclasses.replace(RACK, addresses=RACK.addresses[:1])
    assert USUAL.source(four, BALANCED_LOCAL, WEB1, Family.IPV6).addresses == frozenset()


def test_a_node_s_addresses_are_those_of_its_tunnels_too() -> None:
    source = USUAL.source(HOST1, CLUSTER_IP, WEB2, Family.IPV6)
    assert sorted(map(str, source.addresses)) == ["2001:db8::1", "fd00:10:244:1::"]


def test_a_gateway_of_a_node_s_own_pods_is_an_address_of_that_node() -> None:
    """kindnet and flannel: the kernel picks it for packets to these pods. The same address on
    another node, and one outside of pods' ranges, are not."""
    cidrs = {"n1": networks("10.244.1.0/24", "fd00:10:244:1::/64")}
    nodes = [dataclasses.replace(n, pod_cidrs=cidrs.get(n.name, ())) for n in NODES.values()]
    bridge, other = addresses("10.244.1.1", "192.0.2.9")
    held = [("n1", bridge), ("n2", bridge), ("n1", other)]
    assert list(gateways(nodes, held)) == [("n1", bridge)]
    own = own_addresses(nodes, gateways(nodes, held))
    source = dataclasses.replace(USUAL, own=own).source(HOST1, DIRECT, WEB1, Family.IPV4)
    assert bridge in source.addresses


@pytest.mark.parametrize("family", Family, ids=str)
def test_a_portmap_of_an_unknown_cni_may_masquerade_pods_of_its_node(family: Family) -> None:
    """kindnet: host-local gives the backend the node's whole range. Nobody else is masqueraded."""
    unknown = dataclasses.replace(USUAL, outgoing=Outgoing())
    own, node = meant(OWN, A1, family), meant(N1, A1, family)
    assert unknown.source(A1, HOST_PORT1, WEB1, family).addresses == own | node
    assert unknown.source(HOST1, HOST_PORT1, WEB1, family).addresses == node
    assert unknown.source(A2, HOST_PORT1, WEB1, family).addresses == frozenset()
    assert USUAL.source(A1, HOST_PORT1, WEB1, family).addresses == own


@pytest.mark.parametrize("family", Family, ids=str)
def test_without_nat_outgoing_pods_keep_their_addresses(family: Family) -> None:
    one = POOLS[0] if family is Family.IPV6 else POOLS[1]  # natOutgoing of the other family only
    bare = dataclasses.replace(USUAL, outgoing=Outgoing(POOLS, (one,)))
    source = bare.source(A1, DIRECT, HOST2, family)
    assert source.addresses == {A1.address(family)}
    assert "no natOutgoing" in source.because


def test_nodes_may_count_as_inside() -> None:
    kind = dataclasses.replace(USUAL, outgoing=Outgoing(POOLS, POOLS, hosts_too=False))
    assert kind.source(A1, DIRECT, HOST2, Family.IPV6).addresses == {A1.address(Family.IPV6)}


def test_masquerade_all() -> None:
    proxy = dataclasses.replace(PROXY, masquerade_all=True)
    all_ = dataclasses.replace(USUAL, proxy=proxy)
    assert all_.source(A1, CLUSTER_IP, WEB2, Family.IPV6).addresses == meant(N1, A1, Family.IPV6)
    assert all_.source(A1, DIRECT, WEB2, Family.IPV6).addresses == {A1.address(Family.IPV6)}


@pytest.mark.parametrize(
    ("mode", "words"), [("NodeCIDR", N1), ("BridgeInterface", OWN), ("InterfaceNamePrefix", OWN)]
)
def test_other_ways_to_detect_local_pods(mode: str, words: str) -> None:
    """Calico's pods are not in their node's podCIDR: kube-proxy takes them for strangers."""
    proxy = dataclasses.replace(PROXY, detect_local=mode)
    other = dataclasses.replace(USUAL, proxy=proxy)
    seen = other.source(A1, CLUSTER_IP, WEB2, Family.IPV6).addresses
    assert seen == meant(words, A1, Family.IPV6)


def test_a_cluster_cidr_of_one_family_makes_strangers_of_the_other() -> None:
    proxy = dataclasses.replace(PROXY, cluster_cidrs=networks("10.244.0.0/16"))
    half = dataclasses.replace(USUAL, proxy=proxy)
    source = half.source(A1, CLUSTER_IP, WEB2, Family.IPV6)
    assert source.addresses == meant(N1, A1, Family.IPV6)
    assert "does not take a@n1 for a pod of its node" in source.because
    assert half.source(A1, CLUSTER_IP, WEB2, Family.IPV4).addresses == {A1.address(Family.IPV4)}


def test_what_is_not_known_is_not_claimed() -> None:
    unknown = dataclasses.replace(USUAL, proxy=KubeProxy(), outgoing=Outgoing())
    for target, backend in ((CLUSTER_IP, WEB2), (AT2, WEB2), (DIRECT, HOST2)):
        assert unknown.source(A1, target, backend, Family.IPV6).addresses == frozenset()
    assert unknown.source(A1, DIRECT, WEB2, Family.IPV6).addresses == {A1.address(Family.IPV6)}


def test_a_client_without_the_family() -> None:
    one = dataclasses.replace(A1, addresses=A1.addresses[:1])
    assert USUAL.source(one, CLUSTER_IP, WEB2, Family.IPV6).addresses <= USUAL.own["n1"]
    assert USUAL.source(one, DIRECT, WEB2, Family.IPV6).addresses == frozenset()
