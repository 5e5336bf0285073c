"""A path through a service carries what the path to its pod carries."""

from __future__ import annotations

import pytest

from sixproof.checks.pmtu.path_results import CARRIES, PathResults, slugs
from sixproof.model import Family
from sixproof.probes.pmtu import judge as pmtu_judge
from sixproof.probes.pmtu import signals
from sixproof.probes.pmtu.judge import Rule

pytestmark = [pytest.mark.feature("Path MTU"), pytest.mark.story("services")]

RULES = {**CARRIES, "no path MTU is learnt": pmtu_judge.nothing_learnt}


@pytest.mark.covers("F2/M12", "F2/M11")
@pytest.mark.parametrize(("title", "rule"), RULES.items(), ids=slugs(RULES))
def test_a_cluster_ip_carries_what_the_pod_does(
    path_results_through_services: PathResults, ip_family: Family, title: str, rule: Rule
) -> None:
    """Full-size packets, fragments and bulk pass through the ClusterIP of a service as they do to
    the pod behind it.

    Why: a client keeps the path MTU of the address that it dials, but Packet Too Big quotes the
    pod's: a node that translates addresses must translate the quoted packet too.
    """
    path_results_through_services.must(f"through a service: {title}", rule, ip_family)


@pytest.mark.covers("F2/M12")
def test_packet_too_big_comes_back_through_a_cluster_ip(
    path_results_through_services: PathResults, ip_family: Family
) -> None:
    """A Packet Too Big for a translated packet reaches the socket that dialled the ClusterIP.

    Why: it quotes the pod's address; the socket accepts it only if the quoted packet was translated
    back.
    """
    narrow = path_results_through_services.announced(ip_family)
    narrow.must("through a service: Packet Too Big arrives", signals.delivered, ip_family)


@pytest.mark.covers("F2/M12", "F2/M6")
def test_packet_too_big_is_honoured_through_a_cluster_ip(
    path_results_through_services: PathResults, ip_family: Family
) -> None:
    """The client of a ClusterIP uses the MTU from the Packet Too Big towards the address that it
    dials."""
    signalled = path_results_through_services.signalled(ip_family)
    signalled.must("through a service: it is honoured", pmtu_judge.signals_are_honoured, ip_family)


@pytest.mark.covers("F2/M12", "F2/M11")
@pytest.mark.parametrize(("title", "rule"), RULES.items(), ids=slugs(RULES))
def test_a_node_port_carries_what_the_pod_does(
    path_results_through_node_ports: PathResults, ip_family: Family, title: str, rule: Rule
) -> None:
    """Full-size packets, fragments and bulk pass through the NodePort of another node as they do to
    the pod behind it, although source and destination are translated.

    Why: the node that is dialled forwards into its own tunnel, and answers come back through it.
    """
    path_results_through_node_ports.must(f"through a NodePort: {title}", rule, ip_family)


@pytest.mark.covers("F2/M12")
def test_packet_too_big_comes_back_through_a_node_port(
    path_results_through_node_ports: PathResults, ip_family: Family
) -> None:
    """A Packet Too Big sent behind a NodePort reaches the pod that dialled it, through both
    translations: that of the dialled node and the masquerading of the pod's own node."""
    narrow = path_results_through_node_ports.announced(ip_family)
    narrow.must("through a NodePort: Packet Too Big arrives", signals.delivered, ip_family)


@pytest.mark.covers("F2/M12", "F2/M6")
def test_packet_too_big_is_honoured_through_a_node_port(
    path_results_through_node_ports: PathResults, ip_family: Family
) -> None:
    """The client of a NodePort uses the MTU from the Packet Too Big towards the node that it
    dials."""
    signalled = path_results_through_node_ports.signalled(ip_family)
    signalled.must("through a NodePort: it is honoured", pmtu_judge.signals_are_honoured, ip_family)
