"""NetworkPolicies as rules: what is asked here of the text, the suites ask of packets."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import pytest

from testbed.kindnet import rules
from testbed.kindnet.rules import ClusterView

RANGES = ["10.251.0.0/16", "fd00:10:251::/56"]
SPACES = [
    {"metadata": {"name": "x", "labels": {"ns": "x"}}},
    {"metadata": {"name": "y", "labels": {"ns": "y"}}},
]


def pod(space: str, name: str, number: int, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"namespace": space, "name": name, "labels": labels},
        "spec": {
            "nodeName": "here" if number < 10 else "there",
            "containers": [
                {"ports": [{"name": "web", "containerPort": 8000 + number, "protocol": "TCP"}]}
            ],
        },
        "status": {
            "phase": "Running",
            "podIPs": [{"ip": f"10.251.0.{number}"}, {"ip": f"fd00:10:251::{number}"}],
        },
    }


PODS = [
    pod("x", "a", 1, pod="a"),
    pod("x", "b", 2, pod="b"),
    pod("y", "a", 13, pod="a"),
]


def policy(spec: dict[str, Any], space: str = "x") -> dict[str, Any]:
    return {"metadata": {"namespace": space, "name": "p"}, "spec": {"podSelector": {}, **spec}}


def written(*policies: dict[str, Any], pods: list[dict[str, Any]] = PODS) -> str:
    return rules.ruleset(ClusterView.of(pods, SPACES, policies), "here", RANGES)


def chain(text: str, about: str, direction: str) -> list[str]:
    """The rules of a pod's chain in a direction, without its comment."""
    found = re.search(
        rf'  chain {direction}-\d+ {{\n    comment "{about}"\n((?:    .*\n)*)  }}\n', text
    )
    assert found, text
    return [line.strip() for line in found[1].splitlines()]


def test_without_policies_nothing_is_dropped() -> None:
    text = written()
    assert "drop" not in text
    assert "vmap" not in text


def test_a_pod_is_isolated_in_the_directions_that_its_policies_have() -> None:
    text = written(
        policy({"podSelector": {"matchLabels": {"pod": "a"}}, "policyTypes": ["Egress"]})
    )
    assert chain(text, "x/a", "egress") == ["drop"]
    assert "ingress-" not in text
    assert "ip saddr vmap { 10.251.0.1 : jump egress-0 }" in text
    assert "ip6 saddr vmap { fd00:10:251::1 : jump egress-0 }" in text


def test_both_directions_of_a_pair_are_asked_about_the_sender_first() -> None:
    text = written(policy({"policyTypes": ["Ingress", "Egress"]}))
    forward = text[text.index("chain forward") : text.index("chain input")]
    order = re.findall(r"ip6? (saddr|daddr) vmap", forward)
    assert order == ["saddr", "saddr", "daddr", "daddr"]
    assert forward.index("established") < forward.index("vmap")


def test_what_a_pod_sends_to_its_own_node_is_asked_and_its_neighbour_discovery_is_not() -> None:
    """Egress alone: what comes in to a pod never has the node for its receiver."""
    text = written(policy({"policyTypes": ["Ingress", "Egress"]}))
    to_the_node = text[text.index("chain input") : text.index("chain postrouting")]
    assert "type filter hook input" in to_the_node
    assert re.findall(r"ip6? (saddr|daddr) vmap", to_the_node) == ["saddr", "saddr"]
    first = to_the_node.index("vmap")
    assert to_the_node.index("established") < first
    assert to_the_node.index("nd-neighbor-solicit") < first


def test_pods_of_other_nodes_and_of_other_namespaces_have_no_chain() -> None:
    text = written(policy({"policyTypes": ["Ingress"]}), policy({}, space="y"))
    assert len(re.findall(r"chain ingress-", text)) == 2  # x/a and x/b


@pytest.mark.parametrize(
    ("peer", "numbers"),
    [
        ({"podSelector": {"matchLabels": {"pod": "a"}}}, [1]),
        ({"namespaceSelector": {"matchLabels": {"ns": "y"}}}, [13]),
        ({"namespaceSelector": {}, "podSelector": {"matchLabels": {"pod": "a"}}}, [1, 13]),
        ({"namespaceSelector": {}}, [1, 2, 13]),
    ],
)
def test_a_peer_is_the_pods_that_both_selectors_match(
    peer: dict[str, Any], numbers: list[int]
) -> None:
    rule = {"from": [peer]}
    lines = chain(
        written(policy({"policyTypes": ["Ingress"], "ingress": [rule]})), "x/a", "ingress"
    )
    for line in lines[:-1]:
        listed = re.search(r"{ (.*) }", line)
        assert listed
        networks = [ipaddress.ip_network(n) for n in listed[1].split(", ")]
        assert [n for n in (1, 2, 13) if _within(n, networks)] == numbers
    assert lines[-1] == "drop"
    assert [line.split()[0] for line in lines[:-1]] == ["ip", "ip6"]


def _within(number: int, networks: list[Any]) -> bool:
    both = (f"10.251.0.{number}", f"fd00:10:251::{number}")
    addresses = [ipaddress.ip_address(text) for text in both]
    return any(a in network for a in addresses for network in networks)


