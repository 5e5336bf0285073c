"""The mutable service: changes that are made only when they are made, and are taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sixproof.kube.api import json_fields, resources
from sixproof.model import Family
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.probe_pod import PodOptions
from sixproof.workloads.services import backends
from sixproof.workloads.services.backends import SERVES, Backend
from sixproof.workloads.services.kube_proxy import KubeProxy
from sixproof.workloads.services.mutable_service import Change, MutableService
from tests.unit.workloads.memory import MemoryCluster

MANIFEST = Path(__file__).parents[4] / "manifests" / "services" / "change.yaml"
RUN = Run("abc123")


@pytest.fixture
def cluster() -> MemoryCluster:
    """An empty cluster."""
    return MemoryCluster()


@pytest.fixture
def mutable_service(cluster: Any) -> MutableService:
    """A mutable service with a reserve of three."""
    wanted = [Backend(f"spare{i}", "shop", "n1", gated=True) for i in (1, 2, 3)]
    made = backends.create(cluster, RUN, wanted, PodOptions("image"), timeout=1)
    return MutableService(cluster, RUN, MANIFEST, "change-1", made, KubeProxy("iptables"))


def serving(cluster: MemoryCluster) -> dict[str, str]:
    """Which pod serves which service."""
    pods = cluster.list(resources.POD)
    return {json_fields.name(p): s for p in pods if (s := json_fields.labels(p).get(SERVES))}


def behind(change: Change) -> tuple[list[str], list[str]]:
    """Who is behind the service before a change and after it; the change is made."""
    before = change.before
    names = [b.name for b in before.backends] if before else []
    return names, [b.name for b in change.make().backends]


def test_nothing_is_dialled_before_it_is_open(mutable_service: MutableService) -> None:
    with pytest.raises(ValueError, match="change-1 is not open"):
        mutable_service.target()
    assert mutable_service.open().before is None


def test_a_change_waits_until_it_is_made(
    mutable_service: MutableService, cluster: MemoryCluster
) -> None:
    one, two, _ = mutable_service.reserve
    mutable_service.stage(one)
    mutable_service.open().make()
    change = mutable_service.put(two)
    assert serving(cluster) == {one.pod: "change-1"}
    assert behind(change) == ([one.name], [one.name, two.name])
    assert serving(cluster) == {one.pod: "change-1", two.pod: "change-1"}


def test_reports_call_it_the_service(mutable_service: MutableService) -> None:
    assert mutable_service.open().make().endpoint.name == "service"


def test_taken_unready_deleted(mutable_service: MutableService, cluster: MemoryCluster) -> None:
    one, two, three = mutable_service.reserve
    mutable_service.stage(one, two, three)
    mutable_service.open().make()
    assert behind(mutable_service.take(one))[1] == [two.name, three.name]
    assert one.pod not in serving(cluster)
    assert behind(mutable_service.unready(two))[1] == [three.name]
    assert cluster.objects["Pod", "shop", two.pod]["gate"] == "False"
    assert serving(cluster)[two.pod] == "change-1"  # unready, not removed
    assert behind(mutable_service.delete(three))[1] == []
    assert ("Pod", "shop", three.pod) not in cluster.objects


def test_replaced(mutable_service: MutableService, cluster: MemoryCluster) -> None:
    one, two, _ = mutable_service.reserve
    mutable_service.stage(one)
    mutable_service.open().make()
    assert behind(mutable_service.replace(one, two)) == ([one.name], [two.name])
    assert serving(cluster) == {two.pod: "change-1"}


def test_made_again_at_the_same_addresses_for_others(
    mutable_service: MutableService, cluster: MemoryCluster
) -> None:
    one, two, _ = mutable_service.reserve
    mutable_service.stage(one)
    old = mutable_service.open().make()
    change = mutable_service.recreate(two)
    new = change.make()
    assert new.endpoint.addresses == old.endpoint.addresses
    assert [b.name for b in new.backends] == [two.name]
    assert serving(cluster)[two.pod] == "change-1-again"
    assert cluster.log.index("delete Service change-1") < len(cluster.log) - 1


def test_a_second_family(mutable_service: MutableService) -> None:
    mutable_service.open(ipFamilyPolicy="SingleStack", ipFamilies=["IPv6"]).make()
    change = mutable_service.grow()
    assert change.before is not None
    assert change.before.endpoint.families() == {Family.IPV6}
    assert change.make().endpoint.families() == set(Family)


def test_everything_is_taken_back(mutable_service: MutableService, cluster: MemoryCluster) -> None:
    one, two, _ = mutable_service.reserve
    mutable_service.stage(one, two)
    mutable_service.open().make()
    mutable_service.unready(one).make()
    mutable_service.close()
    assert serving(cluster) == {}
    assert cluster.list(resources.SERVICE) == ()
    assert {p["gate"] for p in cluster.list(resources.POD)} == {"True"}
    mutable_service.close()  # a second time does no harm
