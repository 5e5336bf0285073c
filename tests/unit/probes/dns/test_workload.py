"""The services whose names are asked for, as manifests."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from sixproof.model import Family
from sixproof.workloads.dns import pods, services
from sixproof.workloads.dns.services import NameSet
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.probe_pod import PodOptions

RUN = Run("abc123")
DUAL = (Family.IPV6, Family.IPV4)
NAMES = NameSet(RUN, "six-abc123-a", DUAL, "beef")


def made(families: tuple[Family, ...] = DUAL) -> dict[str, dict[str, Any]]:
    names = NameSet(RUN, "six-abc123-a", families, "beef")
    return {m["metadata"]["name"]: m for m in services.services(names, "target.example")}


def test_every_object_is_of_the_run_and_of_its_set() -> None:
    objects = [
        *made().values(),
        *services.slices(NAMES),
        *services.sentinel(NAMES, 1)[1],
        pods.unready_pod(NAMES, "worker", PodOptions("image")),
        pods.resolver_pod(NAMES, "worker", PodOptions("image"), (), ()),
    ]
    for found in objects:
        metadata = found["metadata"]
        assert metadata["namespace"] == "six-abc123-a"
        assert RUN.labels.items() <= metadata["labels"].items()
        assert metadata["labels"][services.SET] == "beef"
        assert "beef" in metadata["name"]


@pytest.mark.parametrize(
    ("families", "stacks"),
    [
        (DUAL, ["v46", "v64", "v4", "v6"]),
        ((Family.IPV4,), ["v4"]),
        ((Family.IPV6,), ["v6"]),
        ((), []),
    ],
)
def test_only_what_the_cluster_can_give_is_asked_for(
    families: tuple[Family, ...], stacks: list[str]
) -> None:
    names = NameSet(RUN, "ns", families, "beef")

    assert list(names.stacks()) == stacks
    assert names.cluster_ip() == tuple(f"clusterip-{s}-beef" for s in stacks)
    assert names.headless() == tuple(f"headless-{s}-beef" for s in stacks)


def test_family_policies() -> None:
    found = made()
    policies = {
        stack: (spec["ipFamilyPolicy"], spec["ipFamilies"])
        for stack in services.STACKS
        for spec in [found[f"clusterip-{stack}-beef"]["spec"]]
    }

    assert policies == {
        "v46": ("RequireDualStack", ["IPv4", "IPv6"]),
        "v64": ("RequireDualStack", ["IPv6", "IPv4"]),
        "v4": ("SingleStack", ["IPv4"]),
        "v6": ("SingleStack", ["IPv6"]),
    }
    assert found["headless-v6-beef"]["spec"]["clusterIP"] == "None"
    assert "clusterIP" not in found["clusterip-v6-beef"]["spec"]
    assert "selector" not in found["hosts-beef"]["spec"]


def test_alias_and_unready_pods() -> None:
    found = made()
    assert found["alias-beef"]["spec"] == {
        "type": "ExternalName",
        "externalName": "target.example",
    }
    assert found["published-beef"]["spec"]["publishNotReadyAddresses"] is True
    assert "publishNotReadyAddresses" not in found["unpublished-beef"]["spec"]
    assert found["published-beef"]["spec"]["selector"][services.PART] == services.UNREADY


def test_hand_made_slices() -> None:
    slices = {m["metadata"]["name"]: m for m in services.slices(NAMES)}
    big = slices["big-beef-ipv6"]
    hosts = slices["hosts-beef-ipv4"]["endpoints"]

    assert len(slices) == 6
    assert big["addressType"] == "IPv6"
    assert len({e["addresses"][0] for e in big["endpoints"]}) == services.MANY
    assert big["metadata"]["labels"][services.SERVICE_NAME] == "big-beef"
    assert [(e["hostname"], e["conditions"]["ready"]) for e in hosts] == [
        ("left", True),
        ("right", True),
        ("gone", False),
    ]


DOCUMENTATION = [
    ipaddress.ip_network(n)
    for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]


def test_hand_made_addresses_are_for_documentation_and_canonical() -> None:
    texts = [
        address
        for m in (*services.slices(NAMES), *services.sentinel(NAMES, 1)[1])
        for endpoint in m.get("endpoints", ())
        for address in endpoint["addresses"]
    ]
    for text in texts:
        address = ipaddress.ip_address(text)
        assert str(address) == text
        assert any(address in n for n in DOCUMENTATION if n.version == address.version)


def test_two_processes_do_not_meet() -> None:
    other = NameSet(RUN, "six-abc123-a", DUAL)
    assert other.name("big") != NAMES.name("big")
    assert other.address("big", Family.IPV6, 1) != NAMES.address("big", Family.IPV6, 1)


def test_sentinels_are_new_each_time() -> None:
    first, second = services.sentinel(NAMES, 1), services.sentinel(NAMES, 2)

    assert (first[0], second[0]) == ("sentinel1-beef", "sentinel2-beef")
    assert [m["kind"] for m in first[1]] == ["Service", "EndpointSlice", "EndpointSlice"]
    assert {m["metadata"]["labels"][services.SERVICE_NAME] for m in second[1][1:]} == {
        "sentinel2-beef"
    }


def test_moved_endpoints_change_in_every_way() -> None:
    before = {e.host: e.ready for e in services.MOVING_BEFORE}
    after = {e.host: e.ready for e in services.MOVING_AFTER}

    assert (before.keys() - after.keys(), after.keys() - before.keys()) == ({1}, {4})
    assert (before[2], after[2], before[3], after[3]) == (True, False, False, True)


def test_resolver_pods() -> None:
    options = PodOptions("image")
    address = ipaddress.ip_address("fd00::a")
    plain = pods.resolver_pod(NAMES, "worker", options, (), ("a",))["spec"]
    six = pods.resolver_pod(NAMES, "worker", options, (address,), ("a", "b"))["spec"]

    assert "dnsConfig" not in plain
    assert six["dnsPolicy"] == "None"
    assert six["dnsConfig"]["nameservers"] == ["fd00::a"]
    assert six["dnsConfig"]["searches"] == ["a", "b"]


def test_unready_pod_is_never_ready() -> None:
    spec = pods.unready_pod(NAMES, "worker", PodOptions("image"))["spec"]
    assert spec["readinessGates"] == [{"conditionType": pods.GATE}]


def test_policies_select_backends_of_this_process_only() -> None:
    labels = {"k8s-app": "kube-dns"}
    policy = services.only_dns(NAMES, "kube-system", labels)
    rule = policy["spec"]["egress"][0]

    assert policy["spec"]["podSelector"]["matchLabels"] == {
        services.SET: "beef",
        services.PART: services.BACKEND,
    }
    assert policy["spec"]["policyTypes"] == ["Egress"]
    assert rule["to"][0]["podSelector"]["matchLabels"] == labels
    assert [(p["protocol"], p["port"]) for p in rule["ports"]] == [("UDP", 53), ("TCP", 53)]


@pytest.mark.parametrize(("family", "block"), [(Family.IPV4, "0.0.0.0/0"), (Family.IPV6, "::/0")])
def test_policy_of_one_family(family: Family, block: str) -> None:
    policy = services.only_family(NAMES, family)
    assert policy["spec"]["egress"] == [{"to": [{"ipBlock": {"cidr": block}}]}]
