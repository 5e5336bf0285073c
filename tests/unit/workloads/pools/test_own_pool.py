"""Own pools: every field is set, and no other pod can get an address of one."""

from __future__ import annotations

import random

import pytest

from sixproof.calico import pools as calico_pools
from sixproof.kube.runs import ownership
from sixproof.model import Family
from sixproof.policy.calico.selector_text import parse_selector
from sixproof.workloads.pools.own_pool import OwnPool, Purpose, find, plan, serves
from sixproof.workloads.probe_pods.identity import Run
from tests.unit.workloads.pools.pool_api import DEFAULTS, SIZES, ip_pool
from tests.unit.workloads.two_nodes import networks

RUN = Run("abc123")
USED = {f: ip_pool("default", DEFAULTS[f], SIZES[f], disableBGPExport=True) for f in Family}


def drawn() -> tuple[OwnPool, ...]:
    """The pools of a process."""
    chance = random.Random(1)
    return plan(RUN, "gw0", ("n1", "n1.example"), USED, (), chance=chance)


def test_there_is_a_pool_of_each_purpose_and_family() -> None:
    """Each with a name and a range of its own, labelled with the run."""
    made = drawn()
    assert {(p.purpose, p.family) for p in made} == {(p, f) for p in Purpose for f in Family}
    assert len({p.name for p in made}) == len(made)
    for one in made:
        assert one.name == f"six-abc123-pools-gw0-{one.purpose}-{one.family.lower()}"
        assert not any(
            o is not one and o.family is one.family and o.cidr.overlaps(one.cidr) for o in made
        )
        labels = one.manifest(disabled=True)["metadata"]["labels"]
        assert labels == ownership.labels("abc123")


def test_a_pool_is_named_after_the_namespace_whose_pods_use_it() -> None:
    """And after no other one, not even that of a process whose number begins alike."""
    for one in drawn():
        assert serves(one.name, "six-abc123-pools-gw0")
        assert not any(
            serves(one.name, other) for other in ("", "six-abc123-pools-gw", "six-abc123-a", "shop")
        )


@pytest.mark.parametrize("one", drawn(), ids=lambda one: one.name)
def test_no_pod_gets_an_address_that_does_not_ask(one: OwnPool) -> None:
    """But for a segment's, which are in its namespace and on its node; no node takes one for its
    tunnels either."""
    spec = one.manifest(disabled=False)["spec"]
    selects = parse_selector(spec["nodeSelector"])
    node = {"kubernetes.io/hostname": "n1.example"}
    assert spec["allowedUses"] == ["Workload"]
    if one.purpose is Purpose.SEGMENT:
        assert spec["assignmentMode"] == "Automatic"
        assert selects.matches(node)
        assert not selects.matches({"kubernetes.io/hostname": "n2.example"})
        home = parse_selector(spec["namespaceSelector"])
        assert home.matches({"kubernetes.io/metadata.name": "six-abc123-pools-gw0"})
        assert not home.matches({"kubernetes.io/metadata.name": "default"})
    else:
        assert spec["assignmentMode"] == "Manual"
        assert not selects.matches(node)


@pytest.mark.parametrize("one", drawn(), ids=lambda one: one.name)
def test_a_pool_crosses_nodes_as_the_clusters_own_does(one: OwnPool) -> None:
    """Another encapsulation would have Felix restart on every node. The block size is another."""
    spec = one.manifest(disabled=True)["spec"]
    assert (spec["vxlanMode"], spec["ipipMode"]) == ("Always", "Never")
    assert spec["disableBGPExport"] is True
    assert spec["blockSize"] != SIZES[one.family]
    assert spec["natOutgoing"] is (one.purpose is not Purpose.BARE)
    read = calico_pools.pool(one.manifest(disabled=not one.enabled))
    assert read == one.pool
    assert read is not None
    assert (read.encapsulation, read.disabled) == ("VXLAN", one.purpose is Purpose.DISABLED)


def test_a_block_size_that_the_cluster_has_is_not_taken() -> None:
    """Else a block of the size would prove nothing."""
    used = {Family.IPV6: ip_pool("default", "fd00:10:244::/56", 125)}
    made = plan(RUN, "gw0", ("n1", "n1"), used, (), chance=random.Random(1))
    assert {p.block_size for p in made} == {126}


def test_a_family_without_a_free_range_is_left_out() -> None:
    """The other one has its pools."""
    others = networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    made = plan(RUN, "gw0", ("n1", "n1"), USED, others, chance=random.Random(1))
    assert {p.family for p in made} == {Family.IPV6}
    with pytest.raises(KeyError, match="masked IPv4"):
        find(made, Purpose.MASKED, Family.IPV4)
