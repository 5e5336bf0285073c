"""Facts of a cluster and findings about it."""

from __future__ import annotations

import dataclasses
import ipaddress

import pytest

from sixproof.model import ClusterFacts, Family, Finding, NodeFacts, Severity

NODE = NodeFacts(
    name="worker",
    addresses=(ipaddress.ip_address("2001:db8::a"), ipaddress.ip_address("192.0.2.10")),
    pod_cidrs=(ipaddress.ip_network("2001:db8:1::/64"),),
    taints=("dedicated=gpu:NoSchedule",),
)
FACTS = ClusterFacts(
    server="https://127.0.0.1:6443",
    version="v1.37.0",
    nodes=(NODE,),
    service_families=(Family.IPV6, Family.IPV4),
    pod_families=(Family.IPV6, Family.IPV4),
    service_cidrs=(ipaddress.ip_network("192.0.2.128/25"),),
    pod_cidrs=(ipaddress.ip_network("2001:db8:1::/56"),),
    encapsulation=((Family.IPV6, "VXLAN"),),
    pod_mtu=1430,
    extra=(("tier", "default"),),
)


def test_families_come_in_one_order() -> None:
    """IPv4 before IPv6 whatever the cluster prefers."""
    assert FACTS.families() == (Family.IPV4, Family.IPV6)


def test_node_by_name() -> None:
    """An unknown node is an error, not None."""
    second = dataclasses.replace(NODE, name="worker2")
    facts = dataclasses.replace(FACTS, nodes=(NODE, second))

    assert facts.node("worker2") is second
    with pytest.raises(KeyError, match="worker3"):
        facts.node("worker3")


def test_node_addresses_by_family() -> None:
    """The first InternalIP of each family, None where there is none."""
    single = dataclasses.replace(NODE, addresses=NODE.addresses[1:])

    assert str(NODE.address(Family.IPV6)) == "2001:db8::a"
    assert single.address(Family.IPV6) is None
    assert (NODE.families(), single.families()) == (frozenset(Family), frozenset({Family.IPV4}))


@pytest.mark.parametrize(
    ("wanted", "remedy", "text"),
    [
        ("", "", "pool v6: MTU 1500"),
        ("1430", "", "pool v6: MTU 1500, wanted 1430"),
        ("", "set mtu", "pool v6: MTU 1500 (set mtu)"),
        ("1430", "set mtu", "pool v6: MTU 1500, wanted 1430 (set mtu)"),
    ],
)
def test_finding_reads_as_a_sentence(wanted: str, remedy: str, text: str) -> None:
    """Place, what is wrong, what it should be, what to do."""
    assert str(Finding("mtu", Severity.ERROR, "pool v6", "MTU 1500", wanted, remedy)) == text
