"""Path MTU between pods and clients or servers outside the cluster, whose links have a larger MTU
than the pods'."""

from __future__ import annotations

import pytest

from sixproof.checks.pmtu.path_results import CARRIES, PathResults, slugs
from sixproof.model import Family
from sixproof.probes.pmtu import judge as pmtu_judge
from sixproof.probes.pmtu import signals
from sixproof.probes.pmtu.judge import Rule

pytestmark = [pytest.mark.feature("Path MTU"), pytest.mark.story("outside")]


@pytest.mark.covers("F2/M10", "F2/M11", "F2/M12")
@pytest.mark.parametrize(("title", "rule"), CARRIES.items(), ids=slugs(CARRIES))
def test_pods_send_full_size_to_the_outside(
    path_results_to_outside: PathResults, ip_family: Family, title: str, rule: Rule
) -> None:
    """From a pod on every node, full-size packets, fragments and bulk reach a server outside the
    cluster, and its answers come back.

    Why: the node translates the pod's address; fragments and Packet Too Big must be matched to the
    translated flow.
    """
    path_results_to_outside.must(f"to the outside: {title}", rule, ip_family)


@pytest.mark.covers("F2/M12", "F2/M11")
@pytest.mark.parametrize(("title", "rule"), CARRIES.items(), ids=slugs(CARRIES))
def test_a_client_outside_sends_full_size_to_a_node_port(
    path_results_from_outside: PathResults, ip_family: Family, title: str, rule: Rule
) -> None:
    """A client outside the cluster sends full-size packets, fragments and bulk through the NodePort
    of a node that has no backend, and gets answers of any size.

    Why: its own link carries larger packets than the tunnel into which the node forwards them.
    """
    path_results_from_outside.must(f"from outside: {title}", rule, ip_family)


@pytest.mark.covers("F2/M5", "F2/M12")
def test_a_node_sends_packet_too_big_to_the_client_outside(
    path_results_from_outside: PathResults, ip_family: Family
) -> None:
    """The node whose NodePort is dialled from outside sends a Packet Too Big for packets that its
    tunnel cannot carry."""
    rule = signals.made(path_results_from_outside.seen)
    narrow = path_results_from_outside.too_big(ip_family)
    narrow.must("from outside: Packet Too Big is made", rule, ip_family)


@pytest.mark.covers("F2/M5", "F2/M12")
def test_packet_too_big_reaches_the_client_outside(
    path_results_from_outside: PathResults, ip_family: Family
) -> None:
    """A Packet Too Big reaches the socket outside the cluster that dialled the NodePort: the quoted
    packet was translated back."""
    narrow = path_results_from_outside.announced(ip_family)
    narrow.must("from outside: Packet Too Big arrives", signals.delivered, ip_family)


@pytest.mark.covers("F2/M5", "F2/M12")
def test_packet_too_big_to_the_client_outside_names_the_right_mtu(
    path_results_from_outside: PathResults, ip_family: Family
) -> None:
    """A Packet Too Big sent to a client outside has the right type and code, and the MTU of the
    tunnel, not of another link."""
    signalled = path_results_from_outside.signalled(ip_family)
    signalled.must("from outside: it is exact", pmtu_judge.signals_are_exact, ip_family)


@pytest.mark.covers("F2/M6", "F2/M12")
def test_the_client_outside_honours_packet_too_big(
    path_results_from_outside: PathResults, ip_family: Family
) -> None:
    """A client outside uses the MTU from the Packet Too Big, and packets of that size arrive."""
    signalled = path_results_from_outside.signalled(ip_family)
    signalled.must("from outside: it is honoured", pmtu_judge.signals_are_honoured, ip_family)
