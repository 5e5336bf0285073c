"""Ranges of own pools: private, and nobody's."""

from __future__ import annotations

import ipaddress
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixproof.calico.pools import Pool
from sixproof.model import ClusterFacts, Family
from sixproof.workloads.pools import ranges
from tests.unit.workloads.two_nodes import NODES, networks

PRIVATE = networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8")


@given(st.integers(0, 2**32), st.sampled_from(list(Family)))
def test_a_range_is_private_aligned_and_overlaps_nothing(seed: int, family: Family) -> None:
    """Of 128 addresses, whatever chance says."""
    others = networks("10.0.0.0/9", "172.16.0.0/13", "192.168.0.0/17", "fd00::/9")
    found = ranges.free(family, others, random.Random(seed))
    assert found is not None
    assert found.num_addresses == 128
    assert any(o.version == found.version and found.subnet_of(o) for o in PRIVATE)  # type: ignore[arg-type]
    assert not any(o.version == found.version and found.overlaps(o) for o in others)


@pytest.mark.parametrize("family", Family)
def test_the_search_ends_where_everything_is_taken(family: Family) -> None:
    """It is bounded."""
    assert ranges.free(family, PRIVATE, random.Random(1)) is None


@pytest.mark.parametrize(
    ("family", "before"), [(Family.IPV4, "10-244-1-0-26"), (Family.IPV6, "fd00-10-244-5--40-122")]
)
def test_a_range_sorts_before_the_blocks_of_the_cluster_where_it_can(
    family: Family, before: str
) -> None:
    """As names of objects are sorted."""
    for seed in range(20):
        found = ranges.free(family, (), random.Random(seed), before=before)
        assert found is not None
        assert ranges.written(found) < before


def test_where_nothing_sorts_before_any_range_will_do() -> None:
    """What must sort before the first cannot."""
    assert ranges.free(Family.IPV4, (), random.Random(1), before="0") is not None


def test_a_block_is_written_as_calico_names_it() -> None:
    """As the bed's Calico v3.31 names its blocks."""
    assert ranges.written(ipaddress.ip_network("10.244.149.0/26")) == "10-244-149-0-26"
    six = ipaddress.ip_network("fd00:10:244:bf:2d8c:bb20:57ba:9500/122")
    assert ranges.written(six) == "fd00-10-244-bf-2d8c-bb20-57ba-9500-122"


def test_everything_that_is_known_is_taken() -> None:
    """Services, pods, pools that are disabled too, nodes, and the nodes' subnets."""
    facts = ClusterFacts(
        "",
        "",
        tuple(NODES.values()),
        service_cidrs=networks("10.96.0.0/16"),
        pod_cidrs=networks("10.244.0.0/16"),
    )
    pool = Pool("off", ipaddress.ip_network("10.7.0.0/16"), 26, disabled=True)
    found = ranges.taken(facts, [pool], networks("192.168.3.0/24"))
    wanted = ("10.96.0.0/16", "10.244.0.0/16", "10.9.1.0/24", "10.7.0.0/16", "192.0.2.1/32")
    assert set(networks(*wanted, "2001:db8::2/128", "192.168.3.0/24")) <= set(found)
