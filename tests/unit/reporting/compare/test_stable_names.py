"""Names that mean the same in two runs."""

from __future__ import annotations

import ipaddress

import pytest

from sixproof.reporting.compare.stable_names import StableNames
from tests.unit.reporting.compare.two_runs import mesh, run

NAMES = StableNames(
    "a1b2c3",
    frozenset({"worker", "worker2", "pool-1-x2x4z", "gw1", "node-0a1b2c3"}),
    frozenset({ipaddress.ip_address("fd00:10:244::17"), ipaddress.ip_address("10.244.0.9")}),
    (ipaddress.ip_network("10.96.0.0/16"), ipaddress.ip_network("fd00:10:96::/112")),
)


@pytest.mark.parametrize(
    ("text", "stable"),
    [
        ("", ""),
        ("a@worker", "a@worker"),
        ("web.six-a1b2c3-svc.svc.cluster.local.", "web.six-*-svc.svc.cluster.local."),
        ("six-a1b2c3-gw0-shop/web", "six-*-*-shop/web"),
        ("six-a1b2c3-master-shop", "six-*-*-shop"),
        ("DNS replica coredns-66bc5c9577-x2x4z on worker2", "DNS replica coredns-* on worker2"),
        ("pod kube-system/calico-node-4k7pq", "pod kube-system/calico-node-*"),
        ("web at worker (2)", "web at worker (2)"),
        ("service at 10.96.0.10", "service at *"),
        ("fd00:10:96::a:", "*:"),
        ("[fd00:10:244::17]:80", "[*]:80"),
        ("10.244.0.9.", "*."),
        ("fd00:10:96::", "*"),
    ],
)
def test_what_differs_from_run_to_run_is_left_out(text: str, stable: str) -> None:
    """Run ids, xdist's processes, generated names, clusterIPs and addresses of pods."""
    assert NAMES.stable(text) == stable


@pytest.mark.parametrize(
    "text",
    [
        "node pool-1-x2x4z",
        "node gw1",
        "node node-0a1b2c3",
        "xa1b2c3x",
        "IPPool blue",
        "BGP peer 172.18.0.5",
        "fd00:10:244::/56",
        "10.96.0.0/16",
        "12:30:01",
        "1430 bytes",
        "deny-https",
        "web-https",
        "the API server",
        "999.1.1.1",
        "tcp/8080",
        "udp/53 web.shop.svc.",
        "domain.example",
    ],
)
def test_what_stays_is_kept(text: str) -> None:
    """Names of nodes whatever they look like, networks, peers, sizes, and words."""
    assert NAMES.stable(text) == text


@pytest.mark.parametrize(
    ("port", "stable"),
    [
        ("tcp/30080", "tcp/*"),
        ("udp/32767", "udp/*"),
        ("tcp/32768", "tcp/32768"),
        ("tcp/29999", "tcp/29999"),
        ("tcp/300801", "tcp/300801"),
        ("tcp/80", "tcp/80"),
        ("icmp", "icmp"),
    ],
)
def test_a_node_port_is_any_port(port: str, stable: str) -> None:
    """NodePorts are allocated anew."""
    assert NAMES.port(port) == stable


@pytest.mark.parametrize(
    ("nodeid", "stable"),
    [
        ("suites/pods/test_a.py::test_b[IPv6]", "suites/pods/test_a.py::test_b[IPv6]"),
        ("../clone/suites/pods/test_a.py::test_b", "suites/pods/test_a.py::test_b"),
        ("tests/my-suites/test_a.py::test_b", "tests/my-suites/test_a.py::test_b"),
        ("t.py::test_b", "t.py::test_b"),
    ],
)
def test_a_test_is_the_same_from_any_directory(nodeid: str, stable: str) -> None:
    """pytest's node ids begin at the directory that it takes for the root."""
    assert NAMES.test(nodeid) == stable


def test_the_names_of_a_run_are_those_of_its_cluster_and_its_matrices() -> None:
    """Addresses of pods and ranges are given anew, nodes stay."""
    names = StableNames.of(run(1, mesh()))
    assert names.nodes == {"control-plane", "worker", "worker2"} == names.covered
    assert names.stable("run a1b1c1 at 192.168.1.11 and 10.96.3.4") == "run * at * and *"
    assert names.stable("172.18.0.2") == "172.18.0.2"
    assert names.stable("172.18.0.2") == "172.18.0.2"


def test_without_facts_and_without_a_run_nothing_is_known() -> None:
    """A run that reached no cluster has no names."""
    assert StableNames().stable("10.96.0.1 worker") == "10.96.0.1 worker"
