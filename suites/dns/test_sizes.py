"""Large answers: truncated where they do not fit, complete over TCP, never cut silently."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.checks.dns.resolution import Resolution
from sixproof.checks.dns.resolvers import Resolvers
from sixproof.checks.dns.truth import Truth
from sixproof.model import Family
from sixproof.probes.dns.judge import DnsExpectation
from sixproof.probes.dns.verdict import DnsOutcome, DnsServer, Transport

pytestmark = [pytest.mark.feature("DNS"), pytest.mark.covers("D1")]

TCP = (Transport.TCP,)


@pytest.mark.story("big answers")
def test_a_big_answer_is_whole_over_tcp(
    ip_family: Family,
    dns_service: tuple[DnsServer, ...],
    truth: Truth,
    resolution: Resolution,
) -> None:
    """A name with 120 addresses of the family returns all of them over TCP.

    Why: it is where a client goes after truncation (RFC 7766 section 5).
    """
    expected = truth.big(ip_family)
    resolution.must_answer("120 addresses", expected, servers=dns_service, transports=TCP)


@pytest.mark.story("big answers")
@pytest.mark.parametrize("offered", [None, 1232, 4096], ids=["no-EDNS", "1232", "4096"])
def test_an_answer_over_udp_is_whole_or_says_that_it_is_not(
    ip_family: Family,
    offered: int | None,
    dns_service: tuple[DnsServer, ...],
    truth: Truth,
    resolution: Resolution,
) -> None:
    """A UDP answer fits the size that the client offers: it is complete or has the TC bit set.

    Why: 512 bytes without EDNS (RFC 1035 section 4.2.1); 1232 is never fragmented, since every IPv6
    link carries 1280; 4096 arrives only if fragments do. A cut answer without the TC bit hides
    addresses.
    """
    expected = {
        dataclasses.replace(question, edns=offered): whole_or_truncated(wanted)
        for question, wanted in truth.big(ip_family).items()
    }
    seen = resolution.must_answer("120 addresses", expected, servers=dns_service)
    oversized = (
        f"{o.query}: {o.answer.size} bytes, at most {o.query.question.udp_limit}"
        for o in seen
        if o.answer and o.answer.size > o.query.question.udp_limit
    )
    resolution.none_wrong(oversized, ip_family)


@pytest.mark.story("big answers")
def test_stock_resolvers_ask_again_over_tcp(truth: Truth, resolvers: Resolvers) -> None:
    """A pod's own resolver finds all 120 addresses of a name, over nameservers of each family.

    Why: this needs a truncated answer over UDP and a second query over TCP.
    """
    resolvers.must_find("120 addresses", truth.found(truth.of("big"), [None]))


def whole_or_truncated(wanted: DnsExpectation) -> DnsExpectation:
    """The same records, or fewer and the TC bit."""
    outcomes = wanted.outcomes | {DnsOutcome.TRUNCATED}
    return dataclasses.replace(wanted, outcomes=outcomes)
