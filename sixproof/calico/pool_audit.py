"""Judging IP pools: families, sizes, overlaps, encapsulation, and how pods reach the outside."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator

from sixproof.calico.pools import Pool
from sixproof.calico.state import CalicoState
from sixproof.errors import Subject
from sixproof.model import ClusterFacts, Family, Finding, FindingType, Severity

POOL_OVERLAP = FindingType(
    "calico-pool-overlap", "Pools do not overlap", "Calico API reference: IPPool"
)
POOL_FAMILY = FindingType(
    "calico-pool-family", "A pool of each family is enabled", "Calico API reference: IPPool"
)
IPAM_FAMILY = FindingType(
    "calico-ipam-family",
    "Calico's IPAM assigns addresses of the family",
    "Calico CNI configuration",
)
POOL_BLOCK_SIZE = FindingType(
    "calico-pool-block-size",
    "A pool's block size is one that Calico accepts",
    "Calico API reference: IPPool blockSize",
)
POOL_BLOCKS = FindingType(
    "calico-pool-blocks",
    "A pool has a block for each node",
    "Calico API reference: IPPool blockSize",
)
POOL_ENCAPSULATION = FindingType(
    "calico-pool-encapsulation",
    "An IPv6 pool has an encapsulation that carries IPv6",
    "Calico API reference: IPPool",
)
POOL_SCOPE = FindingType(
    "calico-pool-scope", "A unique local pool is in fd00::/8", "RFC 4193 section 3.1"
)
POOL_NAT = FindingType(
    "calico-pool-nat",
    "Pods reach the outside with addresses to which replies can return",
    "RFC 4193 section 4.3",
)

_BLOCK_SIZES = {Family.IPV4: (20, 32), Family.IPV6: (116, 128)}  # what Calico accepts
_UNIQUE_LOCAL = ipaddress.IPv6Network("fc00::/7")  # RFC 4193
_ASSIGNED = ipaddress.IPv6Network("fd00::/8")  # RFC 4193 section 3.1: its other half is undefined


def audit(state: CalicoState, facts: ClusterFacts) -> Iterator[Finding]:
    """What is wrong with the pools."""
    yield from _families(state, facts)
    for pool in state.pools:
        yield from _size(pool, facts)
        yield from _encapsulation(pool)
        yield from _outside(pool)
    for one, other in itertools.combinations(state.pools, 2):
        if one.family is other.family and one.cidr.overlaps(other.cidr):
            yield POOL_OVERLAP.found(
                Severity.ERROR,
                Subject("IPPool", one.name),
                f"{one.cidr} overlaps {other.cidr} of IPPool {other.name}",
                "pools apart from each other",
                "two pods could get one address; delete one of the pools",
                families=[one.family],
            )


def _families(state: CalicoState, facts: ClusterFacts) -> Iterator[Finding]:
    for family in Family:
        pools = state.pools_of(family)
        if state.pools and not pools and family in facts.service_families:
            disabled = [p.name for p in state.pools if p.family is family and p.disabled]
            yield POOL_FAMILY.found(
                Severity.ERROR,
                f"{family} pools",
                f"all disabled: {', '.join(disabled)}" if disabled else "there is none",
                f"an enabled {family} pool: services have the family",
                f"enable or create an {family} IPPool",
                families=[family],
            )
        if pools and state.assigns and family not in state.assigns:
            yield IPAM_FAMILY.found(
                Severity.ERROR,
                f"{family} pools",
                f"calico-ipam gives pods no {family} address although there is a pool",
                f'"assign_ipv{family.version}": "true"',
                "set it in cni_network_config of the ConfigMap calico-config",
                families=[family],
            )


def _size(pool: Pool, facts: ClusterFacts) -> Iterator[Finding]:
    low, high = _BLOCK_SIZES[pool.family]
    subject = Subject("IPPool", pool.name)
    if not low <= pool.block_size <= high or not pool.blocks:
        yield POOL_BLOCK_SIZE.found(
            Severity.ERROR,
            subject,
            f"blockSize /{pool.block_size} of {pool.cidr}",
            f"/{max(low, pool.cidr.prefixlen)} to /{high}",
            "blockSize cannot be changed: make another pool",
        )
    elif not pool.disabled and _serves_nodes(pool) and pool.blocks < len(facts.nodes):
        yield POOL_BLOCKS.found(
            Severity.WARNING,
            subject,
            f"{pool.blocks} blocks of /{pool.block_size} for {len(facts.nodes)} nodes",
            "a block for each node",
            "nodes without a block borrow addresses one by one, or get none: a larger pool",
        )


def _serves_nodes(pool: Pool) -> bool:
    """Whether nodes take blocks from it; load balancer addresses belong to no node."""
    return any(use != "LoadBalancer" for use in pool.uses)


def _encapsulation(pool: Pool) -> Iterator[Finding]:
    if pool.family is Family.IPV6 and pool.encapsulates("IPIP"):
        yield POOL_ENCAPSULATION.found(
            Severity.ERROR,
            Subject("IPPool", pool.name),
            f"{pool.encapsulation} for IPv6",
            "VXLAN, or none",
            "Calico's IPIP carries IPv4 alone: set ipipMode Never, vxlanMode Always",
            families=[Family.IPV6],
        )


def _outside(pool: Pool) -> Iterator[Finding]:
    """How pods appear outside: unique local addresses need NAT, global ones do not."""
    subject, cidr = Subject("IPPool", pool.name), pool.cidr
    if cidr.version != 6 or pool.disabled or "Workload" not in pool.uses:
        return
    local = cidr.subnet_of(_UNIQUE_LOCAL)
    if local and not cidr.subnet_of(_ASSIGNED):
        yield POOL_SCOPE.found(
            Severity.WARNING,
            subject,
            f"{cidr} is in fc00::/8, which RFC 4193 leaves undefined",
            "a prefix of fd00::/8",
            "choose 40 random bits after fd (RFC 4193 section 3.2)",
        )
    if local and not pool.nat_outgoing:
        yield POOL_NAT.found(
            Severity.WARNING,
            subject,
            f"{cidr} is unique local and natOutgoing is off",
            "natOutgoing: true, or no traffic to the outside",
            "answers to fc00::/7 do not come back from the internet",
            families=[Family.IPV6],
        )
    if not local and cidr.is_global and pool.nat_outgoing:
        yield POOL_NAT.found(
            Severity.NOTE,
            subject,
            f"{cidr} is global and natOutgoing hides it behind the nodes' addresses",
            remedy="natOutgoing: false keeps pods' addresses, where the network routes them back",
        )
