"""Waiting until DNS servers have caught up, without asking for a name that a test will ask for."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import cast

import pytest

from sixproof.checks.dns import settling
from sixproof.model import Family
from sixproof.probes.dns.message import RecordType
from sixproof.probes.dns.probe import DnsProbe
from sixproof.probes.dns.verdict import DnsObservation, DnsOutcome, DnsQuery
from tests.unit.probes.dns.samples import ONE, SERVERS, seen

O = DnsOutcome  # noqa: E741 - as the tables read
ALL = tuple(SERVERS.values())


class FakeProbe:
    """A DNS whose servers know a service from the n-th round on; None means that it is silent."""

    def __init__(self, rounds: dict[Family, int | None], wrong: RecordType | None = None) -> None:
        self.rounds = rounds
        self.wrong = wrong
        self.names: list[str] = []

    def ask(self, queries: Sequence[DnsQuery], _: float) -> tuple[DnsObservation, ...]:
        self.names.append(queries[0].question.name)
        return tuple(self._one(q) for q in queries)

    def _one(self, asked: DnsQuery) -> DnsObservation:
        known_from = self.rounds[asked.server.family]
        if known_from is None:
            return seen(asked, outcome=O.TIMEOUT)
        if len(self.names) < known_from or asked.question.type is self.wrong:
            return seen(asked, outcome=O.NXDOMAIN)
        return seen(asked, "a record")


def settle(probe: FakeProbe, timeout: float = 5.0) -> tuple[str, ...]:
    numbers = itertools.count(1)
    return settling.settle(
        cast(DnsProbe, probe), lambda: f"sentinel{next(numbers)}.", [ONE], ALL, timeout
    )


@pytest.mark.parametrize(
    ("probe", "rounds"),
    [
        (FakeProbe({Family.IPV4: 1, Family.IPV6: 1}), 1),
        (FakeProbe({Family.IPV4: 1, Family.IPV6: 3}), 3),
        (FakeProbe({Family.IPV4: 1, Family.IPV6: None}), 1),
        (FakeProbe({Family.IPV4: None, Family.IPV6: None}), 1),
        (FakeProbe({Family.IPV4: 1, Family.IPV6: 1}, wrong=RecordType.AAAA), 1),
    ],
)
def test_waits_for_servers_that_answer(probe: FakeProbe, rounds: int) -> None:
    """A silent server, or one that gets a type wrong, is not waited for: tests will find it."""
    assert settle(probe) == ()
    assert len(probe.names) == rounds


def test_no_name_is_asked_for_twice() -> None:
    probe = FakeProbe({Family.IPV4: 3, Family.IPV6: 2})
    settle(probe)
    assert probe.names == ["sentinel1.", "sentinel2.", "sentinel3."]


def test_server_that_never_knows_is_named() -> None:
    known: dict[Family, int | None] = {Family.IPV4: 1, Family.IPV6: 99999}
    assert settle(FakeProbe(known), timeout=0.3) == (str(SERVERS[Family.IPV6].address),)
