"""Every rule of path MTU: what it lets pass, and what it calls what it does not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sixproof.agent.protocol import Event, IcmpSeen, Sized
from sixproof.model import Family
from sixproof.probes.pmtu import judge as rules
from sixproof.probes.pmtu.judge import Rule, Violation, ViolationKind
from sixproof.probes.pmtu.path import Hop
from sixproof.probes.pmtu.path_run import PathResult
from tests.unit.probes.pmtu.samples import (
    HOPS,
    NODES,
    PTB,
    bulk,
    learnt,
    narrowed,
    passed,
    path_result,
    refused,
    vanished,
)

RULES = (
    rules.first_try,
    rules.one_byte_more,
    rules.nothing_learnt,
    rules.segments,
    rules.bulk_in_time,
    rules.plain_socket_converges,
    rules.fragments_arrive,
    rules.signals_are_exact,
    rules.signals_are_honoured,
)


def found(rule: Rule, given: PathResult) -> Violation:
    """The complaint that must be there."""
    violation = rule(given)
    assert violation is not None
    return violation


@pytest.mark.parametrize("ip_family", Family, ids=str)
@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.__name__)
def test_a_sound_path_breaks_no_rule(rule: Rule, ip_family: Family) -> None:
    """Neither family is complained about where all is well."""
    assert rule(path_result(ip_family)) is None


@pytest.mark.parametrize(
    ("first", "small", "kind"),
    [
        (vanished(1430), passed(256), ViolationKind.BLACK_HOLE),
        (vanished(1430), vanished(256), ViolationKind.CLOSED),
        (refused(1430, PTB), passed(256), ViolationKind.NARROW),
        (Sized(1430, Event.UNREACHABLE), passed(256), ViolationKind.WRONG),
    ],
)
def test_what_small_packets_do_decides_what_a_lost_one_means(
    first: Sized, small: Sized, kind: ViolationKind
) -> None:
    """A black hole is recognised by its contrast only."""
    violation = found(rules.first_try, path_result(first=first, small=small))
    assert violation.kind is kind
    assert "1430 bytes" in violation.said


def test_one_byte_more_must_be_refused_by_the_sender_itself() -> None:
    """Where the sender's own link is the narrowest, no other's word will do."""
    signalled = found(rules.one_byte_more, path_result(beyond=refused(1431, PTB)))
    carried = found(rules.one_byte_more, path_result(beyond=passed(1431)))
    lost = found(rules.one_byte_more, path_result(beyond=vanished(1431)))
    assert (signalled.kind, carried.kind, lost.kind) == (
        ViolationKind.WRONG,
        ViolationKind.WRONG,
        ViolationKind.BLACK_HOLE,
    )
    assert "promise 1430" in carried.said


def test_one_byte_more_may_be_refused_by_a_narrower_hop() -> None:
    """The bottleneck says so, or the kernel that learnt it before."""
    for seen in (refused(1351, PTB), refused(1351)):
        assert rules.one_byte_more(path_result(hops=narrowed(), beyond=seen)) is None
    silent = found(rules.one_byte_more, path_result(hops=narrowed(), beyond=vanished(1351)))
    assert silent.kind is ViolationKind.BLACK_HOLE


def test_a_learnt_mtu_without_a_narrower_hop_is_a_finding() -> None:
    """The one sign of a tunnel that takes more than its device leaves."""
    tunnel = Hop("w1", "vxlan-v6.calico", 1500)
    ends = [dataclasses.replace(hop, mtu=1500) for hop in (HOPS[0], *HOPS[3:])]
    wide = (ends[0], tunnel, HOPS[2], *ends[1:])
    violation = found(rules.nothing_learnt, path_result(hops=wide, learnt=(learnt(1430),)))
    assert violation.kind is ViolationKind.NARROW
    assert "learnt 1430 towards 2001:db8::2 (forgets it in 599 s)" in violation.said
    assert "eth0 of w1 1430" in violation.said
    assert "holds less than the tunnel" in violation.said


def test_a_learnt_mtu_that_a_hop_is_set_to_is_none() -> None:
    """A bottleneck that the nodes' own routes make is honoured, not complained about."""
    assert rules.nothing_learnt(path_result(hops=narrowed(), learnt=(learnt(1350),))) is None
    other = found(rules.nothing_learnt, path_result(hops=narrowed(), learnt=(learnt(1300),)))
    assert "learnt 1300" in other.said


