"""Made, delivered, kept: each step of a Packet Too Big breaks a rule of its own."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.errors import Subject
from sixproof.probes.pmtu import interfaces, signals
from sixproof.probes.pmtu import judge as pmtu_judge
from sixproof.probes.pmtu.judge import ViolationKind
from sixproof.probes.pmtu.path_run import PathResult
from tests.unit.probes.pmtu.samples import (
    HERE,
    PTB,
    learnt,
    narrowed,
    passed,
    path_result,
    path_run,
    refused,
    vanished,
)

LOST = (vanished(1430),) * 4
SIGNALLED = (refused(1430, PTB, mtu=1350), *(passed(1430, 1350),) * 3)
NEVER = (HERE.name, dataclasses.replace(learnt(1350)[1], expires=None))


def silent() -> PathResult:
    """A narrow hop, and nobody said so."""
    return path_result(hops=narrowed(), pattern=LOST, first=passed(1350))


def signalled() -> PathResult:
    """A narrow hop that said so, and was believed."""
    return path_result(
        hops=narrowed(), pattern=SIGNALLED, first=passed(1350), learnt=(learnt(1350),)
    )


def test_who_needs_a_packet_too_big() -> None:
    """Whoever has a narrower hop ahead; also where only packets show it; never all the others."""
    assert not signals.needed(path_result())
    assert signals.needed(silent())
    assert signals.needed(signalled())
    assert signals.needed(path_result(pattern=LOST))
    assert not signals.needed(path_result(pattern=LOST, small=vanished(256)))
    assert not signals.needed(path_result(hops=()))


def test_nobody_made_it() -> None:
    """No counter moved and no socket heard of it: not emitted, and nothing else is asked."""
    p = silent()
    violation = signals.made(path_run(p))(p)
    assert violation is not None
    assert violation.kind is ViolationKind.BLACK_HOLE
    assert "1430 bytes are too big for a hop, and no node reported it" in violation.said
    assert not signals.emitted(path_run(p), p)


def test_it_was_made_and_did_not_arrive() -> None:
    """The node's counter moved, the socket heard nothing: emitted, not delivered."""
    p = silent()
    seen = path_run(p, w1={"Icmp6OutPktTooBigs": 4})
    assert signals.made(seen)(p) is None
    violation = signals.delivered(p)
    assert violation is not None
    assert "no ICMP error reached the sender" in violation.said


def test_an_agent_that_stood_still_need_not_have_seen_it() -> None:
    """Its kernel learnt the MTU: it came. Without that, nothing shows it."""
    unseen = dataclasses.replace(silent(), stalled=True)
    assert signals.delivered(unseen) is not None
    known = dataclasses.replace(unseen, learnt=(learnt(1350),))
    assert signals.delivered(known) is None
    assert signals.delivered(dataclasses.replace(known, stalled=False)) is not None


def test_it_arrived_and_was_obeyed() -> None:
    """All steps taken."""
    p = signalled()
    assert signals.made(path_run(p))(p) is None
    assert signals.delivered(p) is None
    assert signals.kept(p) is None
    assert pmtu_judge.signals_are_honoured(p) is None


def test_nothing_to_signal_is_no_complaint() -> None:
    """A path without a bottleneck is asked for nothing."""
    p = path_result()
    assert signals.made(path_run(p))(p) is None
    assert signals.delivered(p) is None
    assert signals.kept(p) is None


@pytest.mark.parametrize("left", [5.0, 239.0, 601.0])
def test_forgotten_too_soon_or_too_late(left: float) -> None:
    """Less than five minutes, more than ten."""
    route = (HERE.name, dataclasses.replace(learnt(1350)[1], expires=left))
    violation = signals.kept(dataclasses.replace(signalled(), learnt=(route,)))
    assert violation is not None
    assert f"forgets it in {left:.0f} s" in violation.said


def test_signalled_and_not_learnt() -> None:
    """A message that left no trace was not kept at all; a route that never expires was not learnt
    from it."""
    for none in ((), (NEVER,)):
        violation = signals.kept(dataclasses.replace(signalled(), learnt=none))
        assert violation is not None
        assert "the kernel kept none" in violation.said


def test_nodes_of_mixed_mtu_are_named() -> None:
    """The odd one out, whichever way it differs; of two, the smaller."""
    assert interfaces.mixed({"a": 1500, "b": 1500, "c": 1500}) == {}
    assert interfaces.mixed({}) == {}
    assert interfaces.usual([]) == 0
    assert interfaces.usual([1500, 9000, 1500]) == 1500
    (said,) = interfaces.mixed({"a": 1500, "b": 1400, "c": 1500})
    assert said == "b: sends to other nodes by an interface of MTU 1400, most have 1500"
    ((said, subject),) = interfaces.mixed({"a": 1500, "b": 9000}).items()
    assert subject == Subject.of_node("a", interfaces.UNDERLAY)
    assert said.startswith("a: ")


def test_jumbo_underlay() -> None:
    """Paths must use it, but for the headers of a tunnel; and then the first packet passes."""
    assert pmtu_judge.jumbo(1500)(path_result()) is None
    violation = pmtu_judge.jumbo(9000)(path_result())
    assert violation is not None
    assert "the underlay carries 9000" in violation.said
    lost = pmtu_judge.jumbo(1500)(path_result(first=vanished(1430)))
    assert lost is not None
    assert lost.kind is ViolationKind.BLACK_HOLE
