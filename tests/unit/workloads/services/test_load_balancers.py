"""Load balancers: what is made, which addresses are right, whom ranges bar, who announces."""

from __future__ import annotations

import dataclasses
import ipaddress
from pathlib import Path
from typing import Any

import pytest

from sixproof.calico.bgp.configuration import Bgp
from sixproof.calico.pools import Pool
from sixproof.calico.state import CalicoState
from sixproof.errors import ApiError, NotAsked
from sixproof.kube.api import resources
from sixproof.model import Endpoint, EndpointKind, Family, Outcome, Protocol
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.topology import ProbeTopology
from sixproof.workloads.services import announcers, load_balancers
from sixproof.workloads.services.announcers import Announcers
from sixproof.workloads.services.kube_proxy import KubeProxy
from sixproof.workloads.services.load_balancers import LoadBalancers
from sixproof.workloads.services.manifests import Ingress, Service, ServicePort, service
from sixproof.workloads.services.routing import flows_to
from tests.unit.workloads.memory import MemoryCluster
from tests.unit.workloads.two_nodes import A1, A2, HOST1, HOST2, POOLS, WEB1, addresses, networks

MANIFESTS = Path(__file__).parents[4] / "manifests" / "services"
MESH = ProbeTopology(Run("abc123"), (A1, A2), (HOST1, HOST2))
RACK = Endpoint("rack", EndpointKind.OUTSIDE, addresses("10.102.0.2", "fd00:102::2"), pod="rack")
PROXY = KubeProxy("iptables")
FOUR, SIX = addresses("10.105.0.1", "fd00:105::1")
BOTH = Service(
    name="balanced",
    namespace="six-abc123-svc",
    kind="LoadBalancer",
    policy="PreferDualStack",
    families=(Family.IPV4, Family.IPV6),
    cluster_ips=addresses("10.96.0.7", "fd00:96::7"),
    ports=(ServicePort("tcp", Protocol.TCP, 80, "8080"),),
    ingress=(Ingress(SIX, mode="VIP"), Ingress(FOUR)),
)


def with_ingress(*found: Ingress, **changes: Any) -> Service:
    return dataclasses.replace(BOTH, ingress=found, **changes)


class Balanced(MemoryCluster):
    """A cluster that gives addresses of these families, and refuses others."""

    def __init__(self, *families: Family, refuses: str = "") -> None:
        super().__init__()
        self._families = families
        self._refuses = refuses

    def apply(self, manifest: Any) -> Any:
        if self._refuses and manifest["metadata"]["name"] == self._refuses:
            raise ApiError("no such family", status=422)
        made = super().apply(manifest)
        given = [
            {"ip": str(a), "ipMode": "VIP"}
            for a in (FOUR, SIX)
            if Family.of(a) in self._families and Family.of(a) in made["spec"]["ipFamilies"]
        ]
        made["status"] = {"loadBalancer": {"ingress": given} if given else {}}
        return made


def stood(cluster: Any, client: Endpoint | None = RACK) -> LoadBalancers:
    return load_balancers.create(cluster, MESH, MANIFESTS, client, 0.0)


def test_services_are_of_the_run_and_admit_the_client_outside() -> None:
    cluster = Balanced(*Family)
    found = stood(cluster)
    assert set(found.services) >= {
        *(load_balancers.CLUSTER, load_balancers.LOCAL, *load_balancers.WISHES),
        *(load_balancers.ADMITS, load_balancers.DENIES, *load_balancers.ONE_FAMILY.values()),
    }
    assert len(found.services) == 10
    assert not any(map(load_balancers.amiss, found.services.values()))
    made = {m["metadata"]["name"]: m["spec"] for m in cluster.list(resources.SERVICE)}
    assert made[load_balancers.LOCAL]["externalTrafficPolicy"] == "Local"
    assert made[load_balancers.WITHOUT_NODE_PORTS]["allocateLoadBalancerNodePorts"] is False
    admitted = made[load_balancers.ADMITS]["loadBalancerSourceRanges"]
    assert admitted == ["10.102.0.2/32", "fd00:102::2/128"]
    assert stood(Balanced(*Family), None).services.keys() == found.services.keys()


