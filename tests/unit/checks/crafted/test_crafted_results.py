"""Crafted packets of a run: what is fired where, and what is said of those that went astray."""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import cast

import pytest

from sixproof.agent.wire import Seal
from sixproof.checks.crafted import firing, targets
from sixproof.checks.crafted.crafted_results import (
    CLUSTER_IP,
    DENIED,
    FULL,
    POD,
    ROUTE,
    CraftedResults,
)
from sixproof.checks.crafted.firing import SHUT
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotAsked, NotMeasured, VerdictError
from sixproof.model import Edge, Endpoint, EndpointKind, Expectation, Family, Flow, Matrix, Protocol
from sixproof.probes.crafted.probe import CraftedPacket, CraftedResult, CraftedStatus, CraftedTarget

SEAL = Seal(b"a key")


def pod(name: str, number: int, node: str, *, only: Family | None = None) -> Endpoint:
    """A pod of the raw tier."""
    texts = {Family.IPV4: f"192.0.2.{number}", Family.IPV6: f"2001:db8::{number}"}
    addresses = tuple(ipaddress.ip_address(t) for f, t in texts.items() if only in (None, f))
    return Endpoint(name, EndpointKind.POD, addresses, "team", name, node)


ONE, TWO, THREE = pod("raw@n1", 1, "n1"), pod("raw@n2", 2, "n2"), pod("raw@n3", 3, "n3")
GUARDED = pod("guarded@n2", 12, "n2")


def target(family: Family, server: Endpoint = TWO) -> CraftedTarget:
    address = server.address(family)
    assert address is not None
    return CraftedTarget(ONE, server, address, 8080, SEAL)


SIX, FOUR = target(Family.IPV6), target(Family.IPV4)


class Notes:
    """A recorder that keeps the matrices it is given."""

    def __init__(self) -> None:
        self.matrices: list[Matrix] = []

    def matrix(
        self, matrix: Matrix, expected: dict[tuple[Family, Edge], Expectation], **_: object
    ) -> None:
        assert set(expected) == set(matrix.cells)
        self.matrices.append(matrix)


def results(*those: CraftedResult, **closed: object) -> CraftedResults:
    return CraftedResults(those, cast(Recorder, Notes()), **closed)  # type: ignore[arg-type]


def packets(at: CraftedTarget, way: str = POD) -> list[CraftedPacket]:
    """What is fired at a target by a way."""
    return list(firing.at([at], way, {ONE.name: 1400}))


def met(packet: CraftedPacket, *, right: bool = True, doubt: str = "") -> CraftedResult:
    """A result, as it must be or the opposite, or in doubt."""
    arrived = packet.arrives == right
    status = CraftedStatus.ARRIVED if arrived else CraftedStatus.ABSENT
    return CraftedResult(
        packet, CraftedStatus.UNKNOWN if doubt else status, len(packet.packets), (), (), doubt
    )


def test_every_shape_begins_with_its_baseline_and_ends_with_a_full_packet() -> None:
    """A full packet goes its own way by name: what it shows is another question."""
    fired = packets(SIX)
    assert fired[0].baseline
    assert (fired[-1].shape, fired[-1].story) == ("1400 bytes", FULL + POD)
    assert len(fired[-1].packets[0]) == 1400
    assert {p.story for p in fired[:-1]} == {POD}
    assert {p.arrives for p in fired} == {True, False}


def test_a_source_route_leads_to_a_third_pod_over_ipv6() -> None:
    """Both servers have a baseline; where there is no third pod there is nothing to ask."""
    fired = list(firing.source_routed([SIX, FOUR], [ONE, TWO, THREE]))
    assert [p.target.server for p in fired if p.baseline] == [TWO, THREE]
    assert {p.story for p in fired} == {ROUTE}
    assert {p.target.family for p in fired} == {Family.IPV6}
    assert list(firing.source_routed([SIX], [ONE, TWO])) == []
    lacking = pod("raw@n3", 3, "n3", only=Family.IPV4)
    alone = list(firing.source_routed([SIX], [ONE, TWO, lacking]))
    assert [(p.baseline, p.target.server) for p in alone] == [(True, TWO)]


