"""Preflight: what stops a run, what hurts, and that ignorance is no accusation."""

from __future__ import annotations

import dataclasses
import ipaddress

import pytest

from sixproof.kube.facts import preflight
from sixproof.kube.facts.permissions import Need, Permissions
from sixproof.model import ClusterFacts, Family, Finding, NodeFacts, Severity

IPV4, IPV6 = Family
BOTH = (IPV4, IPV6)


def node(name: str, *addresses: str, ready: bool = True) -> NodeFacts:
    return NodeFacts(name, tuple(map(ipaddress.ip_address, addresses)), ready=ready)


DUAL = ClusterFacts(
    server="https://api",
    version="v1.34.1",
    nodes=(node("a", "10.0.0.1", "fd00:1::1"), node("b", "10.0.0.2", "fd00:1::2")),
    service_families=BOTH,
    pod_families=BOTH,
    service_cidrs=(ipaddress.ip_network("10.96.0.0/16"), ipaddress.ip_network("fd00:96::/112")),
    pod_cidrs=(ipaddress.ip_network("10.244.0.0/16"), ipaddress.ip_network("fd00:244::/56")),
    cni="Calico",
)
ALL = Permissions()


def check(facts: ClusterFacts, required: tuple[Family, ...] = BOTH) -> list[Finding]:
    return list(preflight.check(facts, ALL, required))


def change(**changes: object) -> ClusterFacts:
    return dataclasses.replace(DUAL, **changes)  # type: ignore[arg-type]


def test_good_cluster() -> None:
    assert check(DUAL) == []
    assert preflight.root_cause([]) is None


def test_nothing_known_accuses_nobody() -> None:
    assert check(ClusterFacts("https://api", "", ())) == []


def test_old_api_server() -> None:
    [finding] = check(change(version="v1.22.17"))
    assert finding.severity is Severity.BLOCKER
    assert "1.23 or later" in str(finding)
    assert check(change(version="v1.22.17"), (IPV6,)) == []


def test_no_ready_node() -> None:
    found = check(change(nodes=(node("a", "10.0.0.1", ready=False),)))
    assert [f.code for f in found] == ["nodes-ready"]
    assert found[0].severity is Severity.BLOCKER


def test_node_that_is_not_ready_is_left_out() -> None:
    found = check(change(nodes=(*DUAL.nodes, node("c", ready=False))))
    assert [(f.subject, f.severity) for f in found] == [("c", Severity.WARNING)]


def test_node_without_the_family() -> None:
    [finding] = check(change(nodes=(DUAL.nodes[0], node("b", "10.0.0.2"))))
    assert finding.severity is Severity.ERROR
    assert "node b: no IPv6 InternalIP (it has 10.0.0.2)" in str(finding)
    assert "--node-ip" in finding.remedy


def test_no_node_has_the_family() -> None:
    found = check(change(nodes=(node("a", "10.0.0.1"), node("b", "10.0.0.2"))))
    assert {f.severity for f in found} == {Severity.BLOCKER}
    assert [f.subject for f in found] == ["node a", "node b"]


def test_family_that_is_not_required_may_be_missing() -> None:
    assert check(change(nodes=(node("a", "fd00:1::1"),), pod_families=(IPV6,)), (IPV6,)) == []


def test_pods_without_the_family_and_without_a_range() -> None:
    pods = (ipaddress.ip_network("10.244.0.0/16"),)
    [finding] = check(change(pod_families=(IPV4,), pod_cidrs=pods))
    assert finding.severity is Severity.BLOCKER
    assert "create an IPv6 IPPool" in finding.remedy
    [finding] = check(change(pod_families=(IPV4,), pod_cidrs=pods, cni="other"))
    assert "--cluster-cidr" in finding.remedy


def test_pods_without_the_family_although_there_is_a_range() -> None:
    [finding] = check(change(pod_families=(IPV4,)))
    assert finding.severity is Severity.ERROR
    assert "assign_ipv6" in finding.remedy
    [finding] = check(change(pod_families=(IPV4,), cni=""))
    assert "recreated" in finding.remedy or "recreate the pods" in finding.remedy


def test_services_without_the_family() -> None:
    [finding] = check(
        change(service_families=(IPV4,), service_cidrs=(ipaddress.ip_network("10.96.0.0/16"),))
    )
    assert finding.severity is Severity.BLOCKER
    assert "--service-cluster-ip-range" in finding.remedy
    assert "10.96.0.0/16" in finding.seen


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        ("10.96.128.0/17", "overlaps service range 10.96.0.0/16"),
        ("fd00:96::/48", "overlaps service range fd00:96::/112"),
        ("fd00:1::/64", "holds fd00:1::2, an address of node b"),
        ("fe80:1::/64", "link-local"),
        ("ff05::/64", "multicast"),
        ("fec0::/64", "site-local"),
        ("2001:db8:1::/56", "documentation prefix"),
    ],
)
def test_ranges_that_do_not_go_together(pods: str, words: str) -> None:
    found = check(change(pod_cidrs=(ipaddress.ip_network(pods),)))
    assert any(words in str(f) for f in found)
    assert all(f.severity in (Severity.ERROR, Severity.WARNING) for f in found)
    family = Family.of(ipaddress.ip_network(pods))
    assert all(f.families == (family,) for f in found if f.code == "range-overlap")


def test_missing_permissions() -> None:
    permissions = Permissions(
        missing=(
            Need(("create",), "pods/exec", purpose="the control channel"),
            Need(("list",), "daemonsets", "apps", "which CNI runs", required=False),
        ),
        unknown="",
    )
    found = preflight.check(DUAL, permissions, BOTH)
    assert [f.severity for f in found] == [Severity.BLOCKER, Severity.NOTE]
    cause = preflight.root_cause(found)
    assert cause
    assert "create pods/exec: not allowed; needed for the control channel" in str(cause)
    assert "--six-plan" in cause.remedy


def test_permissions_that_could_not_be_asked_for() -> None:
    [finding] = preflight.check(DUAL, Permissions(unknown="403"), BOTH)
    assert finding.severity is Severity.WARNING


def test_missing_permission_comes_before_its_consequences() -> None:
    permissions = Permissions(missing=(Need(("list",), "nodes", purpose="placement"),))
    found = preflight.check(change(nodes=()), permissions, BOTH)
    cause = preflight.root_cause(found)
    assert cause
    assert cause.code == "permissions"


def test_a_check_that_saw_nothing_says_so() -> None:
    """With every read refused, no check may be taken for passed."""
    refused = dataclasses.replace(
        ClusterFacts("https://api", "", ()), extra=(("unknown", "list nodes (not allowed)"),)
    )
    unseen = preflight.unseen(refused, Permissions(unknown="403"))
    codes = {"permissions", "kubernetes-version", "nodes-ready", "node-family", "pod-family"}
    assert codes | {"service-family", "range-overlap", "range-scope"} == unseen.keys()
    assert unseen["nodes-ready"] == "the nodes could not be seen: list nodes (not allowed)"
    assert unseen["permissions"].endswith(": 403")


def test_what_was_seen_is_not_among_the_unseen() -> None:
    """A cluster that shows everything leaves no check blind."""
    assert preflight.unseen(DUAL, ALL) == {}