def test_what_a_cluster_cannot_grant_is_left_out_and_anything_else_is_an_error() -> None:
    refused = "balanced-single-6"
    assert refused not in stood(Balanced(*Family, refuses=refused)).services
    with pytest.raises(ApiError):
        stood(Balanced(*Family, refuses=load_balancers.CLUSTER))


@pytest.mark.parametrize(
    ("ingress", "why"),
    [
        ((), "services of type LoadBalancer are given no address: none of 1"),
        ((Ingress(host="elb.example"),), "names of hosts"),
    ],
)
def test_nothing_is_asked_where_nobody_gives_addresses(
    ingress: tuple[Ingress, ...], why: str
) -> None:
    with pytest.raises(NotAsked, match=why):
        load_balancers.must_be_assigned(LoadBalancers({"a": with_ingress(*ingress)}, 30.0))


def test_one_address_is_enough_to_ask() -> None:
    found = LoadBalancers({"a": BOTH, "b": with_ingress()}, 30.0)
    assert load_balancers.must_be_assigned(found) is found


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (BOTH, ""),
        (with_ingress(Ingress(FOUR), Ingress(SIX)), ""),
        (with_ingress(Ingress(host="elb.example")), ""),
        (with_ingress(Ingress(FOUR)), "has no IPv6 address: it has 10.105.0.1"),
        (with_ingress(), "has no IPv4 and no IPv6 address: it has none"),
        (with_ingress(Ingress(FOUR), Ingress(SIX), families=(Family.IPV6,)), "of a family it has"),
        (with_ingress(Ingress(FOUR), Ingress(SIX), Ingress(SIX + 1)), ""),
        (with_ingress(Ingress(FOUR), Ingress(A1.addresses[1])), "a range of pods or services"),
        (with_ingress(Ingress(FOUR), Ingress(SIX, mode="Other")), "ipMode Other"),
    ],
)
def test_a_load_balancer_has_one_address_of_each_family(found: Service, said: str) -> None:
    if said:
        assert said in load_balancers.amiss(found, POOLS)
    else:
        assert load_balancers.amiss(found, POOLS) == ""


def test_every_address_is_dialled() -> None:
    found = with_ingress(Ingress(FOUR), Ingress(SIX), Ingress(SIX + 1))
    targets = load_balancers.at_load_balancer(found, (WEB1,), PROXY)
    dialled = [(t.endpoint.name, t.endpoint.addresses) for t in targets]
    assert dialled == [("balanced", (FOUR, SIX)), ("balanced (2)", (SIX + 1,))]
    flows = flows_to([RACK], targets, Family)
    assert [str(f.address) for f in flows] == [str(FOUR), str(SIX), str(SIX + 1)]


@pytest.mark.parametrize(
    ("ranges", "barred"),
    [
        ((), ()),
        (("10.102.0.0/24", "fd00:102::/64"), ()),
        (("203.0.113.0/24", "2001:db8::/32"), (Family.IPV4, Family.IPV6)),
        (("203.0.113.0/24",), (Family.IPV4,)),
        (("2001:db8::/32",), (Family.IPV6,)),
        (("203.0.113.0/24", "0.0.0.0/0", "2001:db8::/32"), (Family.IPV6,)),
        (("203.0.113.0/24", "10.102.0.2/32"), ()),
    ],
)
def test_source_ranges_count_family_by_family(
    ranges: tuple[str, ...], barred: tuple[Family, ...]
) -> None:
    """kube-proxy admits everybody of a family of which there is no range."""
    found = dataclasses.replace(BOTH, source_ranges=networks(*ranges))
    (target,) = load_balancers.at_load_balancer(found, (WEB1,), PROXY)
    expectations = {
        Family.of(t.endpoint.addresses[0]): t.expectation(RACK)
        for t in load_balancers.for_client(target, found, RACK)
    }
    assert set(expectations) == set(Family)
    for family, expected in expectations.items():
        wanted = Outcome.DROPPED if family in barred else Outcome.ALLOWED
        assert expected.outcomes == {wanted}, family
        assert ("loadBalancerSourceRanges" in expected.because) is (family in barred)


