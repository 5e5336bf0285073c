"""IP pools by what they do: pods ask for pools of the run's own, which serve no other pods."""

from __future__ import annotations

import pytest

from sixproof.checks.calico.pool_checks import Outskirts, PoolChecks
from sixproof.checks.connect.connectivity import Connectivity
from sixproof.model import Family
from sixproof.workloads.pools.own_pool import Purpose
from sixproof.workloads.pools.pool_pods import PoolHome, SegmentPods
from sixproof.workloads.probe_pods.topology import ProbeTopology, flows

pytestmark = [
    pytest.mark.feature("Calico"),
    pytest.mark.story("pools"),
    pytest.mark.disruptive,
]


@pytest.mark.covers("L1", "L3")
def test_a_pod_gets_an_address_of_the_pool_that_its_annotation_names(
    pool_checks: PoolChecks, ip_family: Family
) -> None:
    """A pod that names a pool in its annotation has an address of that pool, and the API server,
    Calico's CNI plugin and its IPAM agree about it.

    Why: Calico reference, annotations cni.projectcalico.org/ipv4pools and ipv6pools; a pool that is
    named serves whatever its nodeSelector says.
    """
    pool_checks.must_be_served(ip_family)


@pytest.mark.covers("L1")
def test_blocks_of_a_pool_have_its_block_size(pool_checks: PoolChecks, ip_family: Family) -> None:
    """The IPAM block of a pod's address lies in its pool and has the pool's blockSize, which is
    another than that of the cluster's own pools.

    Why: blockSize cannot be changed later, and determines how many addresses a node takes at once.
    """
    pool_checks.must_have_blocks(ip_family)


@pytest.mark.covers("L1", "L3")
def test_a_pool_of_manual_assignment_serves_only_pods_that_ask_for_it(
    pool_checks: PoolChecks, ip_family: Family
) -> None:
    """IPAM gave no address of the run's own pools to any other pod, nor to a node.

    Why: Calico API reference, IPPool assignmentMode, nodeSelector and allowedUses.
    """
    pool_checks.must_serve_no_others(ip_family)


@pytest.mark.covers("L1")
def test_pods_of_a_new_pool_and_others_reach_each_other(
    pool_checks: PoolChecks, topology: ProbeTopology, ip_family: Family, connectivity: Connectivity
) -> None:
    """Pods with addresses of a new pool reach ordinary pods and nodes on every node, and are
    reached from there.

    Why: running nodes must learn of a new pool, its blocks and their routes.
    """
    theirs, others = pool_checks.pods.masked, (*topology.in_namespace("a"), *topology.hosts)
    pairs = (*flows(theirs, others, [ip_family]), *flows(others, theirs, [ip_family]))
    connectivity.must_work("pods of a new pool and others", pairs)


@pytest.mark.covers("L1")
def test_packets_for_a_pool_take_the_way_that_its_encapsulation_means(
    pool_checks: PoolChecks, ip_family: Family
) -> None:
    """The kernel of every node sends packets for the pods by the device that the encapsulation of
    their pool means: by the tunnel to their node, or without one.

    Why: the kernel is asked, so that a pool whose packets go another way is found before one is
    lost.
    """
    pool_checks.must_be_routed(ip_family)


@pytest.mark.covers("L2")
def test_a_pool_that_selects_a_node_serves_it_and_no_other(
    pool_checks: PoolChecks, segment_pods: SegmentPods, ip_family: Family
) -> None:
    """A pod on a node gets an address of the pool whose nodeSelector selects the node; on another
    node a pod gets none of it, although that node has a block of the pool.

    Why: segments (production, development, DMZ) are pools with nodeSelectors, and firewalls go by
    their ranges.
    """
    pool_checks.must_serve_its_node_alone(ip_family, segment_pods)


@pytest.mark.covers("L3")
@pytest.mark.parametrize("why", ["missing", "disabled"])
def test_a_pod_that_names_a_missing_or_disabled_pool_gets_no_address(
    pool_checks: PoolChecks, pool_home: PoolHome, ip_family: Family, why: str
) -> None:
    """A pod whose annotation names a pool that does not exist, or is disabled, has no address, and
    the kubelet reports Calico's reason, which names the pool.

    Why: with an address of another pool it would pass firewalls that it must not pass.
    """
    pool_checks.must_refuse(ip_family, why, pool_home)


@pytest.mark.covers("L1")
@pytest.mark.parametrize(
    "purpose",
    [pytest.param(Purpose.MASKED, id="on"), pytest.param(Purpose.BARE, id="off")],
)
def test_pods_leave_their_pool_as_its_nat_outgoing_says(
    pool_checks: PoolChecks,
    outskirts: Outskirts,
    connectivity: Connectivity,
    ip_family: Family,
    purpose: Purpose,
) -> None:
    """Outside of all pools packets of a pod arrive from an address of its node where its pool has
    natOutgoing, and from the pod's own where it has not.

    Why: Calico API reference, IPPool natOutgoing. Where nothing carries pods' own addresses to a
    place outside, what natOutgoing off does cannot be seen there.
    """
    pool_checks.must_leave(ip_family, purpose, outskirts, connectivity)
