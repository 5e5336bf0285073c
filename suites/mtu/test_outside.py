"""Between pods and clients or servers outside the cluster, whose links are wider than pods' own."""

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
    """From every node's pod, full-size packets, fragments and bulk reach a server outside, and
    come back.

    Why: the node translates the pod's address; fragments and Packet Too Big need to be told whose
    they are.
    """
    path_results_to_outside.must(f"to the outside: {title}", rule, ip_family)


@pytest.mark.covers("F2/M12", "F2/M11")
@pytest.mark.parametrize(("title", "rule"), CARRIES.items(), ids=slugs(CARRIES))
def test_a_client_outside_sends_full_size_to_a_node_port(
    path_results_from_outside: PathResults, ip_family: Family, title: str, rule: Rule
) -> None:
    """A client outside gets full-size packets, fragments and bulk through the NodePort of a node
    that has no backend, and answers of any size.

    Why: its own link takes larger packets than the tunnel that the node sends them on into.
    """
    path_results_from_outside.must(f"from outside: {title}", rule, ip_family)


@pytest.mark.covers("F2/M5", "F2/M12")
def test_a_node_tells_the_client_outside_that_a_packet_is_too_big(
    path_results_from_outside: PathResults, ip_family: Family
) -> None:
    """The node that is dialled makes a Packet Too Big about what its tunnel cannot carry."""
    rule = signals.made(path_results_from_outside.seen)
    narrow = path_results_from_outside.too_big(ip_family)
    narrow.must("from outside: Packet Too Big is made", rule, ip_family)


@pytest.mark.covers("F2/M5", "F2/M12")
def test_packet_too_big_reaches_the_client_outside(
    path_results_from_outside: PathResults, ip_family: Family
) -> None:
    """It reaches the socket that dialled the NodePort: what it quotes was translated back."""
    narrow = path_results_from_outside.announced(ip_family)
    narrow.must("from outside: Packet Too Big arrives", signals.delivered, ip_family)


@pytest.mark.covers("F2/M5", "F2/M12")
def test_the_client_outside_is_told_the_right_size(
    path_results_from_outside: PathResults, ip_family: Family
) -> None:
    """Type, code and MTU are right: that of the tunnel, not that of some other link."""
    told = path_results_from_outside.told(ip_family)
    told.must("from outside: it is exact", pmtu_judge.signals_are_exact, ip_family)


@pytest.mark.covers("F2/M6", "F2/M12")
def test_the_client_outside_honours_it(
    path_results_from_outside: PathResults, ip_family: Family
) -> None:
    """The client works with the MTU that it was told, and what fits it arrives."""
    told = path_results_from_outside.told(ip_family)
    told.must("from outside: it is honoured", pmtu_judge.signals_are_honoured, ip_family)
