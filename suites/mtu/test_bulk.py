"""TCP fills the path and never stalls."""

from __future__ import annotations

import pytest

from sixproof.checks.pmtu.path_results import PathResults
from sixproof.model import Family
from sixproof.probes.pmtu import judge as pmtu_judge

pytestmark = pytest.mark.feature("Path MTU")


@pytest.mark.story("bulk")
@pytest.mark.covers("F2/M9")
def test_bulk_passes_both_ways_without_a_stall(
    path_results: PathResults, ip_family: Family
) -> None:
    """Between every pair, 300 kB each way take less than 2 s and never stall for 1 s.

    Why: if Packet Too Big is lost, the first window hangs while every small request succeeds.
    """
    path_results.must("bulk passes both ways", pmtu_judge.bulk_in_time, ip_family)


@pytest.mark.story("bulk")
@pytest.mark.covers("F2/M8")
def test_segments_fill_the_path(path_results: PathResults, ip_family: Family) -> None:
    """The MSS of an established connection is the path MTU less the IP and TCP headers with
    timestamps: 72 bytes over IPv6.

    Why: a smaller MSS means that a smaller path MTU was learnt; a larger one does not fit.
    """
    path_results.must("segments fill the path", pmtu_judge.segments, ip_family)
