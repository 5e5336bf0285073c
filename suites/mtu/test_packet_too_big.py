"""Packet Too Big: a narrow hop makes it, the sender receives it, the sender works with it.

Each step is asked only of paths that took the step before: the first broken one is red.
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
    """A node that cannot pass a packet on because of its size says so: the signal is emitted.

    Why: RFC 4443 section 3.2 leaves no choice; the nodes' own counters tell.
    """
    narrow = path_results.too_big(ip_family)
    narrow.must("Packet Too Big is made", signals.made(narrow.seen), ip_family)


@pytest.mark.covers("F2/M5")
def test_packet_too_big_reaches_the_sender(path_results: PathResults, ip_family: Family) -> None:
    """What was made reaches the socket that sent the packet: the signal is delivered.

    Why: RFC 4890 section 4.3.1, such a message must not be dropped.
    """
    announced = path_results.announced(ip_family)
    announced.must("Packet Too Big reaches the sender", signals.delivered, ip_family)


@pytest.mark.covers("F2/M5")
def test_packet_too_big_names_the_paths_mtu(path_results: PathResults, ip_family: Family) -> None:
    """Whoever says that a packet was too big says so with code 0 and the MTU of the narrowest hop.

    Why: RFC 4443 section 3.2; over IPv4 RFC 1191 section 4.
    """
    told = path_results.told(ip_family)
    told.must("Packet Too Big is exact", pmtu_judge.signals_are_exact, ip_family)


@pytest.mark.covers("F2/M6")
def test_packet_too_big_is_honoured(path_results: PathResults, ip_family: Family) -> None:
    """A sender that is told a smaller MTU works with it at once (RFC 8201 section 4)."""
    told = path_results.told(ip_family)
    told.must("Packet Too Big is honoured", pmtu_judge.signals_are_honoured, ip_family)


@pytest.mark.covers("F2/M13")
def test_what_was_learnt_is_kept_for_five_minutes_and_then_forgotten(
    path_results: PathResults, ip_family: Family
) -> None:
    """A smaller MTU that was told is kept for five minutes at least, and has an expiry of ten
    at most.

    Why: RFC 8201 section 4 and RFC 1191 section 6.3 forbid to try a larger one sooner; a path that
    became wider must be found again.
    """
    told = path_results.told(ip_family)
    told.must("what was learnt expires in time", signals.kept, ip_family)
