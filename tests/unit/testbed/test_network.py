import ipaddress
import json

import pytest

from testbed.errors import BedError
from testbed.network import bridge, firewall

ROUTES = json.dumps(
    [
        {"dst": "default", "gateway": "10.0.0.1"},
        {"dst": "172.31.0.0/16", "dev": "eth1"},
        {"type": "local", "dst": "10.0.0.5"},
    ]
)


def test_routes_are_read_without_the_default() -> None:
    assert [str(net) for net in bridge.routed(ROUTES)] == ["172.31.0.0/16", "10.0.0.5/32"]
    assert bridge.routed("") == []


def test_a_network_is_chosen_that_overlaps_no_route() -> None:
    assert bridge.free([]) == "172.31.66.0/24"
    assert bridge.free(bridge.routed(ROUTES)) == "172.30.66.0/24"


def test_a_machine_that_routes_everything_has_no_free_network() -> None:
    with pytest.raises(BedError, match="free IPv4 network"):
        bridge.free([ipaddress.IPv4Network("172.16.0.0/12")])


def test_the_fence_is_one_own_table_named_by_its_bridge() -> None:
    rules = firewall.rules("br-six")
    assert {line.split()[-2] for line in rules.splitlines() if "table inet" in line} <= {
        "six_fence_br_six",
        "inet",
    }
    assert "flush ruleset" not in rules


def test_the_fence_stops_both_directions_and_new_flows_to_the_machine() -> None:
    rules = firewall.rules("br-six")
    assert 'iifname "br-six" oifname != "br-six" counter reject' in rules
    assert 'oifname "br-six" iifname != "br-six" counter reject' in rules
    chain = rules[rules.index("chain input") :]
    assert chain.index("ct state established") < chain.index("counter reject")
    assert "ipv6-icmp" in chain
