"""Payloads of every size arrive unchanged."""

from __future__ import annotations

import pytest

from sixproof.checks.connect.connectivity import Connectivity
from sixproof.checks.connect.payloads import SHARES, TCP_SIZES, Payloads
from sixproof.model import Expectation, Family, Flow, Outcome
from sixproof.probes.connect.payload import largest_udp_payload
from sixproof.probes.connect.probe import ProbeOptions
from sixproof.workloads.probe_pods.ports import UDP
from sixproof.workloads.probe_pods.topology import ProbeTopology, different_nodes, flows

pytestmark = pytest.mark.feature("Pod-to-pod")


@pytest.mark.story("TCP payload")
@pytest.mark.parametrize("size", TCP_SIZES, ids="{}B".format)
def test_tcp_carries_a_payload_unchanged_both_ways(
    payloads: Payloads, ip_family: Family, size: int, connectivity: Connectivity
) -> None:
    """A TCP payload of any size arrives at the server and comes back unchanged.

    Why: if Packet Too Big is lost, small payloads pass and large ones stall (RFC 8201).
    """
    connectivity.check(payloads.tcp(ip_family, size))


@pytest.mark.story("UDP payload")
@pytest.mark.covers("F2/M3")
@pytest.mark.parametrize("share", SHARES)
def test_udp_carries_a_datagram_up_to_the_path_mtu(
    payloads: Payloads, ip_family: Family, share: str, connectivity: Connectivity
) -> None:
    """UDP datagrams up to exactly the pods' MTU pass between every pair of nodes.

    They are sent with fragmentation forbidden, at the first try and from each side.
    """
    connectivity.check(payloads.udp(ip_family, share))


@pytest.mark.story("UDP payload")
@pytest.mark.covers("F2/M3")
def test_a_datagram_beyond_the_path_mtu_is_refused_by_the_sender(
    topology: ProbeTopology, ip_family: Family, pod_mtu: int, connectivity: Connectivity
) -> None:
    """A datagram one byte larger than the pods' MTU does not leave the pod: the sender gets
    EMSGSIZE, not silence.

    Why: it shows that the largest datagram of the test above was the largest possible.
    """
    size = largest_udp_payload(pod_mtu, ip_family) + 1
    options = ProbeOptions(timeout=connectivity.patience, upload=size, dont_fragment=True)
    pods = topology.in_namespace("a")
    too_big = flows(pods, pods, [ip_family], [UDP], where=different_nodes)
    matrix = connectivity.measure(f"UDP, {size} bytes", too_big, options)
    connectivity.hold(matrix, exceeds_mtu)  # it never leaves the pod, so no policy sees it


def exceeds_mtu(flow: Flow) -> Expectation:
    """The source's own kernel must refuse the datagram (RFC 3542 section 11.2)."""
    because = f"the datagram is one byte longer than the MTU of {flow.source.name}"
    return Expectation(frozenset({Outcome.TOO_BIG}), because)
