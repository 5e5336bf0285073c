"""A path carries what its devices and routes promise, from the first packet on, and no more."""

from __future__ import annotations

import pytest

from sixproof.checks.pmtu.path_results import PathResults
from sixproof.model import Family
from sixproof.probes.pmtu import judge as pmtu_judge

pytestmark = pytest.mark.feature("Path MTU")


@pytest.mark.quick
@pytest.mark.story("full size")
@pytest.mark.covers("F2/M3", "F2/M15")
def test_the_first_full_size_packet_passes(path_results: PathResults, ip_family: Family) -> None:
    """The very first packet between a pair, unfragmented and of exactly the path MTU, arrives.

    Why: a kernel that already knows a smaller path MTU would hide that the first packet was lost.
    """
    path_results.must("a full-size packet passes at the first try", pmtu_judge.first_try, ip_family)


@pytest.mark.story("full size")
@pytest.mark.covers("F2/M3")
def test_one_byte_more_than_the_path_mtu_is_refused(
    path_results: PathResults, ip_family: Family
) -> None:
    """A packet one byte larger than the path MTU is refused by the sender's kernel or with a Packet
    Too Big from a narrower hop, and never lost silently."""
    path_results.must("one byte more is refused", pmtu_judge.one_byte_more, ip_family)


@pytest.mark.story("full size")
@pytest.mark.covers("F2/M4", "F2/M16")
def test_no_kernel_learnt_a_smaller_mtu(path_results: PathResults, ip_family: Family) -> None:
    """After full-size packets and bulk both ways, no pod or node has learnt a smaller path MTU
    towards a pod or a node.

    Why: it is the only sign that a tunnel device has a larger MTU than the link under it can carry.
    """
    path_results.must("no path MTU was learnt", pmtu_judge.nothing_learnt, ip_family)


@pytest.mark.story("plain sockets")
@pytest.mark.covers("F2/M10")
def test_a_plain_udp_socket_gets_through(path_results: PathResults, ip_family: Family) -> None:
    """Of four datagrams of the pod's own MTU, sent from a plain UDP socket, at least one arrives,
    and so do all after it."""
    title = "a plain socket's datagrams arrive"
    path_results.must(title, pmtu_judge.plain_socket_converges, ip_family)


@pytest.mark.story("plain sockets")
@pytest.mark.covers("F2/M11")
def test_a_fragmented_datagram_arrives(path_results: PathResults, ip_family: Family) -> None:
    """A datagram of 3000 bytes, fragmented by its sender, arrives complete (RFC 8200 section
    4.5)."""
    path_results.must("fragments arrive", pmtu_judge.fragments_arrive, ip_family)
