"""Judging settings: each mistake is one finding that names the place and the remedy."""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import Any

import pytest

from sixproof.calico.audit import audit
from sixproof.calico.bgp.configuration import Bgp
from sixproof.calico.felix.settings import Failsafe, Felix, NodeFelix, Overridden
from sixproof.calico.nodes import CalicoNode, TunnelAddress
from sixproof.calico.operator import Installation, Status
from sixproof.calico.pools import Pool
from sixproof.calico.state import CalicoState
from sixproof.model import ClusterFacts, Family, Finding, NodeFacts, Severity

IPV4, IPV6 = Family
ADDRESSES = (ipaddress.ip_address("192.0.2.1"), ipaddress.ip_address("fd00:1::1"))
FACTS = ClusterFacts(
    server="https://api",
    version="v1.34.1",
    nodes=(NodeFacts("w1", ADDRESSES),),
    service_families=(IPV4, IPV6),
)
POOL4 = Pool("v4", ipaddress.ip_network("10.0.0.0/16"), 26, "VXLAN", nat_outgoing=True)
POOL6 = Pool("v6", ipaddress.ip_network("fd00:244::/56"), 122, "VXLAN", nat_outgoing=True)
NODE = CalicoNode(
    "w1",
    chosen=(ipaddress.ip_interface("192.0.2.1/24"), ipaddress.ip_interface("fd00:1::1/64")),
    tunnels=(
        TunnelAddress("VXLAN", ipaddress.ip_address("10.0.0.1")),
        TunnelAddress("VXLAN", ipaddress.ip_address("fd00:244::1")),
    ),
    internal=ADDRESSES,
)
GOOD = CalicoState("projectcalico.org/v3", (POOL4, POOL6), nodes=(NODE,), assigns=(IPV4, IPV6))


def change(value: Any, **changes: Any) -> Any:
    return dataclasses.replace(value, **changes)


def findings(state: CalicoState, underlay: int | None = 1500) -> list[Finding]:
    return list(audit(state, FACTS, underlay=underlay))


def with_pool6(**changes: Any) -> CalicoState:
    return change(GOOD, pools=(POOL4, change(POOL6, **changes)))  # type: ignore[no-any-return]


def with_felix(**changes: Any) -> CalicoState:
    return change(GOOD, felix=change(Felix(), **changes))  # type: ignore[no-any-return]


def with_node(**changes: Any) -> CalicoState:
    return change(GOOD, nodes=(change(NODE, **changes),))  # type: ignore[no-any-return]


def only(state: CalicoState, code: str, underlay: int | None = 1500) -> Finding:
    [found] = findings(state, underlay)
    assert found.code == code
    return found


def test_good_settings() -> None:
    assert findings(GOOD) == []


def test_family_without_a_pool() -> None:
    state = change(GOOD, pools=(POOL4,))
    assert "create an IPv6 IPPool" in only(state, "calico-pool-family").remedy
    assert only(state, "calico-pool-family").families == (IPV6,)
    assert "all disabled: v6" in only(with_pool6(disabled=True), "calico-pool-family").seen


def test_pool_that_calico_ipam_does_not_use() -> None:
    found = only(change(GOOD, assigns=(IPV4,)), "calico-ipam-family")
    assert "assign_ipv6" in found.wanted
    assert found.families == (IPV6,)


@pytest.mark.parametrize(
    ("cidr", "nat", "severity", "words"),
    [
        ("fd00:244::/56", False, Severity.WARNING, "natOutgoing is off"),
        ("2a00:1450::/48", True, Severity.NOTE, "is global"),
        ("fc00:1::/48", True, Severity.WARNING, "RFC 4193 leaves undefined"),
    ],
)
def test_scope_of_addresses(cidr: str, nat: bool, severity: Severity, words: str) -> None:
    [found] = findings(with_pool6(cidr=ipaddress.ip_network(cidr), nat_outgoing=nat))
    assert found.severity is severity
    assert words in found.seen


def test_global_addresses_without_nat_are_fine() -> None:
    cidr = ipaddress.ip_network("2a00:1450::/48")
    assert findings(with_pool6(cidr=cidr, nat_outgoing=False)) == []


def test_overlapping_pools() -> None:
    inner = Pool("in", ipaddress.ip_network("fd00:244:0:1::/64"), 122, "VXLAN", nat_outgoing=True)
    found = only(change(GOOD, pools=(POOL4, POOL6, inner)), "calico-pool-overlap")
    assert "overlaps fd00:244:0:1::/64 of IPPool in" in found.seen


def test_block_sizes() -> None:
    assert "/116 to /128" in only(with_pool6(block_size=64), "calico-pool-block-size").wanted
    tiny = with_pool6(cidr=ipaddress.ip_network("fd00:244::/122"))
    facts = change(FACTS, nodes=(*FACTS.nodes, NodeFacts("w2", ADDRESSES)))
    [found] = audit(tiny, facts)
    assert found.code == "calico-pool-blocks"
    assert "1 blocks of /122 for 2 nodes" in found.seen


