from typing import Any

import pytest

from testbed.cluster import bgp, calico
from testbed.record import Machine
from testbed.variants import variant

ROUTER = Machine("six-bgp-router", "router", "172.30.66.5", "fd5e::5")


def made(name: str) -> dict[str, dict[str, Any]]:
    chosen = variant.load(name)
    assert chosen.bgp is not None
    return {
        f"{item['kind']}/{item['metadata']['name']}": item["spec"]
        for item in bgp.objects(chosen, chosen.bgp, ROUTER)
    }


def test_every_node_peers_with_the_router_over_each_family() -> None:
    found = made("bgp")
    assert found["BGPConfiguration/default"]["nodeToNodeMeshEnabled"] is True
    assert found["BGPPeer/router-ipv4"]["peerIP"] == "172.30.66.5"
    assert found["BGPPeer/router-ipv6"]["peerIP"] == "fd5e::5"
    assert {p["asNumber"] for n, p in found.items() if n.startswith("BGPPeer")} == {64600}
    assert "BGPPeer/route-reflectors" not in found


def test_nodes_announce_load_balancer_addresses_of_each_family_where_there_are_any() -> None:
    announced = made("bgp")["BGPConfiguration/default"]["serviceLoadBalancerIPs"]
    assert announced == [{"cidr": "10.107.57.0/24"}, {"cidr": "fd00:10:107:57::/112"}]
    assert "serviceLoadBalancerIPs" not in made("rr")["BGPConfiguration/default"]


def test_nodes_announce_external_ips_of_each_family_where_there_are_any() -> None:
    announced = made("bgp")["BGPConfiguration/default"]["serviceExternalIPs"]
    assert announced == [{"cidr": "10.109.57.0/24"}, {"cidr": "fd00:10:109:57::/112"}]
    assert "serviceExternalIPs" not in made("rr")["BGPConfiguration/default"]


def test_routes_of_pods_have_a_community_by_its_name_and_a_large_one() -> None:
    found = made("bgp")["BGPConfiguration/default"]
    assert found["communities"] == [{"name": "pods", "value": "64512:100"}]
    assert found["prefixAdvertisements"] == [
        {"cidr": "10.249.0.0/16", "communities": ["pods", "64512:100:4"]},
        {"cidr": "fd00:10:249::/56", "communities": ["pods", "64512:100:6"]},
    ]


def test_reflectors_take_the_place_of_the_mesh() -> None:
    found = made("rr")
    assert found["BGPConfiguration/default"]["nodeToNodeMeshEnabled"] is False
    assert found["BGPPeer/route-reflectors"]["peerSelector"] == bgp.REFLECTOR


@pytest.mark.parametrize(("name", "ready"), [("bgp", True), ("dual", False)])
def test_calico_node_is_ready_when_bird_of_both_families_is(
    manifest: list[dict[str, Any]], name: str, ready: bool
) -> None:
    node = manifest[1]["spec"]["template"]["spec"]["containers"][0]
    for probe, word in (("readinessProbe", "ready"), ("livenessProbe", "live")):
        words = ["/bin/calico-node", f"-felix-{word}", *([f"-bird-{word}"] if ready else [])]
        node[probe] = {"exec": {"command": words}}
    calico.patch(manifest, variant.load(name), built=True)
    command = node["readinessProbe"]["exec"]["command"]
    assert command[1] == "-felix-ready"
    assert command[2:] == (["-bird-ready", "-bird6-ready"] if ready else [])
    assert ("-bird6-live" in node["livenessProbe"]["exec"]["command"]) is ready


def test_a_variant_with_bgp_has_the_manifest_with_bird() -> None:
    assert calico.manifest(variant.load("bgp")) == "calico.yaml"
    assert calico.manifest(variant.load("dual")) == "calico-vxlan.yaml"
