"""Objects of policy tests: applied and deleted in their order, and one at a time where a cluster
has but one."""

from __future__ import annotations

from typing import Any, cast

import pytest

from sixproof.checks.policy.objects import Objects
from sixproof.errors import ApiError, NotAsked
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.resources import Kind
from sixproof.kube.runs.ownership import MANAGED_BY, MANAGER
from tests.unit.workloads.memory import MemoryCluster

Manifest = dict[str, Any]
ADMIN = "policy.networking.k8s.io/v1alpha1"
OURS = {MANAGED_BY: MANAGER, "sixproof.dev/run": "1"}


def made(kind: str, name: str = "default", **labels: str) -> Manifest:
    api = ADMIN if "Admin" in kind else "networking.k8s.io/v1"
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": labels}}


class Serving(MemoryCluster):
    """A cluster that serves some kinds; `refuses` is what it says of all others, and of the
    creation of anything while it is set."""

    def __init__(self, *kinds: str) -> None:
        super().__init__()
        self._kinds = kinds
        self.refuses: ApiError | None = None
        self.catalog = cast(Any, self)

    def kind(self, api_version: str, kind: str) -> Kind:
        """The kind, where it is served."""
        if kind not in self._kinds:
            raise self.refuses or ApiError("no such kind", status=404)
        return Kind(api_version, kind, f"{kind.lower()}s", namespaced=False)

    def place(self, manifest: Manifest) -> tuple[Kind, str, str]:
        """Where an object of that manifest is."""
        kind = Kind(manifest["apiVersion"], manifest["kind"], "", namespaced=False)
        return kind, manifest["metadata"]["name"], ""

    def create(self, manifest: Manifest) -> Manifest:
        """Create what is not there."""
        if self.refuses:
            raise self.refuses
        return super().create(manifest)


def objects(cluster: Serving) -> Objects:
    return Objects(cast(Cluster, cluster), settle=0.02)


BASELINE = made("BaselineAdminNetworkPolicy", **OURS)


def test_what_is_applied_first_is_deleted_last() -> None:
    """Tiers refuse to go before their policies."""
    cluster = Serving()
    policies = [made("Tier", "t"), made("NetworkPolicy", "p")]
    objects(cluster).apply(policies)
    objects(cluster).delete(policies)
    assert cluster.log == [
        "apply Tier t", "apply NetworkPolicy p", "delete NetworkPolicy p", "delete Tier t",
    ]  # fmt: skip


def test_a_kind_that_is_not_served_is_not_asked_about() -> None:
    """Another refusal says nothing about it."""
    cluster = Serving("NetworkPolicy")
    objects(cluster).need("networking.k8s.io/v1", "NetworkPolicy")
    with pytest.raises(NotAsked, match=f"does not serve AdminNetworkPolicy of {ADMIN}"):
        objects(cluster).need(ADMIN, "AdminNetworkPolicy")
    cluster.refuses = ApiError("forbidden", status=403)
    with pytest.raises(ApiError, match="forbidden"):
        objects(cluster).need(ADMIN, "AdminNetworkPolicy")


def test_the_one_object_of_its_kind_is_created_and_its_holder_may_change_it() -> None:
    """Whoever holds it takes it away again."""
    cluster = Serving()
    objects(cluster).apply([BASELINE])
    objects(cluster).apply([BASELINE])
    assert list(cluster.objects) == [("BaselineAdminNetworkPolicy", "", "default")]
    objects(cluster).delete([BASELINE])
    assert cluster.objects == {}


def test_one_of_another_process_is_waited_for_and_left_alone() -> None:
    """It is not deleted either; the wait has an end, which says who keeps it."""
    cluster = Serving()
    theirs = made("BaselineAdminNetworkPolicy", **{**OURS, "sixproof.dev/run": "2"})
    cluster.apply(theirs)
    with pytest.raises(ApiError, match="another process keeps BaselineAdminNetworkPolicy default"):
        objects(cluster).apply([BASELINE])
    objects(cluster).delete([BASELINE])
    assert list(cluster.objects.values()) == [theirs]


def test_one_of_the_owner_s_is_never_touched() -> None:
    """The test is skipped."""
    cluster = Serving()
    cluster.apply(made("BaselineAdminNetworkPolicy", team="net"))
    with pytest.raises(NotAsked, match="has a BaselineAdminNetworkPolicy of its owner's"):
        objects(cluster).apply([BASELINE])
    assert len(cluster.objects) == 1


def test_another_refusal_is_the_api_s_own() -> None:
    """It is not taken for somebody's turn."""
    cluster = Serving()
    cluster.refuses = ApiError("too many requests", status=429)
    with pytest.raises(ApiError, match="too many requests"):
        objects(cluster).apply([BASELINE])