def test_a_proxy_that_is_not_known_may_refuse_what_is_barred() -> None:
    found = dataclasses.replace(BOTH, source_ranges=networks("203.0.113.0/24"))
    (target,) = load_balancers.at_load_balancer(found, (WEB1,), KubeProxy())
    four, six = load_balancers.for_client(target, found, RACK)
    assert Outcome.REFUSED in four.expectation(RACK).outcomes
    assert six.expectation(RACK).outcomes == {Outcome.ALLOWED}
    assert (four.candidates(RACK), six.candidates(RACK)) == ((), (WEB1,))


def test_fields_are_read_from_what_the_api_server_gives_and_what_is_none_is_left_out() -> None:
    manifest = {
        "metadata": {"name": "w"},
        "spec": {
            "type": "LoadBalancer",
            "healthCheckNodePort": 31234,
            "loadBalancerSourceRanges": [" 10.0.0.0/8 ", "nonsense", 7],
            "loadBalancerClass": "calico",
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "x"}, {"hostname": "h"}, "?", None]}},
    }
    found = service(manifest)
    assert (found.health_port, found.load_balancer_class) == (31234, "calico")
    assert found.source_ranges == networks("10.0.0.0/8")
    assert found.ingress == (Ingress(), Ingress(host="h"))
    assert found.load_balancer_addresses == ()
    odd: dict[str, Any] = {"metadata": {"name": "w"}, "status": {"loadBalancer": []}}
    assert service(odd).ingress == ()


CALICO = CalicoState(
    "projectcalico.org/v3",
    pools=(
        Pool("pods", ipaddress.ip_network("10.244.0.0/16"), 26),
        Pool("lb4", ipaddress.ip_network("10.105.0.0/24"), 26, uses=("LoadBalancer",)),
        Pool("lb6", ipaddress.ip_network("fd00:105::/112"), 122, uses=("LoadBalancer",)),
    ),
    bgp=Bgp(enabled=True, load_balancer_ips=networks("10.105.0.0/24", "fd00:105::/112")),
)


def test_calico_announces_ranges_by_bgp() -> None:
    said = Announcers(CALICO).of(BOTH)
    assert "nodes announce fd00:105::/112 by BGP" in said
    assert "nodes announce 10.105.0.0/24 by BGP" in said


def test_an_address_in_no_range_is_announced_by_no_node() -> None:
    bare = dataclasses.replace(CALICO.bgp, load_balancer_ips=networks("10.105.0.0/24"))
    said = Announcers(dataclasses.replace(CALICO, bgp=bare)).of(BOTH)
    assert "no node announces fd00:105::1" in said
    assert "nodes announce 10.105.0.0/24 by BGP" in said
    silent = dataclasses.replace(CALICO, bgp=Bgp())
    assert "Calico speaks no BGP" in Announcers(silent).of(BOTH)


@pytest.mark.parametrize("calico", [None, dataclasses.replace(CALICO, pools=CALICO.pools[:1])])
def test_another_provider_is_not_known(calico: CalicoState | None) -> None:
    assert Announcers(calico).of(BOTH) == "its provider is not known"
    named = dataclasses.replace(BOTH, load_balancer_class="example.com/lb")
    assert Announcers(calico).of(named) == "its provider is not known, class example.com/lb"


def test_metallb_says_from_which_node() -> None:
    status = {
        "node": "worker",
        "serviceNamespace": BOTH.namespace,
        "serviceName": BOTH.name,
        "interfaces": [{"name": "eth0"}],
    }
    announced = announcers.at_the_link([{"status": status}, {"status": {"node": 7}}, {}])
    assert Announcers(CALICO, announced).of(BOTH) == "MetalLB announces it from worker (L2)"


class Asked:
    """An API server that has an answer, or refuses."""

    def __init__(self, answer: tuple[Any, ...] | int) -> None:
        self._answer = answer

    def list(self, _: object) -> tuple[Any, ...]:
        if isinstance(self._answer, int):
            raise ApiError("no", status=self._answer)
        return self._answer


def test_where_metallb_is_not_served_nothing_is_known_of_it() -> None:
    cluster: Any = Asked(404)
    assert announcers.read(cluster, None) == Announcers()
    broken: Any = Asked(500)
    with pytest.raises(ApiError):
        announcers.read(broken, None)
