"""Each key of a variant's file must be there, be of its kind and fit the others."""

import re

import pytest

from testbed.errors import BedError
from testbed.variants import variant
from testbed.variants.keys import Bgp, Family, Peering

TEXT = (variant.FOLDER / "dual.toml").read_text()
LINES = TEXT.splitlines()
KEYS = {number: line.split()[0] for number, line in enumerate(LINES) if " = " in line}
OWN = '\n[calico_env]\nFELIX_LOGSEVERITYSCREEN = "Debug"\n'


def refused(text: str) -> BedError:
    with pytest.raises(BedError) as caught:
        variant.parse("mine", text)
    return caught.value


@pytest.mark.parametrize("number", KEYS, ids=lambda number: f"{KEYS[number]}-{number}")
def test_no_key_may_be_forgotten(number: int) -> None:
    error = refused("\n".join([*LINES[:number], *LINES[number + 1 :]]))
    assert re.fullmatch(rf"the key {KEYS[number]} in .*mine\.toml", error.wanted)
    assert "docs/testbed.md" in error.remedy


def test_ipv6_is_needed_and_ipv4_is_not() -> None:
    def without(family: str) -> str:
        return re.sub(rf"\[{family}\]\n(\w.*\n)+", "", TEXT)

    assert refused(without("IPv6")).wanted == "the key IPv6 in mine.toml"
    assert variant.parse("mine", without("IPv4")).families == (Family.IPV6,)


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ("mtu =", 'mesh = "full"\nmtu =', "mine.toml"),
        ("nodes =", 'node = "::/64"\nnodes =', "[IPv6] of mine.toml"),
        ("[IPv6]", "[IPv5]\n[IPv6]", "mine.toml"),
    ],
)
def test_unknown_keys_are_refused_with_those_there_are(before: str, after: str, place: str) -> None:
    error = refused(TEXT.replace(before, after))
    known = "mtu, data_plane, network_plugin" if place == "mine.toml" else "pods, services"
    assert error.wanted.startswith(f"no other keys in {place} than ")
    assert known in error.wanted
    assert error.seen in ("mesh", "node", "IPv5")


def test_a_misspelt_key_is_shown_beside_the_one_that_is_missing() -> None:
    error = refused(TEXT.replace("mtu =", "mut ="))
    assert error.wanted == "the key mtu in mine.toml"
    assert "mut" in error.seen


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("workers", '"2"', "a whole number"),
        ("workers", "true", "a whole number"),
        ("workers", "2.0", "a whole number"),
        ("workers", "-1", "a whole number"),
        ("mtu", "1349", "a whole number from 1350 to 65535"),
        ("mtu", "65536", "a whole number from 1350 to 65535"),
        ("cluster", '"Six"', "at most 12 of a-z, 0-9 and -"),
        ("cluster", '"six-and-three"', "at most 12 of a-z, 0-9 and -"),
        ("cluster", "6", "at most 12 of a-z, 0-9 and -"),
        ("data_plane", '"ebpf"', "one of iptables, nftables"),
        ("data_plane", '["iptables"]', "one of iptables, nftables"),
        ("network_plugin", '"flannel"', "one of calico, kindnet"),
        ("encapsulation", '"IPIP"', "one of VXLAN, VXLANCrossSubnet"),
        ("pods", '"fd00:10:244::/56"', "an IPv4 network, as its first address/length"),
        ("pods", '"10.244.0.1/16"', "an IPv4 network, as its first address/length"),
        ("pods", '"ten"', "an IPv4 network, as its first address/length"),
        ("pods", "10", "an IPv4 network, as its first address/length"),
        ("nodes", '"10.0.0.0/16"', "an IPv6 network, as its first address/length"),
    ],
)
def test_a_wrong_value_is_reported_with_its_key_and_what_it_should_be(
    key: str, value: str, wanted: str
) -> None:
    error = refused(re.sub(rf"^{key} = .*$", f"{key} = {value}", TEXT, count=1, flags=re.M))
    assert re.match(rf"{key} in .*mine\.toml to be {re.escape(wanted)}", error.wanted)
    assert error.seen
    assert "docs/testbed.md" in error.remedy


def test_a_table_must_be_one() -> None:
    error = refused(f"IPv4 = 4\n{TEXT.replace('[IPv4]', '[IPv4b]')}")
    assert error.wanted == "IPv4 in mine.toml to be a table"