BALANCED = (
    Pool("lb4", ipaddress.ip_network("10.105.0.0/24"), 26, uses=("LoadBalancer",)),
    Pool("lb6", ipaddress.ip_network("fd00:105::/122"), 122, uses=("LoadBalancer",)),
)


@pytest.mark.parametrize("announced", [(), ("10.105.0.0/16", "fd00:105::/112")])
def test_load_balancer_addresses_that_are_all_announced_or_none_of_them(
    announced: tuple[str, ...],
) -> None:
    """None: somebody else may draw their traffic. One block is enough: no node takes it."""
    ranges = tuple(map(ipaddress.ip_network, announced))
    bgp = Bgp(enabled=True, load_balancer_ips=ranges)
    two = change(FACTS, nodes=(NodeFacts("w1", ADDRESSES), NodeFacts("w2", ())))
    state = change(GOOD, pools=(*GOOD.pools, *BALANCED), bgp=bgp)
    codes = {f.code for f in audit(state, two, underlay=1500)}
    assert not codes & {"calico-pool-announced", "calico-pool-blocks"}


def test_load_balancer_addresses_of_one_family_that_nobody_announces() -> None:
    bgp = Bgp(enabled=True, load_balancer_ips=(ipaddress.ip_network("10.105.0.0/24"),))
    state = change(GOOD, pools=(*GOOD.pools, *BALANCED), bgp=bgp)
    found = only(state, "calico-pool-announced")
    assert (found.severity, found.families, found.subject) == (
        Severity.ERROR,
        (IPV6,),
        "IPPool lb6",
    )
    assert "announced are 10.105.0.0/24" in found.seen
    assert findings(change(state, bgp=change(bgp, enabled=False))) == []


def test_ipip_for_ipv6() -> None:
    found = only(
        change(
            with_pool6(encapsulation="IPIP"),
            nodes=(change(NODE, tunnels=NODE.tunnels[:1]),),
        ),
        "calico-pool-encapsulation",
    )
    assert "VXLAN" in found.wanted


def test_felix_without_ipv6() -> None:
    assert only(with_felix(ipv6=False), "calico-felix-ipv6").severity is Severity.ERROR


def test_mtu_that_leaves_no_room_for_the_tunnel() -> None:
    found = only(with_felix(vxlan_mtu=1500), "calico-mtu")
    assert found.severity is Severity.ERROR
    assert "MTU 1500 over 1500 bytes" in found.seen
    assert "at most 1450" in found.wanted
    assert only(with_felix(vxlan_mtu_v6=1450), "calico-mtu").wanted.startswith("at most 1430")
    assert only(with_felix(vxlan_mtu=1500), "calico-mtu", None).severity is Severity.WARNING
    assert findings(with_felix(vxlan_mtu=1500), 9000) == []


def test_mtu_of_the_cni() -> None:
    assert "at most 1430" in only(change(GOOD, cni_mtu=1500), "calico-mtu").wanted


def test_mtu_below_what_ipv6_needs() -> None:
    found = only(with_felix(vxlan_mtu=1200), "calico-mtu")
    assert "RFC 8200" in found.wanted


def test_failsafe_ports_of_one_family() -> None:
    ports = (Failsafe("TCP", 22, "0.0.0.0/0"), Failsafe("TCP", 179), Failsafe("UDP", 53, "::/0"),
             Failsafe("UDP", 53, "0.0.0.0/0"))  # fmt: skip
    found = only(with_felix(failsafe_inbound=ports), "calico-felix-failsafe")
    assert "TCP 22 stays open for IPv4 alone" in found.seen


def test_settings_of_one_node_are_noted() -> None:
    """With what they are, since they may explain what only this node does."""
    own = NodeFelix("w1", (("vxlanPort", "4799"),))
    found = only(with_felix(per_node=(own,)), "calico-felix-node")
    assert found.severity is Severity.NOTE
    assert "vxlanPort 4799" in found.seen


def test_a_setting_without_effect_is_noted() -> None:
    vain = Overridden("ipv6Support", "true", "FELIX_IPV6SUPPORT", "false")
    found = only(with_felix(overridden=(vain,)), "calico-felix-environment")
    assert found.severity is Severity.NOTE
    assert "FELIX_IPV6SUPPORT is false" in found.seen


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"log_level": "Verbose"}, "logSeverityScreen"),
        ({"iptables_backend": "nftables"}, "iptablesBackend"),
        ({"nftables": "true"}, "nftablesMode"),
    ],
)
def test_values_that_felix_does_not_know(changes: dict[str, str], setting: str) -> None:
    """It takes its default then; a node's own are reported where they are not the cluster's."""
    found = only(with_felix(**changes), "calico-felix-setting")
    assert (found.severity, found.node) == (Severity.WARNING, "")
    assert setting in found.seen
    own = NodeFelix("w1", (), True, change(Felix(), **changes))
    (at_node,) = (
        f for f in findings(with_felix(per_node=(own,))) if f.code == "calico-felix-setting"
    )
    assert at_node.node == "w1"
    only_once = findings(with_felix(**changes, per_node=(own,)))
    assert [f.node for f in only_once if f.code == "calico-felix-setting"] == [""]


