"""Segment sizes and spoofed Packet Too Big as matrices: what is wrong, what is open."""

from __future__ import annotations

from typing import cast

import pytest

from sixproof.agent import protocol
from sixproof.checks.crafted import path_learning
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotMeasured, VerdictError
from sixproof.model import Family, Flow, Judged, Observation, Outcome, Protocol
from sixproof.probes.crafted.capture import CapturedPacket
from sixproof.probes.crafted.handshakes import Handshake
from sixproof.probes.crafted.spoofed_ptb import SMALLEST, SpoofedPtb
from tests.unit.checks.crafted.test_crafted_results import ONE, TWO

LINK = 1450


class Kept:
    """A recorder that keeps what it is given."""

    def __init__(self) -> None:
        self.found: list[Judged] = []

    def matrix(self, *judged: object) -> None:
        self.found.append(cast(Judged, judged))

    @property
    def recorder(self) -> Recorder:
        """As checks know it."""
        return cast(Recorder, self)


def syn(family: Family, size: int) -> CapturedPacket:
    """A SYN that announces a segment size."""
    source, destination = ONE.address(family), TWO.address(family)
    assert source is not None
    assert destination is not None
    return CapturedPacket(source, destination, 60, 6, flags="S", mss=size)


def shake(family: Family, came: int | None) -> Handshake:
    """A connection whose SYN left with what its link leaves, and came with this (None: unseen)."""
    address = TWO.address(family)
    assert address is not None
    flow = Flow(ONE, TWO, address, Protocol.TCP, 8080)
    right = LINK - (60 if family is Family.IPV6 else 40)
    return Handshake(
        Observation(flow, Outcome.ALLOWED),
        syn(family, right),
        None if came is None else syn(family, came or right),
        LINK,
    )


def spoofed(mtu: int, expires: float | None) -> SpoofedPtb:
    """A victim whose route had this MTU after the lies."""
    address = str(TWO.addresses[1])
    return SpoofedPtb(
        ONE,
        TWO,
        protocol.RouteSeen(address, mtu=mtu, expires=expires),
        protocol.RouteSeen(address, mtu=SMALLEST, expires=600.0),
    )


def test_right_sizes_are_cells_of_their_family() -> None:
    """Each test records its own family's."""
    kept = Kept()
    shakes = [shake(f, 0) for f in Family]
    path_learning.must_announce_its_link(shakes, Family.IPV6, kept.recorder)
    ((matrix, wanted),) = kept.found
    assert matrix.title == path_learning.MSS
    assert [(o.flow.family, o.outcome) for o in matrix.observations()] == [
        (Family.IPV6, Outcome.ALLOWED)
    ]
    assert {str(e) for e in wanted.values()} == {"ALLOWED"}


def test_a_lowered_size_is_wrong_in_its_own_family_alone() -> None:
    """The other family's test passes, and the class says which one it is."""
    kept = Kept()
    shakes = [shake(Family.IPV4, 0), shake(Family.IPV6, 1200)]
    path_learning.must_announce_its_link(shakes, Family.IPV4, kept.recorder)
    with pytest.raises(VerdictError) as caught:
        path_learning.must_announce_its_link(shakes, Family.IPV6, kept.recorder)
    said = str(caught.value)
    assert "its SYN came with MSS 1200, left with 1390" in said
    assert "IPv6" in said
    assert set(caught.value.families) == {Family.IPV6}


def test_a_syn_that_nobody_captured_is_not_measured() -> None:
    """It is UNKNOWN, never a pass."""
    kept = Kept()
    with pytest.raises(NotMeasured, match="no SYN of it in both captures"):
        path_learning.must_announce_its_link([shake(Family.IPV6, None)], Family.IPV6, kept.recorder)
    ((matrix, _),) = kept.found
    assert [o.outcome for o in matrix.observations()] == [Outcome.UNKNOWN]


def test_a_lie_that_is_believed_names_the_pod_and_the_mtu() -> None:
    """A pod that believes none passes."""
    kept = Kept()
    path_learning.must_ignore_spoofed_ptbs([spoofed(0, None)], kept.recorder)
    with pytest.raises(VerdictError) as caught:
        path_learning.must_ignore_spoofed_ptbs([spoofed(SMALLEST + 21, 600.0)], kept.recorder)
    assert ONE.name in str(caught.value)
    assert "learnt an MTU of 1301 from a message about a TCP connection" in str(caught.value)
    assert [[o.outcome for o in matrix.observations()] for matrix, _ in kept.found] == [
        [Outcome.ALLOWED],
        [Outcome.WRONG],
    ]
