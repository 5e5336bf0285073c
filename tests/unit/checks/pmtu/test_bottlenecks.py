"""Paths with a bottleneck: why the tests that need one are skipped is what was measured."""

from __future__ import annotations

from typing import cast

import pytest

from sixproof.checks.pmtu.path_results import PathResults
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotAsked
from sixproof.model import Family
from sixproof.probes.pmtu import signals
from sixproof.probes.pmtu.path_run import PathResult
from tests.unit.probes.pmtu.samples import narrowed, passed, path_result, path_run, vanished

SIX = Family.IPV6


def measured(*paths: PathResult) -> PathResults:
    """Results of these paths."""
    return PathResults(path_run(*paths), cast(Recorder, None))


def test_without_a_bottleneck_one_would_enable_the_test() -> None:
    wide = measured(path_result())
    for step in (wide.too_big, wide.announced, wide.signalled):
        with pytest.raises(NotAsked) as skipped:
            step(SIX)
        assert skipped.value.enable == "a path over IPv6 that is narrower than the pods' MTU"
        assert "although" not in str(skipped.value)


def test_another_error_of_a_node_is_no_bottleneck() -> None:
    """IPv4's counter has every destination unreachable: none of it was for a path that is wide."""
    four = path_result(Family.IPV4)
    seen = path_run(four, w1={"IcmpMsgOutType3": 4})
    assert signals.emitted(seen, four)
    with pytest.raises(NotAsked, match="over IPv4 no node made a Packet Too Big"):
        PathResults(seen, cast(Recorder, None)).announced(Family.IPV4)


def test_a_bottleneck_that_nobody_reported_is_not_asked_for_again() -> None:
    """I1 and I2: the path is narrow, and its Packet Too Big is lost."""
    lost = path_result(hops=narrowed(), pattern=(vanished(1430),) * 4, first=passed(1350))
    narrow = measured(lost, path_result())
    assert narrow.too_big(SIX).seen.over(SIX) == (lost,)
    with pytest.raises(NotAsked) as skipped:
        narrow.signalled(SIX)
    assert str(skipped.value).startswith(
        "over IPv6 no sender received a Packet Too Big, although large packets were too big for a "
        "hop, or lost, on 1 of 2 paths"
    )
    assert skipped.value.enable == "see the tests that fail"