def test_values_are_known_in_any_case() -> None:
    assert findings(with_felix(log_level="WARNING", iptables_backend="nft", nftables="auto")) == []


def test_a_node_on_which_felix_does_no_ipv6_is_an_error() -> None:
    """Policies are not enforced there, over IPv6 alone."""
    own = NodeFelix("w1", (("ipv6Support", "false"),), ipv6=False)
    _, found = findings(with_felix(per_node=(own,)))
    assert found.code == "calico-felix-ipv6"
    assert (found.severity, found.node, found.families) == (Severity.ERROR, "w1", (Family.IPV6,))


@pytest.mark.parametrize(
    ("chosen", "severity", "words"),
    [
        (("192.0.2.1/24",), Severity.ERROR, "no IPv6 address"),
        (("192.0.2.1/24", "fe80::1/64"), Severity.ERROR, "link-local"),
        (("192.0.2.1/24", "fec0::1/64"), Severity.ERROR, "site-local"),
        (("127.0.0.1/8", "fd00:1::1/64"), Severity.ERROR, "loopback"),
        (("192.0.2.1/24", "fd00:9::1/64"), Severity.WARNING, "no InternalIP"),
    ],
)
def test_chosen_addresses(chosen: tuple[str, ...], severity: Severity, words: str) -> None:
    state = with_node(chosen=tuple(map(ipaddress.ip_interface, chosen)))
    [found] = findings(change(state, autodetection=((IPV6, "first-found"),)))
    assert (found.code, found.subject) == ("calico-node-address", "node w1")
    assert found.severity is severity
    assert words in found.seen


def test_node_without_a_tunnel_address() -> None:
    found = only(with_node(tunnels=NODE.tunnels[:1]), "calico-node-tunnel")
    assert "no IPv6 address on its VXLAN device" in found.seen


def test_node_that_is_not_ready_is_not_judged() -> None:
    facts = change(FACTS, nodes=(NodeFacts("w1", ADDRESSES, ready=False),))
    assert list(audit(with_node(chosen=()), facts)) == []


def test_subnet_that_cross_subnet_needs() -> None:
    chosen = (NODE.chosen[0], ipaddress.ip_interface("fd00:1::1/128"))
    state = change(
        with_node(chosen=chosen), pools=(POOL4, change(POOL6, encapsulation="VXLANCrossSubnet"))
    )
    assert "always tunnels" in only(state, "calico-node-subnet").seen


def test_store_instead_of_the_api() -> None:
    found = only(change(GOOD, api="crd.projectcalico.org/v1"), "calico-api")
    assert found.severity is Severity.NOTE
    assert "install its API server" in found.remedy


def test_an_api_server_that_does_not_answer_is_not_to_be_installed() -> None:
    """Its group is listed, and answers 503: the store was read."""
    silent = change(GOOD, api="crd.projectcalico.org/v1")
    (found,) = audit(silent, change(FACTS, calico_api=True), underlay=1500)
    assert found.code == "calico-api"
    assert found.seen.startswith("projectcalico.org/v3 is served, but does not answer")
    assert "kubectl get apiservice v3.projectcalico.org" in found.remedy
    assert "install" not in found.remedy


def test_nobody_is_blamed_where_no_answer_came_at_all() -> None:
    """The API server itself may have been away."""
    why = "list ippools: no answer from https://x: the connection was closed"
    silent = change(GOOD, api="crd.projectcalico.org/v1", no_answer=why)
    (found,) = audit(silent, change(FACTS, calico_api=True), underlay=1500)
    assert found.code == "calico-api"
    assert "does not answer" not in found.seen
    assert f"could not be read ({why})" in found.seen
    assert "its API server's pods" not in found.remedy


def test_unreadable_state_is_noted() -> None:
    assert "list x" in only(change(GOOD, unknown=("list x (not allowed)",)), "calico-unknown").seen


def test_operator() -> None:
    installed = Installation(
        pools=(Pool("six", ipaddress.ip_network("fd00:244::/56"), 122, "None"),),
        statuses=(Status("calico", False, "no quorum"), Status("apiserver", True)),
    )
    found = findings(change(GOOD, installation=installed))
    assert [f.severity for f in found] == [Severity.ERROR, Severity.WARNING]
    assert "no quorum" in found[0].seen
    assert found[0].families == tuple(Family), "pods are networked by that component"
    assert "None, as the Installation says" in found[1].wanted


def test_components_that_network_no_pod_break_no_traffic() -> None:
    """Calico's API server is away: that is wrong, and packets do not need it."""
    installed = Installation(statuses=(Status("apiserver", False, "no quorum"),))
    [found] = findings(change(GOOD, installation=installed))
    assert found.severity is Severity.ERROR
    assert found.families == ()