def test_what_is_no_toml_is_reported_with_its_line() -> None:
    error = refused("cluster six")
    assert error.wanted == "mine.toml to be TOML"
    assert "line 1" in error.seen


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [
        (
            "10.96.0.0/16",
            "10.244.8.0/24",
            "IPv4.pods 10.244.0.0/16 and IPv4.services 10.244.8.0/24",
        ),
        ("fd5e:7e57:bed::/64", "fd00:10::/32", "IPv6.pods fd00:10:244::/56 and IPv6.nodes"),
    ],
)
def test_ranges_that_overlap_are_named(before: str, after: str, seen: str) -> None:
    error = refused(TEXT.replace(before, after))
    assert error.wanted == "ranges in mine.toml that do not overlap"
    assert seen in error.seen


def test_calico_is_given_further_settings() -> None:
    found = variant.parse("mine", TEXT + OWN).calico_settings
    assert found == {**variant.load().calico_settings, "FELIX_LOGSEVERITYSCREEN": "Debug"}


@pytest.mark.parametrize("name", ["CALICO_IPV6POOL_VXLAN", "FELIX_NFTABLESMODE"])
def test_settings_that_follow_from_other_keys_are_refused(name: str) -> None:
    error = refused(f'{TEXT}{OWN}{name} = "Never"\n')
    assert error.seen == name


def test_settings_of_calico_are_text() -> None:
    error = refused(f"{TEXT}{OWN}FELIX_BPFENABLED = false\n")
    assert error.wanted == "FELIX_BPFENABLED in [calico_env] of mine.toml to be text in quotes"


BGP = """
[bgp]
as_number = 64512
router_as_number = 64600
peering = "mesh"
"""


def test_bgp_needs_a_network_behind_the_router_in_each_family() -> None:
    error = refused(TEXT + BGP)
    assert error.wanted == "the key rack in [IPv4] of mine.toml"
    four = TEXT.replace("[IPv4]\n", '[IPv4]\nrack = "10.9.0.0/24"\n') + BGP
    assert refused(four).wanted == "the key rack in [IPv6] of mine.toml"
    both = four.replace("[IPv6]\n", '[IPv6]\nrack = "fd00:9::/64"\n')
    found = variant.parse("mine", both)
    assert found.bgp == Bgp(64512, 64600, Peering.MESH)
    assert found.calico_settings["CLUSTER_TYPE"] == "k8s,bgp"
    assert found.calico_settings["CALICO_IPV4POOL_IPIP"] == "Never"


@pytest.mark.parametrize("key", ["load_balancer", "external"])
def test_addresses_of_services_outside_need_bgp_and_both_families(key: str) -> None:
    bgp = (variant.FOLDER / "bgp.toml").read_text()
    assert key in variant.parse("mine", bgp).stacks[0].outside_ranges()
    alone = re.sub(rf"{key} = .fd.*\n", "", bgp)
    assert refused(alone).wanted == f"{key} in every family of mine.toml, or in none"
    dual = TEXT.replace("[IPv6]\n", f'[IPv6]\n{key} = "fd00:9::/112"\n')
    assert refused(dual).wanted == f"[bgp] in mine.toml, since IPv6 has {key}"


def test_without_bgp_nothing_lays_routes_for_packets_that_go_as_they_are() -> None:
    error = refused(re.sub('encapsulation = ".*"', 'encapsulation = "None"', TEXT))
    assert "[bgp] in mine.toml" in error.wanted
    assert "IPv4 and IPv6" in error.wanted


def test_what_calico_alone_does_is_refused_of_another_plugin() -> None:
    other = TEXT.replace('"calico"', '"kindnet"')
    error = refused(other + OWN)
    assert error.seen == "encapsulation of IPv4, encapsulation of IPv6, [calico_env]"
    bare = re.sub('encapsulation = ".*"', 'encapsulation = "None"', other)
    found = variant.parse("mine", bare)
    assert (found.calico, found.pod_mtu) == (False, found.mtu)
    racks = bare.replace("[IPv4]\n", '[IPv4]\nrack = "10.9.0.0/24"\n')
    racks = racks.replace("[IPv6]\n", '[IPv6]\nrack = "fd00:9::/64"\n')
    assert refused(racks + BGP).seen == "[bgp]"


def test_pods_keep_the_whole_mtu_where_nothing_is_put_around_their_packets() -> None:
    assert variant.load("bgp").pod_mtu == variant.load("bgp").mtu == 1500
    assert variant.load("bgp").links == ()
    assert variant.load("bgp").tunnel("IPv6") == ""
