"""CNIs: named by their DaemonSets, described as far as their settings show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sixproof.kube.api import json_fields
from sixproof.kube.facts import cni
from sixproof.kube.facts.cni import Sources
from sixproof.model import Family

IPV4, IPV6 = Family


def daemon(name: str, image: str = "registry:5000/x/y:v1.2.3", **env: str) -> dict[str, Any]:
    container = {"image": image, "env": [{"name": k, "value": v} for k, v in env.items()]}
    return {
        "metadata": {"name": name, "namespace": "net"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def pool(cidr: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": cidr}, "spec": {"cidr": cidr, **spec}}


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("quay.io/calico/node:v3.31.0", "v3.31.0"),
        ("registry:5000/node", ""),
        ("registry:5000/node:v1@sha256:abc", "v1"),
        ("node@sha256:abc", ""),
    ],
)
def test_image_tag(image: str, tag: str) -> None:
    assert cni.image_tag(daemon("x", image)) == tag


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({}, "None"),
        ({"ipipMode": "Never", "vxlanMode": "Never"}, "None"),
        ({"ipipMode": "Always", "vxlanMode": "Never"}, "IPIP"),
        ({"vxlanMode": "CrossSubnet"}, "VXLANCrossSubnet"),
        ({"ipipMode": "CrossSubnet"}, "IPIPCrossSubnet"),
    ],
)
def test_encapsulation(spec: dict[str, str], wanted: str) -> None:
    assert cni.encapsulation({"spec": spec}) == wanted


def test_calico_with_two_encapsulations_of_a_family() -> None:
    found = cni.detect(
        Sources(
            daemon_sets=(daemon("calico-node"),),
            pools=(
                pool("10.0.0.0/16", vxlanMode="Always"),
                pool("10.1.0.0/16", ipipMode="CrossSubnet"),
                pool("10.2.0.0/16", disabled=True),
                pool("10.3.0.0/16", allowedUses=["LoadBalancer"]),
                pool("nonsense"),
            ),
        )
    )
    assert found.encapsulation == ((IPV4, "IPIPCrossSubnet+VXLAN"),)
    assert [str(c) for c in found.pod_cidrs] == ["10.0.0.0/16", "10.1.0.0/16"]
    assert found.namespace == "net"


@pytest.mark.parametrize(
    ("felix", "env", "proxy", "wanted"),
    [
        ({}, {}, "iptables", "iptables"),
        ({"bpfEnabled": True}, {}, "none", "eBPF"),
        ({"bpfEnabled": True}, {"FELIX_BPFENABLED": "false"}, "iptables", "iptables"),
        ({"nftablesMode": "Enabled"}, {}, "iptables", "nftables"),
        ({"nftablesMode": "Auto"}, {}, "nftables", "nftables"),
        ({"nftablesMode": "Auto"}, {}, "iptables", "iptables"),
        ({}, {"FELIX_NFTABLESMODE": "Enabled"}, "", "nftables"),
    ],
)
def test_calico_dataplane(
    felix: dict[str, Any], env: dict[str, str], proxy: str, wanted: str
) -> None:
    sources = Sources(
        daemon_sets=(daemon("calico-node", **env),), felix={"spec": felix}, kube_proxy_mode=proxy
    )
    assert cni.detect(sources).dataplane == wanted


def test_calico_mtu_where_it_is_set() -> None:
    nodes = (daemon("calico-node"),)
    by_hand = Sources(daemon_sets=nodes, calico_config={"data": {"veth_mtu": "1400"}})
    assert cni.detect(by_hand).mtu == 1400
    left_to_felix = Sources(daemon_sets=nodes, calico_config={"data": {"veth_mtu": "0"}})
    assert cni.detect(left_to_felix).mtu is None
    operator = Sources(daemon_sets=nodes, installation={"spec": {"calicoNetwork": {"mtu": 1410}}})
    assert cni.detect(operator).mtu == 1410


def test_calico_is_known_by_its_objects_alone() -> None:
    found = cni.detect(Sources(pools=(pool("fd00::/64"),), calico_served=True))
    assert (found.name, found.version) == ("Calico", "")


def test_calico_goes_before_a_leftover_of_another() -> None:
    found = cni.detect(Sources(daemon_sets=(daemon("kindnet"), daemon("calico-node"))))
    assert found.name == "Calico"


def test_environment_looks_up_config_maps() -> None:
    entry = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}
    node = daemon("calico-node", B="2")
    node["spec"]["template"]["spec"]["containers"][0]["env"].append(entry)
    assert cni.environment(node) == {"A": "", "B": "2"}
    assert cni.environment(node, [{"metadata": {"name": "c"}, "data": {"k": "v"}}])["A"] == "v"


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"routing-mode": "tunnel", "tunnel-protocol": "geneve"}, "Geneve"),
        ({"routing-mode": "tunnel"}, "VXLAN"),
        ({"routing-mode": "native"}, "None"),
        ({"tunnel": "disabled"}, "None"),
    ],
)
def test_cilium(config: dict[str, str], wanted: str) -> None:
    data = {"enable-ipv4": "true", "enable-ipv6": "true", "mtu": "1400", **config}
    found = cni.detect(Sources(daemon_sets=(daemon("cilium"),), cilium_config={"data": data}))
    assert (found.name, found.dataplane, found.mtu) == ("Cilium", "eBPF", 1400)
    assert found.encapsulation == ((IPV4, wanted), (IPV6, wanted))
    assert cni.detect(Sources(daemon_sets=(daemon("cilium"),))).encapsulation == ()


def test_flannel() -> None:
    conf = {"Network": "10.0.0.0/16", "IPv6Network": "fd00::/56", "Backend": {"Type": "vxlan"}}
    sources = Sources(
        daemon_sets=(daemon("kube-flannel-ds"),),
        flannel_config={"data": {"net-conf.json": json.dumps(conf)}},
    )
    found = cni.detect(sources)
    assert found.encapsulation == ((IPV4, "VXLAN"), (IPV6, "VXLAN"))
    assert len(found.pod_cidrs) == 2
    assert cni.detect(Sources(daemon_sets=(daemon("kube-flannel-ds"),))).pod_cidrs == ()


def test_others_are_named() -> None:
    assert cni.detect(Sources(daemon_sets=(daemon("kindnet"),))).encapsulation[0][1] == "None"
    assert cni.detect(Sources(daemon_sets=(daemon("antrea-agent"),))).name == "Antrea"
    assert cni.detect(Sources(daemon_sets=(daemon("fluentd"),))).name == ""


def test_fields_take_odd_shapes_for_absent() -> None:
    odd: Any = {"a": [1, {"b": 2}], "c": "x", "d": None, "t": True, "n": 7}
    assert json_fields.entries(odd, "a") == ({"b": 2},)
    assert json_fields.entries(odd, "c") == ()
    assert json_fields.strings(odd, "d") == ()
    assert json_fields.mapping(odd, "c", "e") == {}
    assert (json_fields.text(odd, "t"), json_fields.text(odd, "n"), json_fields.text(odd, "d")) == (
        "true",
        "7",
        "",
    )
    assert json_fields.number(odd, "c") is None
    assert json_fields.flag(odd, "c") is None
    assert json_fields.time_of(odd, "c") is None
    assert json_fields.time_of({"t": "2026-01-01T00:00:00"}, "t") == json_fields.time_of(
        {"t": "2026-01-01T00:00:00Z"}, "t"
    )
    assert json_fields.networks(["fd00::1/64", "x", "fd00::/64"]) == json_fields.networks(
        ["fd00::/64"]
    )
    assert json_fields.one_line("a\n  b " + "c" * 500).endswith("...")
    assert json_fields.one_line(ValueError()) == "ValueError"
