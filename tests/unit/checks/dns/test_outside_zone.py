"""The test zone outside: what its names must say, of each family, to servers and to resolvers."""

from __future__ import annotations

import pytest

from sixproof.checks.dns.outside_zone import OutsideZone
from sixproof.model import Family
from sixproof.probes.dns.message import DnsQuestion, RecordType
from sixproof.probes.dns.verdict import DnsOutcome

V6, V4 = "2001:db8::6", "192.0.2.4"
ZONE = OutsideZone(
    zone="out.test",
    names={"v6only": {Family.IPV6: V6}, "both": {Family.IPV4: V4, Family.IPV6: V6}, "text": {}},
    broken="broken.test",
)


@pytest.mark.parametrize(
    ("family", "kind", "said"),
    [
        (Family.IPV4, RecordType.A, {"v6only": set(), "both": {V4}, "text": set()}),
        (Family.IPV6, RecordType.AAAA, {"v6only": {V6}, "both": {V6}, "text": set()}),
    ],
    ids=str,
)
def test_each_name_has_the_addresses_of_its_family(
    family: Family, kind: RecordType, said: dict[str, set[str]]
) -> None:
    """A name without any of the family exists without data."""
    answers = ZONE.answers(family)
    assert {q.name: set(answers[q].data or ()) for q in answers} == {
        f"{name}.out.test.": data for name, data in said.items()
    }
    without = answers[DnsQuestion("text.out.test.", kind)]
    assert without.outcomes == {DnsOutcome.NODATA}
    assert without.because == "zone out.test"


@pytest.mark.parametrize("family", list(Family), ids=str)
def test_what_is_not_there_and_what_is_broken_fail_apart(family: Family) -> None:
    """NXDOMAIN of a zone that answers is no SERVFAIL of one that does not."""
    kind = RecordType.of(family)
    failures = ZONE.failures(family)
    assert {q: e.outcomes for q, e in failures.items()} == {
        DnsQuestion("nothing.out.test.", kind): {DnsOutcome.NXDOMAIN},
        DnsQuestion("broken.test.", kind): {DnsOutcome.SERVFAIL},
    }


def test_resolvers_find_every_family_or_the_one_they_ask_for() -> None:
    """None asks for any. Names that exist are asked for as programs do, without the last dot."""
    found = ZONE.found([None, Family.IPV4])
    assert set(found["both.out.test", None].data or ()) == {V4, V6}
    assert set(found["both.out.test", Family.IPV4].data or ()) == {V4}
    assert found["v6only.out.test", Family.IPV4].outcomes == {DnsOutcome.NODATA}
    assert found["nothing.out.test.", None].outcomes == {DnsOutcome.NXDOMAIN}
    assert found["broken.test.", Family.IPV4].outcomes == {DnsOutcome.SERVFAIL}
    assert len(found) == 10
