"""resolv.conf as glibc reads it, and the DNS behind it."""

from __future__ import annotations

import ipaddress
from typing import Any, cast

import pytest

from sixproof.errors import ApiError, InfrastructureError
from sixproof.kube.api import resources
from sixproof.kube.api.client import Cluster
from sixproof.model import Family
from sixproof.probes.dns import servers
from sixproof.probes.dns.servers import ResolvConf
from sixproof.probes.dns.verdict import Transport

POD = """# made by kubelet
search shop.svc.cluster.local svc.cluster.local cluster.local example.org
nameserver 10.96.0.10
nameserver fd00:10:96::a
options ndots:5 timeout:2 attempts:3 rotate
"""
CONF = ResolvConf.parse(POD)


def ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)


def test_resolv_conf_of_a_pod() -> None:
    assert CONF.nameservers == (ip("10.96.0.10"), ip("fd00:10:96::a"))
    assert CONF.families() == set(Family)
    assert (CONF.ndots, CONF.timeout, CONF.attempts) == (5, 2, 3)
    assert CONF.zone == "cluster.local"


@pytest.mark.parametrize(
    ("text", "conf"),
    [
        ("", ResolvConf()),
        ("nameserver\nsearch\noptions\n;comment\n", ResolvConf()),
        ("options ndots:99 timeout:600", ResolvConf(ndots=15, timeout=30)),
        ("options timeout:0 ndots:x", ResolvConf(timeout=1)),
        ("nameserver fe80::1%eth0", ResolvConf((ip("fe80::1"),))),
        ("nameserver no-address\nnameserver ::1", ResolvConf((ip("::1"),))),
        ("search a\nsearch b. C", ResolvConf(search=("b", "c"))),
        ("options ndots:2\noptions timeout:3", ResolvConf(ndots=2, timeout=3)),
        (
            "".join(f"nameserver 192.0.2.{i}\n" for i in range(1, 6)),
            ResolvConf(tuple(ip(f"192.0.2.{i}") for i in (1, 2, 3))),
        ),
    ],
)
def test_resolv_conf(text: str, conf: ResolvConf) -> None:
    assert ResolvConf.parse(text) == conf


@pytest.mark.parametrize(
    ("search", "zone"),
    [
        (("a.svc.k8s.example", "svc.k8s.example", "k8s.example"), "k8s.example"),
        (("example.org",), ""),
        ((), ""),
    ],
)
def test_zone(search: tuple[str, ...], zone: str) -> None:
    assert ResolvConf(search=search).zone == zone


@pytest.mark.parametrize(
    ("name", "first", "last", "count"),
    [
        ("web", "web.shop.svc.cluster.local.", "web.", 5),
        ("web.shop", "web.shop.shop.svc.cluster.local.", "web.shop.", 5),
        ("a.b.c.d.e.f", "a.b.c.d.e.f.", "a.b.c.d.e.f.example.org.", 5),
        ("web.shop.", "web.shop.", "web.shop.", 1),
    ],
)
def test_search_order(name: str, first: str, last: str, count: int) -> None:
    tries = CONF.tries(name)
    assert (tries[0], tries[-1], len(tries)) == (first, last, count)


PORTS = [
    {"name": "dns", "protocol": "UDP", "port": 53},
    {"name": "dns-tcp", "protocol": "TCP", "port": 53},
    {"name": "metrics", "protocol": "TCP", "port": 9153},
]


def service(
    name: str, namespace: str, *ips: str, labels: dict[str, str] | None = None
) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
        "spec": {"clusterIPs": list(ips), "ports": PORTS, "selector": {"k8s-app": name}},
    }


def endpoint_slice(*addresses: str, port: int = 53) -> dict[str, Any]:
    ports = [{**p, "port": port} if p["port"] == 53 else p for p in PORTS]
    return {
        "ports": ports,
        "endpoints": [
            {"addresses": [a], "nodeName": "worker", "targetRef": {"name": f"coredns-{i}"}}
            for i, a in enumerate(addresses)
        ]
        + [{"addresses": ["2001:db8::dead"], "conditions": {"ready": False}}],
    }


