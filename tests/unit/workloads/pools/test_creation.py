"""Making pools: fenced off before they are enabled, and gone where something goes wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import cast

import pytest

from sixproof.errors import ApiError, NotAsked
from sixproof.kube.api.client import Cluster
from sixproof.model import Family
from sixproof.workloads.pools import creation
from sixproof.workloads.pools.own_pool import OwnPool, Purpose, plan
from tests.unit.workloads.pools.pool_api import PoolApi
from tests.unit.workloads.pools.test_own_pool import RUN, USED

THEIRS = {"default-ipv4-ippool", "default-ipv6-ippool"}


def drawing() -> Callable[[], tuple[OwnPool, ...]]:
    """New pools at every call."""
    chance = random.Random(1)
    return lambda: plan(RUN, "gw0", ("n1", "n1.example"), USED, (), chance=chance)


def create(api: PoolApi) -> tuple[OwnPool, ...]:
    """Make them."""
    return creation.create(cast(Cluster, api), drawing())


def test_all_are_made_disabled_and_enabled_once_all_stand() -> None:
    """At no moment a pool is enabled that is not fenced off."""
    api = PoolApi()
    made = create(api)
    patched = [line for line in api.log if line.startswith("patch")]
    assert api.log[-len(patched) :] == patched
    assert {line.split()[-1] for line in patched} == {p.name for p in made if p.enabled}
    for one in made:
        assert api.pools[one.name]["spec"]["disabled"] is (one.purpose is Purpose.DISABLED)
    creation.remove(cast(Cluster, api), made)
    assert api.pools.keys() == THEIRS


@pytest.mark.parametrize("field", creation.FENCES)
def test_a_calico_that_does_not_keep_a_fence_gets_no_pool(field: str) -> None:
    """None is ever enabled, none is left, and the field is named."""
    api = PoolApi()
    api.forgets = {field}
    with pytest.raises(NotAsked, match=f"{field} of six-abc123-pools-gw0"):
        create(api)
    assert api.pools.keys() == THEIRS
    assert not any(line.startswith("patch") for line in api.log)


def test_a_calico_that_does_not_know_a_fence_says_so() -> None:
    """It refuses the field."""
    api = PoolApi()
    said = 'strict decoding error: unknown field "spec.assignmentMode"'
    api.refuses = [ApiError(said, status=400)]
    with pytest.raises(NotAsked, match="does not know how to keep pods off") as caught:
        create(api)
    assert caught.value.enable == creation.CALICO
    assert api.pools.keys() == THEIRS


def test_without_permission_to_make_pools_the_missing_rules_are_reported() -> None:
    """The rules of the plan."""
    api = PoolApi()
    api.refuses = [ApiError("ippools is forbidden", status=403)]
    with pytest.raises(NotAsked, match="pools may not be made") as caught:
        create(api)
    assert "--six-plan" in caught.value.enable


def test_a_range_that_somebody_took_meanwhile_is_drawn_anew() -> None:
    """A few times; then the test says so."""
    api = PoolApi()
    api.refuses = [ApiError("IPPool CIDR overlaps with IPPool other", status=422)]
    assert {p.family for p in create(api)} == set(Family)
    api = PoolApi()
    api.refuses = [ApiError("IPPool CIDR overlaps with IPPool other", status=422)] * 3
    with pytest.raises(NotAsked, match="no range is free"):
        create(api)
    assert api.pools.keys() == THEIRS


def test_what_else_goes_wrong_is_passed_on_and_nothing_is_left() -> None:
    """As where the API server goes away in the middle."""
    api = PoolApi()
    api.refuses = [ApiError("gone", status=503)]
    with pytest.raises(ApiError, match="gone"):
        create(api)
    assert api.pools.keys() == THEIRS


@pytest.mark.parametrize(
    ("version", "safe"),
    [("v3.31.0", True), ("v3.30.4", False), ("v4.0", True), ("3.32.1", True), ("", False),
     ("latest", False), ("v3", False)],
)  # fmt: skip
def test_segments_are_made_where_ipam_heeds_namespaces(version: str, safe: bool) -> None:
    """A version that cannot be read is not trusted."""
    assert creation.segments_are_safe(version) is safe
