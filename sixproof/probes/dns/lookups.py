"""What lookups must return, how long they may take, and what to say where they do not. Pure."""

from __future__ import annotations

import dataclasses
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sixproof.model import Family
from sixproof.probes.dns.judge import KINDS, DnsExpectation, listed, shown
from sixproof.probes.dns.resolver import LookupObservation
from sixproof.probes.dns.verdict import DnsOutcome


@dataclasses.dataclass(frozen=True, slots=True)
class Latencies:
    """How long calls took, in seconds; `resent` is how many had to ask again."""

    count: int
    median: float
    p95: float
    longest: float
    resent: int

    @classmethod
    def of(cls, seen: Iterable[LookupObservation]) -> Latencies | None:
        """The distribution over calls that returned, None where none did."""
        returned = [o for o in seen if o.latency is not None and o.outcome.measured]
        times = sorted(o.latency or 0.0 for o in returned)
        if not times:
            return None
        return cls(
            count=len(times),
            median=statistics.median(times),
            p95=times[min(len(times) - 1, int(0.95 * len(times)))],
            longest=times[-1],
            resent=sum(o.resent for o in returned),
        )

    def __str__(self) -> str:
        spread = ", ".join(
            f"{name} {value * 1000:.1f} ms"
            for name, value in (
                ("median", self.median),
                ("95 % within", self.p95),
                ("longest", self.longest),
            )
        )
        return f"{self.count} calls: {spread}; {self.resent} asked again"


def stalls(seen: Sequence[LookupObservation]) -> str:
    """Which lookups had to ask again, or did not return; "" where none did."""
    known = [o for o in seen if o.outcome.measured]
    slow = [o for o in known if o.resent or o.outcome is DnsOutcome.TIMEOUT]
    if not slow:
        return ""
    spread = Latencies.of(seen)
    lines = [f"{len(slow)} of {len(seen)} lookups had to send a question again ({spread})"]
    for one in slow[:KINDS]:
        took = "did not return" if one.latency is None else f"took {one.latency:.2f} s"
        again = f"its resolver asks again after {one.lookup.timeout:.0f} s"
        lines.append(f"  {one.lookup.source.name}: {one.lookup} {took}; {again}")
    return "\n".join(lines)


Wanted = Mapping[tuple[str, Family | None], DnsExpectation]
"""What a name must lead to, by name and family asked for."""


def disagreements(
    seen: Iterable[LookupObservation], wanted: Wanted
) -> tuple[LookupObservation, ...]:
    """The calls that did not return what they must.

    Raises:
        KeyError: a lookup has no expectation.
    """
    return tuple(o for o in seen if not wanted[(o.lookup.name, o.lookup.family)].accepts(o))


def verdict(
    title: str,
    seen: Sequence[LookupObservation],
    wrong: Sequence[LookupObservation],
    wanted: Wanted,
    resolvers: Mapping[str, str],
) -> str:
    """The message of a failing check. `resolvers` has the nameservers of each source."""
    groups: dict[tuple[object, ...], list[LookupObservation]] = defaultdict(list)
    for one in wrong:
        groups[(one.lookup.name, one.lookup.family, one.outcome, one.data)].append(one)
    lines = [f"{title}: {len(wrong)} of {len(seen)} lookups are wrong"]
    for group in list(groups.values())[:KINDS]:
        first = group[0]
        expected = wanted[(first.lookup.name, first.lookup.family)]
        came = shown(first.data) if first.data else first.outcome.value
        if not first.outcome.measured:
            came = "not measured"
        lines.append(f"  {first.lookup}: {came}, expected {expected} ({expected.because})")
        by = listed(o.lookup.source.name for o in group)
        servers = listed(resolvers.get(o.lookup.source.name, "") for o in group)
        facts = [f"by {by}, whose nameservers are {servers}", *_facts(first, expected)]
        lines.append(f"    {'; '.join(facts)}")
    if left := sum(map(len, list(groups.values())[KINDS:])):
        lines.append(f"  ... and {left} more, all of them in the attachment")
    return "\n".join(lines)


def _facts(seen: LookupObservation, expected: DnsExpectation) -> Iterable[str]:
    if seen.addresses and expected.data and (missing := expected.data - seen.data):
        yield f"missing {shown(missing)}"
    if seen.latency is not None:
        yield f"after {seen.latency * 1000:.1f} ms"
    if seen.reason:
        yield seen.reason
