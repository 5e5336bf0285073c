"""Creating own pools so that no other pod can ever get an address from one; and removing them.

A pool is created disabled. It is enabled once the API server has returned every field that fences
the pool off: a server that does not know a field may drop it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from sixproof.errors import ApiError, NotAsked
from sixproof.kube.api import json_fields
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.workloads.pools.own_pool import IP_POOL, OwnPool

FENCES = ("nodeSelector", "namespaceSelector", "assignmentMode", "allowedUses")
"""The fields of an IPPool that keep other pods, and nodes, away from it."""
RULES = "the RBAC rules that --six-plan prints: create, patch and delete on ippools"
CALICO = "Calico 3.31 or later"
SEGMENTS_SINCE = (3, 31)
"""The first version of Calico whose IPAM honours namespaceSelector."""


TRIES = 3
"""Times that ranges are drawn again because another process took one at the same moment."""


class _Overlapping(Exception):
    """A pool's range overlaps one that another process created meanwhile."""


def segments_are_safe(version: str) -> bool:
    """Whether IPAM of this version of Calico (``v3.31.0``) honours namespaceSelector; False where
    the version is unknown: a pool of a node would serve every new pod there."""
    parts = version.removeprefix("v").split(".")
    try:
        return (int(parts[0]), int(parts[1])) >= SEGMENTS_SINCE
    except (IndexError, ValueError):
        return False


def create(cluster: Cluster, plan: Callable[[], Sequence[OwnPool]]) -> tuple[OwnPool, ...]:
    """Create the pools that `plan` draws, and enable those that should be; if one is refused, none
    remains.

    Raises:
        NotAsked: this account may not create pools, this Calico cannot fence one off, or every
            range that was drawn overlaps a pool.
        ApiError: the API server failed.
    """
    met = ""
    for _ in range(TRIES):
        pools = tuple(plan())
        try:
            _create_all(cluster, pools)
        except _Overlapping as error:
            met = str(error)
            continue
        return pools
    raise NotAsked(f"no range is free for pools of the run: {met}")


def remove(cluster: Cluster, pools: Sequence[OwnPool]) -> None:
    """Delete the pools; Calico then frees their blocks.

    Raises:
        ApiError: the API server refused.
    """
    cluster.gather(functools.partial(cluster.delete, IP_POOL, pool.name) for pool in pools)


def _create_all(cluster: Cluster, pools: Sequence[OwnPool]) -> None:
    try:
        cluster.gather(functools.partial(_make, cluster, pool) for pool in pools)
        if lost := [said for pool in pools for said in _unfenced(cluster, pool)]:
            what = "; ".join(lost)
            raise NotAsked(f"this Calico does not keep pods off a pool: {what}", CALICO)
        for pool in pools:
            if pool.enabled:
                cluster.patch(IP_POOL, pool.name, {"spec": {"disabled": False}})
    except BaseException:  # Ctrl-C among them
        remove(cluster, pools)
        raise


def _make(cluster: Cluster, pool: OwnPool) -> None:
    try:
        cluster.create(pool.manifest(disabled=True))
    except ApiError as error:
        said = str(error).lower()
        if error.status == 403:
            raise NotAsked(f"pools may not be made: {error}", RULES) from error
        if "overlap" in said:
            raise _Overlapping(str(error)) from error
        if error.status == 400 and "unknown field" in said:
            why = f"this Calico does not know how to keep pods off a pool: {error}"
            raise NotAsked(why, CALICO) from error
        raise


def _unfenced(cluster: Cluster, pool: OwnPool) -> list[str]:
    """The fields of a pool that are not what was requested, with their actual values."""
    wanted = pool.manifest(disabled=True)["spec"]
    found: Manifest = json_fields.mapping(cluster.get(IP_POOL, pool.name), "spec")
    return [
        f"{field} of {pool.name} is {found.get(field)!r} instead of {wanted[field]!r}"
        for field in (*FENCES, "disabled")
        if field in wanted and found.get(field) != wanted[field]
    ]