def test_what_is_forbidden_goes_to_the_shut_port_of_the_guarded_pod_beside() -> None:
    """Its open port shows that the way is open; a pod without the family is left out."""
    fired = list(firing.forbidden([SIX], [GUARDED]))
    assert {p.target.server for p in fired} == {GUARDED}
    assert [p.target.port for p in fired if p.baseline] == [8080]
    assert {p.target.port for p in fired if not p.baseline} == {SHUT.port}
    assert {p.arrives for p in fired if not p.baseline} == {False}
    only_four = pod("guarded@n2", 12, "n2", only=Family.IPV4)
    assert list(firing.forbidden([SIX], [only_four])) == []


def test_the_wanted_status_is_noted_and_passes() -> None:
    """One matrix of the family that is asked about."""
    found = results(*map(met, [*packets(SIX), *packets(FOUR)]))
    found.must("fragments", POD, Family.IPV6)
    (noted,) = cast(Notes, found.recorder).matrices
    assert noted.families() == (Family.IPV6,)


@pytest.mark.parametrize(
    ("four_right", "way", "classes"),
    [
        (True, POD, {"IPv6-only failure"}),
        (False, POD, {"Connectivity failure"}),
        (True, DENIED, {"Policy leak", "IPv6-only failure"}),
        (False, DENIED, {"Policy leak"}),
    ],
    ids=["IPv6 alone", "both", "a leak of IPv6 alone", "a leak of both"],
)
def test_another_status_is_a_verdict_of_its_class(
    four_right: bool, way: str, classes: set[str]
) -> None:
    """The message says how many, which, and who demands what."""
    six, four = packets(SIX, way)[:-1], packets(FOUR, way)[:-1]
    found = results(*(met(p, right=False) for p in six), *(met(p, right=four_right) for p in four))
    with pytest.raises(VerdictError) as caught:
        found.must("fragments", way, Family.IPV6)
    text = str(caught.value)
    assert text.startswith(f"fragments: {len(six)} of {len(six)} crafted packets over IPv6")
    assert f"... and {len(six) - 8} more" in text
    assert "raw@n1 -> raw@n2 over IPv6 udp/8080" in text
    assert caught.value.families == {"IPv6"}
    assert caught.value.categories == classes


def test_only_the_shapes_that_are_asked_about_count() -> None:
    """Another shape's fate is another test's."""
    good, *bad = packets(SIX)[:-1]
    found = results(met(good), *(met(p, right=False) for p in bad))
    found.must("the plain one", POD, Family.IPV6, only=[good.shape])
    with pytest.raises(VerdictError, match="1 of 1 crafted packets"):
        found.must("a fragmented one", POD, Family.IPV6, only=[bad[0].shape])


def test_what_is_in_doubt_is_not_measured() -> None:
    """It neither passes nor accuses."""
    first, *others = packets(SIX)[:-1]
    found = results(met(first, doubt="the capture is not complete"), *map(met, others))
    with pytest.raises(NotMeasured, match=r"fragments: not measured\n.*capture is not complete"):
        found.must("fragments", POD, Family.IPV6)


CLOSED = {POD: [(Flow(ONE, TWO, TWO.addresses[1], Protocol.UDP, 8080), "GlobalNetworkPolicy shut")]}


def test_nothing_fired_is_skipped_or_not_proven_and_says_why() -> None:
    """A policy that closes every such flow is named; so is the lack of a pair."""
    with pytest.raises(NotAsked, match="no pair of pods on different nodes") as none:
        results().must("fragments", CLUSTER_IP, Family.IPV6)
    with pytest.raises(NotAsked, match="GlobalNetworkPolicy shut") as shut:
        results(closed=CLOSED).must("full packets", FULL + CLUSTER_IP, Family.IPV6)
    assert (none.value.unproven, shut.value.unproven) == (False, True)
    with pytest.raises(NotAsked, match="no pair of pods on different nodes"):
        results(closed=CLOSED).must("fragments", POD, Family.IPV4)


def test_a_flow_is_reported_as_it_is_dialled() -> None:
    """At the address and port of the frontend."""
    flow = Flow(ONE, TWO, TWO.addresses[0], Protocol.UDP, 8080)
    front = dataclasses.replace(SIX, address=ipaddress.ip_address("2001:db8:f::1"), port=30100)
    assert targets.dialled(flow, front) == dataclasses.replace(
        flow, address=front.address, port=30100
    )
