"""Under a policy that denies everything but one port, the path to that port carries what it carries
without a policy."""

from __future__ import annotations

import pytest

from sixproof.checks.connect.connectivity import Connectivity
from sixproof.checks.pmtu.path_results import PathResults, slugs
from sixproof.checks.pmtu.under_policies import nothing_arrives
from sixproof.model import Family, Matrix
from sixproof.probes.pmtu import judge as pmtu_judge
from sixproof.probes.pmtu import signals
from sixproof.probes.pmtu.judge import Rule

pytestmark = [pytest.mark.feature("Path MTU"), pytest.mark.story("policies")]

RULES = {
    "the first full-size packet passes": pmtu_judge.first_try,
    "one byte more is refused": pmtu_judge.one_byte_more,
    "a plain UDP socket gets through": pmtu_judge.plain_socket_converges,
    "fragments arrive": pmtu_judge.fragments_arrive,
    "bulk passes both ways": pmtu_judge.bulk_in_time,
}


@pytest.mark.covers("F2/M7", "F2/M11")
@pytest.mark.parametrize(("title", "rule"), RULES.items(), ids=slugs(RULES))
def test_a_default_deny_leaves_the_allowed_port_its_path(
    path_results_under_policies: PathResults, ip_family: Family, title: str, rule: Rule
) -> None:
    """If everything but one port is denied in both directions, full-size packets, fragments and
    bulk to that port pass.

    Why: only the first fragment of a datagram has a port; a filter must reassemble the datagram.
    """
    path_results_under_policies.must(f"under default-deny: {title}", rule, ip_family)


@pytest.mark.covers("F2/M7")
def test_packet_too_big_passes_a_default_deny(
    path_results_under_policies: PathResults, ip_family: Family
) -> None:
    """Under a policy that allows no ICMP, the Packet Too Big for an allowed flow still passes.

    Why: it belongs to the flow that it quotes; a filter that accepts established but not related
    packets creates a black hole.
    """
    narrow = path_results_under_policies.announced(ip_family)
    narrow.must("under default-deny: Packet Too Big arrives", signals.delivered, ip_family)


@pytest.mark.covers("F2/M7", "F2/M6")
def test_packet_too_big_is_honoured_under_a_default_deny(
    path_results_under_policies: PathResults, ip_family: Family
) -> None:
    """Under a default-deny policy, the sender uses the MTU from the Packet Too Big, and packets of
    that size pass."""
    signalled = path_results_under_policies.signalled(ip_family)
    signalled.must("under default-deny: it is honoured", pmtu_judge.signals_are_honoured, ip_family)


@pytest.mark.covers("F2/M7", "F2/M11")
def test_no_fragment_passes_a_deny(
    connectivity: Connectivity, fragments_to_a_denied_port: Matrix, ip_family: Family
) -> None:
    """A fragmented datagram to a port that is not allowed does not arrive.

    Why: only the first fragment has a port; a filter that judges each fragment alone lets the
    others through.
    """
    connectivity.check(fragments_to_a_denied_port, nothing_arrives)
