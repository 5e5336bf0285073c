"""Own pools in Calico's store: what is another than the run made it is named, and nothing else."""

from __future__ import annotations

from typing import cast

import pytest

from sixproof.kube.api.client import Cluster
from sixproof.model import Family, Finding
from sixproof.workloads.pools import creation, stored
from sixproof.workloads.pools.own_pool import OwnPool, Purpose, find
from tests.unit.workloads.pools.pool_api import PoolApi
from tests.unit.workloads.pools.test_own_pool import drawn

SIX = Family.IPV6


def made() -> tuple[PoolApi, tuple[OwnPool, ...]]:
    """The pools of a process, as the API returns them: without fields that are false or empty."""
    api = PoolApi()
    pools = creation.create(cast(Cluster, api), drawn)
    for one in pools:
        spec = api.pools[one.name]["spec"]
        for field in [field for field, value in spec.items() if not value]:
            del spec[field]
    return api, pools


def changed(api: PoolApi, pools: tuple[OwnPool, ...]) -> list[Finding]:
    """What is found."""
    return list(stored.changes(cast(Cluster, api), pools))


def test_pools_that_stand_as_they_were_made_are_no_finding() -> None:
    """Fields that the API leaves out are false."""
    assert changed(*made()) == []


@pytest.mark.parametrize(
    ("purpose", "change", "said"),
    [
        (Purpose.MASKED, {"cidr": "fd00:77::/121"}, "cidr is fd00:77::/121 instead of "),
        (Purpose.MASKED, {"blockSize": 124}, "blockSize is 124 instead of 125"),
        (Purpose.MASKED, {"vxlanMode": "Never"}, "vxlanMode is Never instead of Always"),
        (Purpose.MASKED, {"natOutgoing": False}, "natOutgoing is false instead of true"),
        (Purpose.BARE, {"natOutgoing": True}, "natOutgoing is true instead of false"),
        (
            Purpose.MASKED,
            {"assignmentMode": "Automatic", "nodeSelector": "all()"},
            "nodeSelector is all() instead of !all(), assignmentMode is Automatic instead of "
            "Manual, with which the run created it",
        ),
        (Purpose.SEGMENT, {"nodeSelector": "all()"}, "instead of kubernetes.io/hostname == "),
        (Purpose.DISABLED, {"disabled": False}, "disabled is false instead of true"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_each_field_that_is_another_is_named(
    purpose: Purpose, change: dict[str, object], said: str
) -> None:
    """L5: the pool, what the field is, and what the run made it; of its family."""
    api, pools = made()
    one = find(pools, purpose, SIX)
    api.pools[one.name]["spec"].update(change)
    (found,) = changed(api, pools)
    assert found.subject == f"IPPool {one.name}"
    assert said in found.seen
    assert found.families == (SIX,)
    assert "managedFields" in found.remedy


def test_a_pool_that_is_gone_is_named() -> None:
    """Somebody deleted it."""
    api, pools = made()
    del api.objects["IPPool", "", pools[0].name]
    (found,) = changed(api, pools)
    assert (found.subject, found.seen) == (f"IPPool {pools[0].name}", "it was deleted")
