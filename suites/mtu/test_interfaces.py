"""Interfaces have the MTU that the encapsulation leaves, and one that IPv6 can use."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sixproof.calico.mtu import ExpectedMtu
from sixproof.checks.pmtu.interfaces import NoneWrong
from sixproof.probes.pmtu import interfaces
from sixproof.probes.pmtu.interfaces import Seen

pytestmark = pytest.mark.feature("Path MTU")


@pytest.mark.story("interfaces")
@pytest.mark.covers("F2/M1", "F2/M15")
def test_every_interface_of_a_pod_has_what_the_encapsulation_leaves(
    pod_interfaces: Seen, expected_mtu: ExpectedMtu, none_wrong: NoneWrong
) -> None:
    """Every interface of every pod has the underlay's MTU less the headers of the tunnel with the
    largest headers.

    Why: Calico gives pods one MTU, the lowest over all tunnels of both families.
    """
    none_wrong(expected_mtu.source, interfaces.pods(pod_interfaces, expected_mtu.mtu))


@pytest.mark.story("interfaces")
@pytest.mark.covers("F2/M1")
def test_every_tunnel_of_a_node_leaves_room_for_its_headers(
    node_interfaces: Seen,
    expected_mtu: ExpectedMtu,
    tunnel_mtus: Mapping[str, int],
    none_wrong: NoneWrong,
) -> None:
    """Every tunnel device of every node has the underlay's MTU less its own headers.

    Why: if a tunnel's MTU is too large, Linux recovers TCP after losing packets, and nothing else
    shows the fault.
    """
    none_wrong(expected_mtu.source, interfaces.tunnels(node_interfaces, tunnel_mtus))


@pytest.mark.story("interfaces")
@pytest.mark.covers("F2/M2")
@pytest.mark.usefixtures("ipv6_is_measured")
def test_every_interface_is_wide_enough_for_ipv6(
    pod_interfaces: Seen, node_interfaces: Seen, none_wrong: NoneWrong
) -> None:
    """No interface of a pod or node that has IPv6 has an MTU below 1280 bytes (RFC 8200 section
    5)."""
    seen = (*pod_interfaces, *node_interfaces)
    none_wrong("RFC 8200 section 5", interfaces.too_small(seen))


@pytest.mark.story("interfaces")
@pytest.mark.covers("F2/M2")
@pytest.mark.usefixtures("ipv6_is_measured")
def test_every_ipv6_address_of_a_pod_is_on_an_interface(
    pod_interfaces: Seen, node_interfaces: Seen, none_wrong: NoneWrong
) -> None:
    """The IPv6 address in a pod's podIPs is on one of its interfaces.

    Why: the kernel removes IPv6 from an interface whose MTU falls below 1280, and does not restore
    the address; the API server never learns of it.
    """
    seen = (*pod_interfaces, *node_interfaces)
    none_wrong("podIPs and InternalIPs", interfaces.without_ipv6(seen))