def test_a_node_must_not_learn_anything_towards_a_node() -> None:
    """What carries tunnels must not shrink, whatever the pods' path is set to."""
    node = NODES["w2"].addresses[1]
    entry = learnt(1350, node, "host@w1")
    assert (
        "host@w1 learnt 1350"
        in found(rules.nothing_learnt, path_result(hops=narrowed(), learnt=(entry,))).said
    )


@pytest.mark.parametrize(
    ("fields", "fine"),
    [
        ({"segment": 1358, "offered": 1370}, True),
        ({"segment": 1370, "offered": 1370, "timestamps": False}, True),
        ({"segment": 1357, "offered": 1370}, False),
        ({"segment": 1358, "offered": 1440}, False),
        ({"segment": 1278, "offered": 1290}, False),
    ],
)
def test_segments_are_the_path_mtu_less_headers(fields: dict[str, Any], fine: bool) -> None:
    """72 bytes less over IPv6, 60 where no timestamps were agreed on."""
    violation = rules.segments(path_result(bulk=bulk(**fields)))
    assert (violation is None) is fine
    assert violation is None or f"MSS {fields['segment']}" in violation.said


def test_a_narrower_hop_makes_smaller_segments() -> None:
    """The SYN may offer what the sender's own link takes or what the path does."""
    for offered in (1370, 1290):
        given = path_result(hops=narrowed(), bulk=bulk(segment=1278, offered=offered, pmtu=1350))
        assert rules.segments(given) is None


def test_the_sender_may_have_learnt_of_a_hop_before_the_narrowest() -> None:
    """A client on a wider link that heard of the tunnel only; what no hop has is wrong."""
    hops = (Hop("out", "eth0", 1500), Hop("w1", "vxlan.calico", 1450), *HOPS[2:])
    for offered, fine in ((1440, True), (1390, True), (1370, True), (1400, False)):
        given = path_result(hops=hops, bulk=bulk(segment=1358, offered=offered))
        assert (rules.segments(given) is None) is fine


def test_a_narrower_way_back_may_make_smaller_segments() -> None:
    """A server that learnt its own path offers a smaller MSS in its SYN; no other size will do."""
    smaller = bulk(segment=1278)
    assert rules.segments(path_result(bulk=smaller, back=1350)) is None
    assert rules.segments(path_result(bulk=smaller, back=1430)) is not None
    assert rules.segments(path_result(bulk=bulk(segment=1200), back=1350)) is not None


def test_a_learnt_mtu_towards_the_pod_behind_a_service_counts_as_its_own() -> None:
    """Whoever dialled the pod before knows its path already."""
    given = path_result(hops=narrowed(), learnt=(learnt(1350),))
    service = dataclasses.replace(given.flow, address=NODES["w1"].addresses[1])
    assert rules.nothing_learnt(dataclasses.replace(given, flow=service)) is None


def test_bulk_that_stalls_while_small_passes_is_a_black_hole() -> None:
    """With what had been carried until then."""
    stuck = bulk(Event.SILENT, elapsed=6.0, acknowledged=0, retransmits=7)
    for rule in (rules.bulk_in_time, rules.segments):
        violation = found(rule, path_result(bulk=stuck))
        assert violation.kind is ViolationKind.BLACK_HOLE
        assert "0 bytes acknowledged" in violation.said
        assert "7 retransmits" in violation.said
        assert "256 bytes pass" in violation.said
    closed = found(rules.bulk_in_time, path_result(bulk=stuck, small=vanished(256)))
    never = found(rules.bulk_in_time, path_result(bulk=bulk(Event.SILENT, stage="connect")))
    assert (closed.kind, never.kind) == (ViolationKind.CLOSED, ViolationKind.WRONG)


def test_bulk_must_be_in_time_and_the_agents_own_delay_does_not_count() -> None:
    """2 s in all, 1 s of standstill."""
    assert rules.bulk_in_time(path_result(bulk=bulk(elapsed=1.9, stall=0.9))) is None
    assert rules.bulk_in_time(path_result(bulk=bulk(elapsed=2.5, stall=1.4), lag=0.6)) is None
    assert found(rules.bulk_in_time, path_result(bulk=bulk(elapsed=2.1))).kind is ViolationKind.SLOW
    assert found(rules.bulk_in_time, path_result(bulk=bulk(stall=1.2))).kind is ViolationKind.SLOW


