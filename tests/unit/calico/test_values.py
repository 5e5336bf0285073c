"""Calico's objects as values: what Felix and the CNI would take from them."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from sixproof.calico.bgp.configuration import BgpPeer, bgp
from sixproof.calico.felix.settings import Failsafe, Felix, NodeFelix, Overridden, felix
from sixproof.calico.nodes import calico_nodes
from sixproof.calico.operator import environment_methods, installation
from sixproof.calico.pools import pools
from sixproof.model import Family

IPV4, IPV6 = Family


def named(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec}


def test_pools_with_their_defaults() -> None:
    found = pools(
        [
            named("z6", cidr="fd00::1/64", vxlanMode="CrossSubnet", natOutgoing=True),
            named("b4", cidr="10.1.0.0/16", blockSize=28, disabled=True, allowedUses=["Tunnel"]),
            named("bad", cidr="2001:db8:external::/48"),
        ]
    )
    assert [p.name for p in found] == ["b4", "z6"]
    four, six = found
    assert (four.block_size, four.blocks, four.disabled, four.uses) == (28, 4096, True, ("Tunnel",))
    assert six.cidr == ipaddress.ip_network("fd00::/64")  # host bits are cleared
    assert (six.block_size, six.family, six.encapsulation) == (122, IPV6, "VXLANCrossSubnet")
    assert six.encapsulates("VXLAN")
    assert not six.encapsulates("IPIP")
    assert pools([named("tiny", cidr="fd00::/124")])[0].blocks == 0


def test_felix_defaults() -> None:
    found = felix([], {})
    assert found.ipv6
    assert (found.bpf, found.nftables, found.vxlan_mtu, found.metrics) == (
        False,
        "Disabled",
        None,
        "",
    )
    assert found.failsafe_inbound is None


def test_environment_goes_before_the_object() -> None:
    spec = {"ipv6Support": True, "vxlanMTU": 1400, "ipipMTU": 1300, "wireguardEnabledV6": True}
    environment = {
        "FELIX_IPV6SUPPORT": "false",
        "FELIX_VXLANMTU": "0",
        "FELIX_IPINIPMTU": "1440",
        "FELIX_HEALTHENABLED": "true",
        "FELIX_HEALTHHOST": "::",
    }
    found = felix([named("default", **spec), named("node.w1", ipv6Support=False)], environment)
    assert not found.ipv6
    assert (found.vxlan_mtu, found.ipip_mtu) == (None, 1440)
    assert found.wireguard == (IPV6,)
    assert found.health == "[::]:9099"
    (own,) = found.per_node
    assert (own.node, own.settings, own.ipv6) == ("w1", (("ipv6Support", "false"),), False)


def test_what_the_environment_overrides_is_reported() -> None:
    """Values that say the same are not, nor what only one of the two sets."""
    spec = {
        "ipv6Support": True,
        "logSeverityScreen": "Debug",
        "vxlanMTU": 1400,
        "bpfEnabled": False,
    }
    environment = {
        "FELIX_Ipv6Support": "FALSE",  # in any spelling
        "FELIX_LOGSEVERITYSCREEN": "debug",
        "FELIX_HEALTHENABLED": "true",
        "FELIX_BPFENABLED": "",
    }
    found = felix([named("default", **spec)], environment)
    assert not found.ipv6
    assert found.overridden == (Overridden("ipv6Support", "true", "FELIX_IPV6SUPPORT", "FALSE"),)


def test_health_that_the_environment_switches_on_takes_nothing_of_the_object() -> None:
    """Felix starts it before it reads objects, and then leaves it as it is."""
    spec = {"healthHost": "::", "healthPort": 9099, "healthEnabled": True}
    found = felix([named("default", **spec)], {"FELIX_HEALTHENABLED": "true"})
    assert found.health == "localhost:9099"
    assert found.overridden == (Overridden("healthHost", "::", "FELIX_HEALTHENABLED", "true"),)
    by_object = felix([named("default", **spec)], {})
    assert (by_object.health, by_object.overridden) == ("[::]:9099", ())
    there = {"FELIX_HEALTHENABLED": "true", "FELIX_HEALTHHOST": "0.0.0.0"}  # noqa: S104
    assert felix([], there).health == "0.0.0.0:9099"


def test_settings_of_a_node_are_those_of_its_own_object_above_the_clusters() -> None:
    spec = {"prometheusMetricsEnabled": True, "nftablesMode": "Enabled"}
    own = {"prometheusMetricsPort": 9999, "nftablesMode": "Disabled"}
    found = felix([named("default", **spec), named("node.w1", **own)], {})
    assert (found.at("w1").metrics, found.at("w1").nftables) == (":9999", "Disabled")
    assert found.at("w2") is found
    assert not Felix(per_node=(NodeFelix("w1", (), False),)).at("w1").ipv6


def test_felix_endpoints_and_overrides() -> None:
    spec = {"prometheusMetricsEnabled": True, "prometheusMetricsPort": 9999, "vxlanEnabled": False}
    found = felix([named("default", **spec)], {})
    assert (found.metrics, found.vxlan, found.ipip) == (":9999", False, None)


def test_failsafe_ports() -> None:
    listed = [{"protocol": "TCP", "port": 22, "net": "0.0.0.0/0"}, {"protocol": "UDP", "port": 68}]
    found = felix([named("default", failsafeInboundHostPorts=listed)], {})
    assert found.failsafe_inbound == (Failsafe("TCP", 22, "0.0.0.0/0"), Failsafe("UDP", 68))
    assert [p.families() for p in found.failsafe_inbound] == [(IPV4,), (IPV4, IPV6)]
    assert felix([named("default", failsafeInboundHostPorts=[])], {}).failsafe_inbound == ()


def test_failsafe_ports_of_the_environment() -> None:
    """They go before those of the object; what is none is left out."""
    text = "tcp:22, udp:[fd00::/8]:53,tcp:10.0.0.0/8:179,6667,sixty"
    found = felix(
        [named("default", failsafeInboundHostPorts=[])],
        {
            "FELIX_FAILSAFEINBOUNDHOSTPORTS": text,
            "FELIX_FAILSAFEOUTBOUNDHOSTPORTS": "none",
        },
    )
    assert found.failsafe_inbound == (
        Failsafe("TCP", 22),
        Failsafe("UDP", 53, "fd00::/8"),
        Failsafe("TCP", 179, "10.0.0.0/8"),
        Failsafe("TCP", 6667),
    )
    assert found.failsafe_outbound == ()


def test_what_a_policy_denies_is_dropped_or_refused() -> None:
    assert not felix([], {}).rejects
    assert felix([named("default", nftablesFilterDenyAction="Reject")], {}).rejects


@pytest.mark.parametrize(
    ("address", "family"),
    [
        ("192.0.2.1", IPV4),
        ("192.0.2.1:1179", IPV4),
        ("2001:db8::1", IPV6),
        ("[2001:db8::1]:1179", IPV6),
        ("", None),
    ],
)
def test_family_of_a_bgp_session(address: str, family: Family | None) -> None:
    assert BgpPeer("p", address).family is family


def test_bgp_configuration() -> None:
    config = named(
        "default",
        asNumber=64600,
        nodeToNodeMeshEnabled=False,
        listenPort=1179,
        serviceClusterIPs=[{"cidr": "fd00:96::/112"}],
        communities=[{"name": "a", "value": "64600:1"}],
        prefixAdvertisements=[
            {"cidr": "fd00:9::/64", "communities": ["a", "1:2:3"]},
            {"cidr": "?", "communities": ["a"]},
        ],
    )
    peer = named("router", peerIP="2001:db8::1", asNumber="1.10", nodeSelector="rack == 'a'")
    found = bgp([config], [peer], "bird")
    assert (found.enabled, found.configured, found.as_number, found.topology) == (
        True,
        True,
        64600,
        False,
    )
    assert found.cluster_ips == (ipaddress.ip_network("fd00:96::/112"),)
    assert found.communities == ("64600:1",)
    assert found.communities_of(ipaddress.ip_network("fd00:9::40/122")) == {"64600:1", "1:2:3"}
    assert found.communities_of(ipaddress.ip_network("fd00:8::/122")) == frozenset()
    assert found.peers == (BgpPeer("router", "2001:db8::1", 65546, "rack == 'a'"),)


def test_bgp_without_bird() -> None:
    found = bgp([], [], "vxlan")
    assert (found.enabled, found.configured, found.as_number, found.topology) == (
        False,
        False,
        64512,
        True,
    )


def node(**annotations: str) -> dict[str, Any]:
    keys = {f"projectcalico.org/{k}": v for k, v in annotations.items()}
    return {
        "metadata": {"name": "w1", "annotations": keys},
        "status": {"addresses": [{"type": "InternalIP", "address": "fd00::2"}]},
    }


def test_node_addresses_and_tunnels() -> None:
    [found] = calico_nodes(
        [
            node(
                IPv4Address="192.0.2.2/24",
                IPv6Address="fd00::2/64",
                IPv6VXLANTunnelAddr="fd00:244::1",
                IPv4IPIPTunnelAddr="10.0.0.1",
                Interfaces='[{"name":"eth0","addresses":["192.0.2.2","fd00::2","fe80::1"]}]',
            )
        ]
    )
    assert found.address(IPV6) == ipaddress.ip_interface("fd00::2/64")
    assert found.device(IPV6) == "eth0"
    assert {(t.kind, t.family) for t in found.tunnels} == {("VXLAN", IPV6), ("IPIP", IPV4)}
    assert found.internal == (ipaddress.ip_address("fd00::2"),)


def test_node_that_calico_does_not_know() -> None:
    [found] = calico_nodes([node(IPv6Address="nonsense", Interfaces="[")])
    assert (found.chosen, found.interfaces, found.device(IPV6)) == ((), (), "")


def test_operator_installation() -> None:
    network = {
        "bgp": "Disabled",
        "linuxDataplane": "Nftables",
        "mtu": 1410,
        "ipPools": [{"cidr": "fd00::/64", "encapsulation": "VXLAN"}, {"cidr": "10.0.0.0/16"}],
        "nodeAddressAutodetectionV6": {"cidrs": ["fd00::/64"]},
        "nodeAddressAutodetectionV4": {"firstFound": True},
    }
    statuses = [
        {
            "metadata": {"name": "calico"},
            "status": {
                "conditions": [
                    {"type": "Available", "status": "False"},
                    {"type": "Degraded", "status": "True", "message": "no nodes"},
                ]
            },
        },
        {
            "metadata": {"name": "apiserver"},
            "status": {"conditions": [{"type": "Available", "status": "True"}]},
        },
    ]
    found = installation(named("default", variant="Calico", calicoNetwork=network), statuses)
    assert found
    assert (found.mtu, found.dataplane, found.bgp) == (1410, "Nftables", "Disabled")
    assert [(str(p.cidr), p.encapsulation) for p in found.pools] == [
        ("10.0.0.0/16", "IPIP"),
        ("fd00::/64", "VXLAN"),
    ]
    assert found.autodetection == ((IPV4, "firstFound=true"), (IPV6, "cidrs=fd00::/64"))
    assert [(s.component, s.available, s.message) for s in found.statuses] == [
        ("apiserver", True, ""),
        ("calico", False, "no nodes"),
    ]
    assert installation({}, []) is None


def test_autodetection_of_a_manifest() -> None:
    env = [
        {"name": "IP", "value": "autodetect"},
        {"name": "IP_AUTODETECTION_METHOD", "value": "interface=eth.*"},
        {"name": "IP6", "value": "autodetect"},
    ]
    daemon = {"spec": {"template": {"spec": {"containers": [{"env": env}]}}}}
    assert environment_methods(daemon) == ((IPV4, "interface=eth.*"), (IPV6, "first-found"))
    fixed = [{"name": "IP", "value": "none"}, {"name": "IP6", "value": "fd00::2"}]
    daemon = {"spec": {"template": {"spec": {"containers": [{"env": fixed}]}}}}
    assert environment_methods(daemon) == ((IPV6, "fd00::2"),)
