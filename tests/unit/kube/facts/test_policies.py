"""Policies that stand in a cluster: which are read, and that nothing is changed."""

from __future__ import annotations

from typing import Any

from sixproof.kube.api.client import Cluster
from sixproof.kube.facts import policies
from sixproof.kube.runs import ownership
from tests.unit.kube.server import FakeApi, Reply, listed

CALICO = "/apis/projectcalico.org/v3"
SERVED = [
    {"name": "networkpolicies", "kind": "NetworkPolicy", "namespaced": True, "verbs": ["list"]},
    {"name": "tiers", "kind": "Tier", "namespaced": False, "verbs": ["list"]},
]


def policy(name: str, run: str = "") -> dict[str, Any]:
    labels = ownership.labels(run) if run else {}
    return {"kind": "NetworkPolicy", "metadata": {"name": name, "labels": labels}}


def names(found: tuple[dict[str, Any], ...]) -> list[str]:
    return [manifest["metadata"]["name"] for manifest in found]


def with_calico(api: FakeApi) -> None:
    group = {"name": "projectcalico.org", "versions": [{"version": "v3"}]}
    api.on("GET", "/apis", Reply({"groups": [group]}))
    api.on("GET", CALICO, Reply({"resources": SERVED}))
    ours = (policy("db"), policy("knp.default.web"))
    api.on("GET", f"{CALICO}/namespaces/shop/networkpolicies", listed(*ours))
    api.on("GET", f"{CALICO}/tiers", listed({"metadata": {"name": "security"}}))


def test_policies_of_namespaces_are_those_of_both_apis_without_copies_and_ours(
    cluster: Cluster, api: FakeApi
) -> None:
    with_calico(api)
    path = "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies"
    api.on("GET", path, listed(policy("web"), policy("probe", run="r1")))
    assert names(policies.of_namespaces(cluster, ("shop",))) == ["web", "db"]
    assert names(policies.tiers(cluster)) == ["security"]
    assert {seen.method for seen in api.seen} == {"GET"}


def test_without_calico_there_are_no_tiers(cluster: Cluster, api: FakeApi) -> None:
    api.on("GET", "/apis", Reply({"groups": []}))
    api.on("GET", "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies", listed())
    assert policies.of_namespaces(cluster, ("shop",)) == ()
    assert policies.tiers(cluster) == ()