def test_bulk_that_tcp_healed_by_itself_is_still_a_black_hole() -> None:
    """tcp_mtu_probing gets through in 6 s with small segments: path-cases A4.5."""
    healed = bulk(elapsed=6.3, stall=3.0, segment=1000)
    violation = found(rules.bulk_in_time, path_result(first=vanished(1430), bulk=healed))
    assert violation.kind is ViolationKind.BLACK_HOLE
    assert "tcp_mtu_probing" in violation.said


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [
        ((refused(1430, PTB), passed(1430), passed(1430), passed(1430)), None),
        ((vanished(1430), refused(1430), passed(1430), passed(1430)), None),
        ((vanished(1430), vanished(1430), refused(1430), passed(1430)), None),
        ((vanished(1430),) * 4, ViolationKind.BLACK_HOLE),
        ((refused(1430, PTB),) * 4, ViolationKind.NARROW),
        ((passed(1430), vanished(1430), passed(1430), passed(1430)), ViolationKind.WRONG),
    ],
)
def test_a_plain_socket_gets_through_by_the_fourth(
    pattern: tuple[Sized, ...], kind: ViolationKind | None
) -> None:
    """And stays through."""
    violation = rules.plain_socket_converges(path_result(pattern=pattern))
    assert (violation.kind if violation else None) is kind


def test_lost_fragments_are_distinguished_from_a_closed_path() -> None:
    """By the small packet again."""
    assert (
        found(rules.fragments_arrive, path_result(fragments=vanished(3000))).kind
        is ViolationKind.BLACK_HOLE
    )
    closed = path_result(fragments=vanished(3000), small=vanished(256))
    assert found(rules.fragments_arrive, closed).kind is ViolationKind.CLOSED


def test_packet_too_big_must_be_exact() -> None:
    """Code 0, and the MTU of the narrowest hop."""
    pattern = (refused(1430, PTB, 1350), passed(1430), passed(1430), passed(1430))
    exact = path_result(hops=narrowed(), pattern=pattern)
    assert rules.signals_are_exact(exact) is None
    assert [s.sender for s in rules.signals(exact)] == ["2001:db8::ffff"]
    odd = found(rules.signals_are_exact, path_result(hops=narrowed(1400), pattern=pattern))
    assert "gave MTU 1350" in odd.said
    further = path_result(hops=(Hop("a", "eth0", 1500), *narrowed()), pattern=pattern)
    assert rules.signals_are_exact(further) is None
    nowhere = (refused(1430, dataclasses.replace(PTB, mtu=1400), 1400), *pattern[1:])
    odd = found(rules.signals_are_exact, path_result(hops=narrowed(), pattern=nowhere))
    assert "gave MTU 1400" in odd.said
    code = refused(1430, dataclasses.replace(PTB, code=1))
    assert "code 1" in found(rules.signals_are_exact, path_result(first=code)).said


def test_packet_too_big_must_be_honoured() -> None:
    """The socket works with it, and what fits passes; a signal that came is not enough."""
    later = (passed(1430),) * 3
    heeded = path_result(hops=narrowed(), pattern=(refused(1430, PTB, 1350), *later))
    ignored = path_result(hops=narrowed(), pattern=(refused(1430, PTB, 1430), *later))
    stuck = path_result(hops=narrowed(), pattern=(refused(1430, PTB, 1350), *(vanished(1430),) * 3))
    assert rules.signals_are_honoured(heeded) is None
    assert "the socket works with 1430" in found(rules.signals_are_honoured, ignored).said
    assert found(rules.signals_are_honoured, stuck).kind is ViolationKind.BLACK_HOLE


def test_fragmentation_needed_is_ipv4s_packet_too_big() -> None:
    """Type 3 code 4 (RFC 1191 section 4)."""
    said = IcmpSeen(3, 4, "192.0.2.9", 1350)
    given = path_result(Family.IPV4, narrowed(), first=refused(1430, said, 1350))
    assert rules.signals_are_exact(given) is None


def test_judging_keeps_only_complaints() -> None:
    """In the order of the paths."""
    bad = path_result(first=vanished(1430))
    violations = rules.judge([path_result(), bad, path_result()], rules.first_try)
    assert [c.path_result for c in violations] == [bad]