def test_an_empty_rule_allows_everything_and_no_rule_nothing() -> None:
    everything = written(policy({"policyTypes": ["Ingress"], "ingress": [{}]}))
    assert chain(everything, "x/a", "ingress") == ["return", "drop"]
    nothing = written(policy({"policyTypes": ["Ingress"], "ingress": []}))
    assert chain(nothing, "x/a", "ingress") == ["drop"]


def test_peers_that_match_nobody_allow_nobody() -> None:
    rule = {"from": [{"podSelector": {"matchLabels": {"pod": "nobody"}}}]}
    text = written(policy({"policyTypes": ["Ingress"], "ingress": [rule]}))
    assert chain(text, "x/a", "ingress") == ["drop"]


def test_ports_are_numbers_ranges_names_or_all_of_a_protocol() -> None:
    ports = [
        {"protocol": "UDP", "port": 53},
        {"protocol": "TCP", "port": 80, "endPort": 90},
        {"protocol": "SCTP"},
        {"port": "web"},
        {"port": "nothing"},
    ]
    text = written(policy({"policyTypes": ["Ingress"], "ingress": [{"ports": ports}]}))
    assert chain(text, "x/b", "ingress") == [
        "udp dport { 53 } return",
        "tcp dport { 80-90 } return",
        "meta l4proto sctp return",
        "tcp dport { 8002 } return",
        "drop",
    ]


def test_a_name_on_the_way_out_is_a_port_of_the_pod_that_is_dialled() -> None:
    rule = {"to": [{"podSelector": {}}], "ports": [{"port": "web"}]}
    text = written(policy({"policyTypes": ["Egress"], "egress": [rule]}))
    assert chain(text, "x/a", "egress") == [
        "ip daddr { 10.251.0.1 } tcp dport { 8001 } return",
        "ip6 daddr { fd00:10:251::1 } tcp dport { 8001 } return",
        "ip daddr { 10.251.0.2 } tcp dport { 8002 } return",
        "ip6 daddr { fd00:10:251::2 } tcp dport { 8002 } return",
        "drop",
    ]


def test_a_block_is_of_its_own_family_and_without_its_exceptions() -> None:
    block = {"cidr": "fd00::/126", "except": ["fd00::1/128"]}
    rule = {"to": [{"ipBlock": block}]}
    text = written(policy({"policyTypes": ["Egress"], "egress": [rule]}))
    (allowed, last) = chain(text, "x/a", "egress")
    assert allowed.startswith("ip6 daddr { ")
    assert set(re.findall(r"fd00\S*?(?=,| )", allowed)) == {"fd00::", "fd00::2/127"}
    assert last == "drop"


def test_exceptions_around_inside_and_beside_a_block() -> None:
    assert rules.without("10.0.0.0/8", ["10.0.0.0/7"]) == []
    assert rules.without("10.0.0.0/8", ["11.0.0.0/8", "fd00::/8"]) == [
        ipaddress.ip_network("10.0.0.0/8")
    ]
    left = rules.without("10.0.0.0/30", ["10.0.0.0/32", "10.0.0.3/32"])
    assert sorted(map(str, left)) == ["10.0.0.1/32", "10.0.0.2/32"]


def test_addresses_that_overlap_come_as_one_since_sets_take_no_overlap() -> None:
    blocks = [{"ipBlock": {"cidr": c}} for c in ("10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/8")]
    text = written(policy({"policyTypes": ["Egress"], "egress": [{"to": blocks}]}))
    assert chain(text, "x/a", "egress") == ["ip daddr { 10.0.0.0/8 } return", "drop"]


@pytest.mark.parametrize(
    ("operator", "values", "matches"),
    [
        ("In", ["a"], True),
        ("In", ["b"], False),
        ("NotIn", ["a"], False),
        ("NotIn", ["b"], True),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
    ],
)
def test_expressions_of_selectors(operator: str, values: list[str], matches: bool) -> None:
    expression = {"key": "pod", "operator": operator, "values": values}
    assert rules.selects({"matchExpressions": [expression]}, {"pod": "a"}) is matches


def test_not_in_matches_what_has_no_such_label() -> None:
    expression = {"key": "pod", "operator": "NotIn", "values": ["a"]}
    assert rules.selects({"matchExpressions": [expression]}, {})


def test_a_pod_of_the_host_network_and_one_that_ended_are_nobody() -> None:
    host, ended = pod("x", "host", 3), pod("x", "ended", 4)
    host["spec"]["hostNetwork"] = True
    ended["status"]["phase"] = "Succeeded"
    assert ClusterView.of([host, ended], SPACES, []).pods == ()


def test_what_leaves_the_pods_ranges_is_masqueraded_in_both_families() -> None:
    text = written()
    assert "ip saddr 10.251.0.0/16 ip daddr != 10.251.0.0/16 masquerade" in text
    assert "ip6 saddr fd00:10:251::/56 ip6 daddr != fd00:10:251::/56 masquerade" in text


def test_the_table_is_replaced_at_once() -> None:
    first = written().splitlines()[:3]
    assert first == ["add table inet kindnet", "delete table inet kindnet", "table inet kindnet {"]
