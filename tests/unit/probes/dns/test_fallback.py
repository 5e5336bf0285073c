"""A name that works only thanks to one family: the other one is broken, and said to be."""

from __future__ import annotations

import dataclasses
import ipaddress

import pytest

from sixproof.model import (
    Endpoint,
    EndpointKind,
    Family,
    Flow,
    Observation,
    Outcome,
    Parity,
    Protocol,
)
from sixproof.probes.dns.fallback import ByName, violations
from sixproof.probes.dns.resolver import LookupObservation, ResolverCall
from sixproof.probes.dns.verdict import DnsOutcome
from tests.unit.probes.dns.samples import NAME, ONE, TWO

V4, V6 = ipaddress.ip_address("10.96.0.1"), ipaddress.ip_address("fd00::1")
SERVICE = Endpoint("web", EndpointKind.SERVICE, (V4, V6))
A, D, F, U = Outcome.ALLOWED, Outcome.DROPPED, Outcome.DNS_FAILED, Outcome.UNKNOWN


def client(
    v4: Outcome | None = A,
    v6: Outcome | None = A,
    found: str = "64",
    families: frozenset[Family] = frozenset(Family),
    outcome: DnsOutcome = DnsOutcome.NOERROR,
) -> ByName:
    """A client whose resolver found these families in this order; None is not dialled."""
    known = {"4": V4, "6": V6}
    dialled = {
        address: Observation(Flow(ONE, SERVICE, address, Protocol.TCP, 80), came, "a reason")
        for address, came in ((V4, v4), (V6, v6))
        if came is not None
    }
    addresses = tuple(known[digit] for digit in found)
    looked_up = LookupObservation(ResolverCall(ONE, NAME), outcome, addresses)
    return ByName(SERVICE.name, looked_up, dialled, families)


@pytest.mark.parametrize(
    ("one", "parity", "v4", "v6"),
    [
        (client(), Parity.BOTH_WORK, A, A),
        (client(v6=D), Parity.IPV6_BROKEN, A, D),
        (client(v4=D), Parity.IPV4_BROKEN, D, A),
        (client(v4=D, v6=D), Parity.BOTH_BROKEN, D, D),
        (client(found="4"), Parity.IPV6_BROKEN, A, F),
        (client(found="6"), Parity.IPV4_BROKEN, F, A),
        (client(found=""), Parity.BOTH_BROKEN, F, F),
        (client(v6=U), Parity.NOT_COMPARED, A, U),
        (client(v6=None), Parity.IPV6_BROKEN, A, F),
        (client(outcome=DnsOutcome.UNKNOWN), Parity.NOT_COMPARED, U, U),
        (client(found="4", families=frozenset({Family.IPV4})), Parity.NOT_COMPARED, A, F),
    ],
)
def test_parity_of_a_client(one: ByName, parity: Parity, v4: Outcome, v6: Outcome) -> None:
    assert (one.parity, one.outcome(Family.IPV4), one.outcome(Family.IPV6)) == (parity, v4, v6)


def test_single_stack_name_needs_one_family_only() -> None:
    assert client(found="4", families=frozenset({Family.IPV4})).works_throughout
    assert not client(v6=D).works_throughout
    assert not client(v6=U).works_throughout


@pytest.mark.parametrize(("found", "first"), [("64", Family.IPV6), ("46", Family.IPV4), ("", None)])
def test_first_choice_is_the_resolver_s(found: str, first: Family | None) -> None:
    assert client(found=found).preferred is first


def test_masked_ipv6_is_called_broken() -> None:
    assert violations([client(v6=D)]) == [
        f"by a@worker: {NAME} is reached only thanks to IPv4: IPv6 to [fd00::1]:80: DROPPED "
        "(a reason); its resolver puts IPv6 first, so a client waits for it each time"
    ]
    (second,) = violations([client(v6=D, found="46")])
    assert second.endswith("its resolver puts IPv4 first, which hides it")


def test_clients_that_suffer_alike_are_reported_together() -> None:
    lookup = dataclasses.replace(client().found.lookup, source=TWO)
    other = client(v6=D)
    other = dataclasses.replace(other, found=dataclasses.replace(other.found, lookup=lookup))
    lines = violations([client(v6=D), other, client(v4=D)])

    assert [line.partition(":")[0] for line in lines] == ["by a@worker, a@worker2", "by a@worker"]


def test_missing_record_is_reported_as_such() -> None:
    said = client(found="4").violation()
    assert "thanks to IPv4: the name has no IPv6 address (NOERROR: 10.96.0.1 only)" in said
    stranger = dataclasses.replace(client(), dialled={V4: client().dialled[V4]})
    assert "IPv6: fd00::1 is no address of the service" in stranger.violation()


def test_name_that_does_not_work_at_all() -> None:
    assert client(v4=D, v6=D).violation().startswith(f"{NAME} is not reached at all: IPv4 to ")
