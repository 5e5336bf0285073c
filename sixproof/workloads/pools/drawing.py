"""Drawing own pools for a cluster: which pools it has, and what its own pools are like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sixproof.calico import ipam as calico_ipam
from sixproof.calico import pools as calico_pools
from sixproof.calico.pools import Pool
from sixproof.calico.state import CalicoState
from sixproof.errors import ApiError, NotAsked
from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.facts.discovery import CALICO_API
from sixproof.model import ClusterFacts, Endpoint, Family, IPNetwork
from sixproof.workloads.pools import creation, ranges
from sixproof.workloads.pools.own_pool import HOSTNAME, IP_POOL, OwnPool, Purpose, plan
from sixproof.workloads.probe_pods.topology import ProbeTopology


def drawer(
    cluster: Cluster,
    facts: ClusterFacts,
    state: CalicoState,
    topology: ProbeTopology,
    serial: str,
) -> Callable[[], tuple[OwnPool, ...]]:
    """A function that draws the pools of a process, each time from the cluster's current state.
    There is no SEGMENT where IPAM might not keep other pods off it.

    Raises:
        NotAsked: Calico's API is not served, so that nothing validates new objects, or the cluster
            has no pool that serves pods.
        ApiError: the API server refused or is gone.
    """
    if state.api != CALICO_API:
        raise NotAsked(state.why_not_v3, "Calico's API server")
    safe = creation.segments_are_safe(facts.cni_version)
    inside = topology.nodes[0]
    label = {json_fields.name(n): json_fields.labels(n) for n in cluster.list(resources.NODE)}
    hostname = label.get(inside, {}).get(HOSTNAME, "")
    purposes = [p for p in Purpose if p is not Purpose.SEGMENT or (safe and hostname)]

    def draw() -> tuple[OwnPool, ...]:
        listed = cluster.list(IP_POOL)
        used = in_use(listed, topology)
        if not used:
            raise NotAsked("no IPPool serves pods")
        return plan(
            topology.run,
            serial,
            (inside, hostname),
            used,
            ranges.taken(facts, calico_pools.pools(listed), _subnets(state)),
            purposes=purposes,
            before=_first_blocks(cluster, topology),
        )

    return draw


def in_use(listed: Iterable[Manifest], topology: ProbeTopology) -> dict[Family, Manifest]:
    """By family the IPPool that the run's pods have their addresses from or, if unknown, the first
    that serves pods."""
    read = [(m, pool) for m in listed if (pool := calico_pools.pool(m)) is not None]
    serving = [(m, pool) for m, pool in read if not pool.disabled and "Workload" in pool.uses]
    found: dict[Family, Manifest] = {}
    for family in topology.families():
        mine = [(m, pool) for m, pool in serving if pool.family is family and not pool.manual]
        chosen = next((m for m, pool in mine if _serves(pool, topology.pods)), None)
        chosen = chosen or next((m for m, _ in mine), None)
        if chosen is not None:
            found[family] = chosen
    return found


def _serves(pool: Pool, pods: Iterable[Endpoint]) -> bool:
    addresses = (pod.address(pool.family) for pod in pods)
    return any(a is not None and a in pool.cidr for a in addresses)


def _subnets(state: CalicoState) -> list[IPNetwork]:
    return [interface.network for node in state.nodes for interface in node.chosen]


def _first_blocks(cluster: Cluster, topology: ProbeTopology) -> Mapping[Family, str]:
    """By family the written name of the first block that some covered node has: IPAM tries the
    blocks of a node in the order in which the API server lists them, by name."""
    try:
        blocks = calico_ipam.read(cluster).blocks
    except ApiError:
        return {}
    mine = [block for block in blocks if block.node in topology.nodes]
    return {
        family: min(ranges.written(b.cidr) for b in mine if b.family is family)
        for family in Family
        if any(b.family is family for b in mine)
    }