class FakeCluster:
    """What a cluster would list."""

    def __init__(
        self, services: list[dict[str, Any]], slices: list[dict[str, Any]], corefile: str = ""
    ) -> None:
        self._lists = {
            str(resources.SERVICE): services,
            str(resources.ENDPOINT_SLICE): slices,
        }
        self._corefile = corefile
        self.asked: list[tuple[str, str, str]] = []

    def find(self, kind: resources.Kind, name: str, namespace: str) -> dict[str, Any] | None:
        self.asked.append((str(kind), namespace, name))
        if self._corefile == "refused":
            raise ApiError("get configmaps kube-system/coredns: forbidden", status=403)
        return {"data": {"Corefile": self._corefile}} if self._corefile else None

    def list(
        self, kind: resources.Kind, namespace: str = "", labels: str = "", fields: str = ""
    ) -> tuple[dict[str, Any], ...]:
        self.asked.append((str(kind), namespace, labels or fields))
        return tuple(self._lists[str(kind)])


def find(conf: ResolvConf, *arguments: Any) -> servers.ClusterDns:
    return servers.find(cast(Cluster, FakeCluster(*arguments)), conf)


WEB = service("web", "shop", "10.96.0.99", "fd00:10:96::99")
KUBE_DNS = service("kube-dns", "kube-system", "10.96.0.10", "fd00:10:96::a")
SLICES = [endpoint_slice("10.244.0.1", "10.244.0.2"), endpoint_slice("fd00:10:244::1")]


def test_dns_is_the_service_behind_a_nameserver() -> None:
    dns = find(CONF, [WEB, KUBE_DNS], SLICES)

    assert (dns.zone, dns.service) == ("cluster.local", "kube-system/kube-dns")
    assert [str(s.address) for s in dns.addresses] == ["10.96.0.10", "fd00:10:96::a"]
    assert [str(s.address) for s in dns.of(Family.IPV6)] == ["fd00:10:96::a"]
    assert [str(s.address) for s in dns.pods_of(Family.IPV6)] == ["fd00:10:244::1"]
    assert {s.name for s in dns.pods} == {"coredns-0", "coredns-1"}
    assert {s.node for s in dns.pods} == {"worker"}
    assert (dns.namespace, dns.selector) == ("kube-system", (("k8s-app", "kube-dns"),))
    assert not dns.falls_through


def test_dns_may_have_another_name_and_its_pods_another_port() -> None:
    conf = ResolvConf.parse(POD.replace("10.96.0.10", "10.96.0.11"))
    openshift = service("dns-default", "openshift-dns", "10.96.0.11")
    dns = find(conf, [KUBE_DNS, openshift], [endpoint_slice("10.244.0.1", port=5353)])

    assert dns.service == "kube-system/kube-dns"  # the second nameserver is its own
    dns = find(
        ResolvConf.parse(POD.replace("10.96.0.10", "10.96.0.11").replace("fd00:10:96::a", "::9")),
        [KUBE_DNS, openshift],
        [endpoint_slice("10.244.0.1", port=5353)],
    )
    assert dns.service == "openshift-dns/dns-default"
    assert dns.pods[0].port(Transport.TCP) == 5353
    assert dns.addresses[0].port(Transport.UDP) == 53


def test_node_local_cache_leaves_kube_dns() -> None:
    conf = ResolvConf.parse(POD.replace("10.96.0.10", "169.254.20.10").replace("fd00:10:96::a", ""))
    labelled = service("dns", "kube-system", "10.96.0.10", labels={"k8s-app": "kube-dns"})
    assert find(conf, [WEB, labelled], SLICES).service == "kube-system/dns"


@pytest.mark.parametrize(
    ("corefile", "falls"),
    [
        ("kubernetes cluster.local { fallthrough ip6.arpa }", True),
        ("kubernetes cluster.local { fallthrough ip6.arpa } forward . /etc/resolv.conf", False),
        ("kubernetes cluster.local", False),
        ("", False),
        ("refused", False),
    ],
)
def test_falling_through_to_nobody(corefile: str, falls: bool) -> None:
    assert find(CONF, [KUBE_DNS], SLICES, corefile).falls_through is falls


def test_a_missing_dns_service_is_reported() -> None:
    with pytest.raises(InfrastructureError, match=r"no Service has a nameserver.*10\.96\.0\.10"):
        find(CONF, [WEB], SLICES)


def test_a_missing_zone_is_reported() -> None:
    with pytest.raises(InfrastructureError, match=r"no cluster zone.*example\.org.*dnsPolicy"):
        find(ResolvConf(search=("example.org",)), [KUBE_DNS], SLICES)
