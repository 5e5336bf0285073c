import itertools
from dataclasses import replace
from typing import cast

import pytest

from testbed import cli
from testbed.cluster import calico, kind
from testbed.errors import BedError
from testbed.variants import variant
from testbed.variants.calico import load_balancer_pools, pools
from testbed.variants.keys import DataPlane, Encapsulation, Family

BGP = variant.load("bgp")


def test_the_default_bed_is_dual_stack_with_the_names_that_kind_gives() -> None:
    bed = variant.load()
    assert bed.families == ("IPv4", "IPv6")
    assert bed.nodes == ("six-control-plane", "six-worker", "six-worker2")
    assert (bed.context, bed.network, bed.bridge) == ("kind-six", "six-net", "br-six")


def test_a_bed_of_one_node_is_its_control_plane() -> None:
    bed = variant.load("single")
    assert bed.nodes == ("six-single-control-plane",)
    assert kind.settings(bed, True, None)["nodes"] == [{"role": "control-plane"}]


@pytest.mark.parametrize("name", variant.names())
def test_every_variant_can_be_read_and_has_an_interface_name_linux_takes(name: str) -> None:
    assert len(variant.load(name).bridge) < 16


@pytest.mark.parametrize("name", ["nothere", "../variants/dual", "/etc/passwd", ""])
def test_a_name_of_no_variant_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(BedError, match="dual, ipv6, jumbo"):
        variant.load(name)


def test_variants_do_not_share_a_cluster() -> None:
    clusters = [variant.load(name).cluster for name in variant.names()]
    assert len(clusters) == len(set(clusters))


def test_variants_share_no_address() -> None:
    """So that two of them can stand beside each other."""
    beds = [variant.load(name) for name in variant.names()]
    ranges = [network for bed in beds for network in bed.ranges().values()]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(ranges, 2))


@pytest.mark.parametrize(("name", "pods"), [("dual", 1430), ("jumbo", 8930)])
def test_pods_have_what_the_wider_tunnel_leaves(name: str, pods: int) -> None:
    assert variant.load(name).pod_mtu == pods


def test_families_are_encapsulated_each_by_its_own_word() -> None:
    bed = variant.load()
    four, six = bed.stacks
    direct = replace(four, encapsulation=Encapsulation.VXLAN_CROSS_SUBNET)
    assert replace(bed, stacks=(direct, six)).calico_settings == {
        **bed.calico_settings,
        "CALICO_IPV4POOL_VXLAN": "CrossSubnet",
    }


def test_felix_has_the_variants_data_plane() -> None:
    bed = variant.load()
    other = replace(bed, data_plane=DataPlane.NFTABLES)
    assert other.calico_settings == {**bed.calico_settings, "FELIX_NFTABLESMODE": "Enabled"}


def test_a_family_alone_has_its_own_settings_and_its_own_tunnels_room() -> None:
    """Not a variant yet, but nothing that follows from families takes both for granted."""
    bed = variant.load()
    alone = replace(bed, stacks=bed.stacks[:1])
    assert alone.pod_mtu == 1450
    settings = alone.calico_settings
    assert (settings["IP6"], settings["FELIX_IPV6SUPPORT"]) == ("none", "false")
    assert "CALICO_IPV6POOL_VXLAN" not in settings
    wanted = ['"assign_ipv4": "true"', '"assign_ipv6": "false"']
    assert [calico.assignment(alone, family) for family in Family] == wanted


def test_ipv6_alone_has_no_ipv4_anywhere_and_a_pool_made_beforehand() -> None:
    """calico-node would make its pool without VXLAN."""
    bed = variant.load("ipv6")
    assert bed.families == (Family.IPV6,)
    settings = bed.calico_settings
    assert (settings["IP"], settings["IP6"]) == ("none", "autodetect")
    assert settings["CALICO_ROUTER_ID"] == "hash"
    assert not any("POOL_" in key for key in settings)
    (pool,) = pools(bed.stacks)
    spec = cast(dict[str, object], pool["spec"])
    assert (spec["cidr"], spec["vxlanMode"]) == ("fd00:10:247::/56", "Always")
    assert kind.networking(bed)["ipFamily"] == "ipv6"
    assert pools(variant.load().stacks) == []


def test_load_balancer_pools_are_for_nothing_else_and_say_how_addresses_are_assigned() -> None:
    four, six = (cast(dict[str, object], p["spec"]) for p in load_balancer_pools(BGP.stacks))
    assert (four["cidr"], six["cidr"]) == ("10.107.57.0/24", "fd00:10:107:57::/112")
    for spec in (four, six):
        assert (spec["allowedUses"], spec["assignmentMode"]) == (["LoadBalancer"], "Automatic")
    assert load_balancer_pools(variant.load().stacks) == []


def test_a_bed_without_ipv6_is_refused() -> None:
    text = (variant.FOLDER / "ipv6.toml").read_text().replace("[IPv6]", "[IPv4]")
    with pytest.raises(BedError, match="the key IPv6"):
        variant.parse("ipv4", text)


def test_each_family_has_a_tunnel_of_its_own() -> None:
    assert [variant.load().tunnel(family) for family in Family] == [
        "vxlan.calico",
        "vxlan-v6.calico",
    ]


def test_the_environment_chooses_a_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(variant.VARIABLE, raising=False)
    assert variant.asked() == variant.DEFAULT
    monkeypatch.setenv(variant.VARIABLE, "jumbo")
    assert variant.asked() == "jumbo"
    assert cli.parser().parse_args(["up"]).variant == "jumbo"


def test_an_unknown_variant_lists_those_there_are() -> None:
    with pytest.raises(BedError, match=r"seen: there are: .*dual"):
        variant.load("triple")
