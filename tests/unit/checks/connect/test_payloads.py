"""Payloads: all sizes of a family are tried together, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from sixproof.checks.connect.payloads import SHARES, TCP_SIZES, Payloads
from sixproof.model import Family, Flow, Matrix, Observation, Outcome, Protocol
from sixproof.probes.connect.probe import ProbeOptions
from tests.unit.model.places import place

PODS = (place("a@w1", 1, "w1"), place("a@w2", 2, "w2"))
MTU = 1430


class Tried:
    """Connectivity that carries everything, and knows how it was asked."""

    patience = 3.0

    def __init__(self) -> None:
        self.rounds: list[tuple[Sequence[Flow], Mapping[str, ProbeOptions]]] = []

    def measure_each(
        self, flows: Sequence[Flow], tries: Mapping[str, ProbeOptions]
    ) -> dict[str, Matrix]:
        """A matrix for each way."""
        self.rounds.append((flows, tries))
        seen = [Observation(flow, Outcome.ALLOWED) for flow in flows]
        return {title: Matrix.of(title, seen) for title in tries}


@pytest.fixture
def tried() -> Tried:
    """A network that works."""
    return Tried()


@pytest.fixture
def payloads(tried: Any) -> Payloads:
    """Between two pods."""
    return Payloads(tried, PODS, MTU)


def test_every_size_of_tcp_is_tried_at_the_first_question(payloads: Payloads, tried: Tried) -> None:
    """So many bytes each way, over that family alone."""
    titles = [payloads.tcp(Family.IPV6, size).title for size in TCP_SIZES]
    assert titles == [f"TCP, {size} bytes each way" for size in TCP_SIZES]
    ((asked, tries),) = tried.rounds
    assert {f.family for f in asked} == {Family.IPV6}
    assert {f.protocol for f in asked} == {Protocol.TCP}
    assert [(o.upload, o.download, o.timeout) for o in tries.values()] == [
        (size, size, 6.0) for size in TCP_SIZES
    ]
    payloads.tcp(Family.IPV4, 1)
    assert len(tried.rounds) == 2


@pytest.mark.parametrize(("family", "most"), [(Family.IPV4, 1356), (Family.IPV6, 1336)])
def test_datagrams_fill_the_mtu_less_their_headers(
    payloads: Payloads, tried: Tried, family: Family, most: int
) -> None:
    """20 and 40 bytes of IP, 8 of UDP (RFC 791, 8200, 768), 46 of our own; none is fragmented."""
    titles = [payloads.udp(family, share).title for share in SHARES]
    assert titles == ["UDP, 1 bytes", f"UDP, {most // 2} bytes", f"UDP, {most} bytes"]
    ((asked, tries),) = tried.rounds
    assert {(f.family, f.protocol) for f in asked} == {(family, Protocol.UDP)}
    assert all(o.dont_fragment and o.timeout == 3.0 for o in tries.values())
    assert [o.upload for o in tries.values()] == [1, most // 2, most]
