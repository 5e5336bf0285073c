"""The check-list: what an administrator checks when IPv6 does not work, judged."""

from __future__ import annotations

from sixproof.reporting.bundle import cluster_items, node_items
from sixproof.reporting.bundle.evidence import RunEvidence
from sixproof.reporting.bundle.judged import Item, Judged

ITEMS: tuple[Item, ...] = (
    node_items.IPV6_ENABLED,
    node_items.FORWARDED,
    node_items.ACCEPT_RA,
    node_items.NODE_ADDRESSES,
    node_items.PACKET_FILTER,
    cluster_items.COMPONENT_PODS,
    cluster_items.POD_ADDRESSES,
    cluster_items.FELIX,
    cluster_items.POOLS,
    cluster_items.BLOCKS,
    cluster_items.BGP,
)
"""All items, in the order in which they are shown."""


def check_list(evidence: RunEvidence) -> tuple[Judged, ...]:
    """Every item, judged by what was seen."""
    return (*node_items.judge(evidence), *cluster_items.judge(evidence))
