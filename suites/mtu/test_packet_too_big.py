"""Packet Too Big: a narrow hop sends it, the sender receives it, the sender honours it.

Each step is tested only on paths that passed the step before: the first step that fails is the
broken one.
"""

from __future__ import annotations

import pytest

from sixproof.checks.pmtu.path_results import PathResults
from sixproof.model import Family
from sixproof.probes.pmtu import judge as pmtu_judge
from sixproof.probes.pmtu import signals

pytestmark = [pytest.mark.feature("Path MTU"), pytest.mark.story("Packet Too Big")]


@pytest.mark.covers("F2/M5")
def test_packet_too_big_is_made(path_results: PathResults, ip_family: Family) -> None:
    """A node that cannot forward a packet because of its size sends a Packet Too Big.

    Why: RFC 4443 section 3.2 requires it; the nodes' own counters show it.
    """
    narrow = path_results.too_big(ip_family)
    narrow.must("Packet Too Big is made", signals.made(narrow.seen), ip_family)


@pytest.mark.covers("F2/M5")
def test_packet_too_big_reaches_the_sender(path_results: PathResults, ip_family: Family) -> None:
    """A Packet Too Big reaches the socket that sent the packet.

    Why: RFC 4890 section 4.3.1, such a message must not be dropped.
    """
    announced = path_results.announced(ip_family)
    announced.must("Packet Too Big reaches the sender", signals.delivered, ip_family)


@pytest.mark.covers("F2/M5")
def test_packet_too_big_names_the_paths_mtu(path_results: PathResults, ip_family: Family) -> None:
    """Every Packet Too Big has code 0 and the MTU of the narrowest hop.

    Why: RFC 4443 section 3.2; over IPv4 RFC 1191 section 4.
    """
    signalled = path_results.signalled(ip_family)
    signalled.must("Packet Too Big is exact", pmtu_judge.signals_are_exact, ip_family)


@pytest.mark.covers("F2/M6")
def test_packet_too_big_is_honoured(path_results: PathResults, ip_family: Family) -> None:
    """A sender that receives a smaller MTU uses it at once (RFC 8201 section 4)."""
    signalled = path_results.signalled(ip_family)
    signalled.must("Packet Too Big is honoured", pmtu_judge.signals_are_honoured, ip_family)


@pytest.mark.covers("F2/M13")
def test_what_was_learnt_is_kept_for_five_minutes_and_then_forgotten(
    path_results: PathResults, ip_family: Family
) -> None:
    """A learnt path MTU is kept for at least five minutes and expires after at most ten.

    Why: RFC 8201 section 4 and RFC 1191 section 6.3 forbid trying a larger one sooner; a path that
    became wider must be discovered again.
    """
    signalled = path_results.signalled(ip_family)
    signalled.must(signals.EXPIRY, signals.kept, ip_family)
