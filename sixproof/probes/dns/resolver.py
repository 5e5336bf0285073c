"""The resolver probe: what getaddrinfo(3) of the stock image makes of names, inside pods."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import ipaddress
from collections import defaultdict
from collections.abc import Sequence

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.errors import AgentError, InfrastructureError
from sixproof.model import Endpoint, Family, IPAddress
from sixproof.probes.connect.probe import SLACK, AgentClient
from sixproof.probes.connect.verdict import STALL_SHARE
from sixproof.probes.dns.verdict import DnsOutcome

THREADS = 4
RESENT = 0.9
"""A lookup that took this share of the resolver's time-out has sent a question again."""


@dataclasses.dataclass(frozen=True, slots=True)
class ResolverCall:
    """One call: `family` None asks for both at once (AF_UNSPEC). `timeout` is resolv.conf's, in
    seconds: how long this pod's resolver waits before it sends a question again."""

    source: Endpoint
    name: str
    family: Family | None = None
    timeout: float = 5.0

    @property
    def asked(self) -> str:
        """The address family as the call names it."""
        return {None: "AF_UNSPEC", Family.IPV4: "AF_INET", Family.IPV6: "AF_INET6"}[self.family]

    def __str__(self) -> str:
        return f"getaddrinfo({self.name}, {self.asked})"


@dataclasses.dataclass(frozen=True, slots=True)
class LookupObservation:
    """What a call returned: `addresses` in the order in which a client would try them, `latency`
    in seconds, and `stalled`: the seconds for which the agent was too busy to measure. `outcome` is
    NOERROR, NODATA, NXDOMAIN, SERVFAIL, TIMEOUT, ERROR or UNKNOWN."""

    lookup: ResolverCall
    outcome: DnsOutcome
    addresses: tuple[IPAddress, ...] = ()
    reason: str = ""
    latency: float | None = None
    stalled: float = 0.0

    @property
    def data(self) -> frozenset[str]:
        """The addresses as comparable text."""
        return frozenset(map(str, self.addresses))

    @property
    def resent(self) -> bool:
        """Whether the resolver had to ask again: an answer was lost or came too late."""
        return self.latency is not None and self.latency >= RESENT * self.lookup.timeout

    def to_json(self) -> dict[str, object]:
        """The observation as one object of an attachment."""
        return {
            "source": self.lookup.source.name,
            "call": str(self.lookup),
            "outcome": self.outcome.value,
            "addresses": [str(a) for a in self.addresses],
            "reason": self.reason,
            "latencySeconds": None if self.latency is None else round(self.latency, 6),
        }


class ResolverProbe:
    """Calls the resolver of pods that have agents."""

    def __init__(self, agents: AgentClient) -> None:
        self._agents = agents

    def look_up(
        self, lookups: Sequence[ResolverCall], patience: float
    ) -> tuple[LookupObservation, ...]:
        """One observation a lookup, in the order given; `patience` is seconds for all of a pod's.

        All pods work at once, each with a few calls at a time.
        """
        rows: dict[str, list[int]] = defaultdict(list)
        for index, lookup in enumerate(lookups):
            rows[lookup.source.name].append(index)
        futures = {
            name: self._ask_row([lookups[i] for i in indices], patience)
            for name, indices in rows.items()
        }
        seen: dict[int, LookupObservation] = {}
        for name, indices in rows.items():
            try:
                answer = futures[name].result()
                _check(len(indices), answer)
            except InfrastructureError as error:
                for i in indices:
                    seen[i] = LookupObservation(lookups[i], DnsOutcome.UNKNOWN, (), str(error))
                continue
            for i, found in zip(indices, answer.found, strict=True):
                seen[i] = observe(lookups[i], found, patience, answer.lag)
        return tuple(seen[i] for i in range(len(lookups)))

    def _ask_row(
        self, lookups: Sequence[ResolverCall], patience: float
    ) -> concurrent.futures.Future[protocol.Resolved]:
        request = protocol.Resolve(
            lookups=[
                protocol.Lookup(one.name, one.family.value if one.family else "any")
                for one in lookups
            ],
            timeout=patience,
            threads=THREADS,
        )
        source = lookups[0].source
        return self._agents.ask(source, request, protocol.Resolved, patience + SLACK)


def _check(asked: int, answer: protocol.Resolved) -> None:
    if len(answer.found) != asked:
        raise AgentError(f"{asked} lookups asked, {len(answer.found)} answered")


_ERRORS = {
    "EAI_NODATA": DnsOutcome.NODATA,
    "EAI_ADDRFAMILY": DnsOutcome.NODATA,
    "EAI_NONAME": DnsOutcome.NXDOMAIN,
    "EAI_AGAIN": DnsOutcome.SERVFAIL,
}


def observe(
    lookup: ResolverCall, found: protocol.Found, patience: float, lag: float
) -> LookupObservation:
    """The observation of a call; `lag` is the agent's own, in seconds.

    A call that is slow while its agent was stalled says nothing.
    """
    said = " ".join(part for part in (found.error, found.detail) if part)
    if found.event == Event.ANSWERED:
        return _answered(lookup, found, lag, said)
    if found.event != Event.SILENT:
        return LookupObservation(lookup, DnsOutcome.UNKNOWN, (), f"could not look up: {said}")
    if lag > STALL_SHARE * lookup.timeout:
        return LookupObservation(lookup, DnsOutcome.UNKNOWN, (), _stall(lag), stalled=lag)
    return LookupObservation(lookup, DnsOutcome.TIMEOUT, (), f"no result in {patience:.1f} s")


def _answered(
    lookup: ResolverCall, found: protocol.Found, lag: float, said: str
) -> LookupObservation:
    outcome = _ERRORS.get(found.error, DnsOutcome.ERROR) if found.error else DnsOutcome.NOERROR
    addresses: list[IPAddress] = []
    for text in found.addresses:
        try:
            addresses.append(ipaddress.ip_address(text))
        except ValueError:
            return LookupObservation(lookup, DnsOutcome.UNKNOWN, (), f"no address: {text[:60]}")
    seen = LookupObservation(lookup, outcome, tuple(addresses), said, found.latency)
    if not seen.resent:
        return seen
    if lag > STALL_SHARE * lookup.timeout:
        return dataclasses.replace(
            seen, outcome=DnsOutcome.UNKNOWN, reason=_stall(lag), stalled=lag
        )
    if outcome is DnsOutcome.SERVFAIL:  # EAI_AGAIN is either; the time decides
        return dataclasses.replace(seen, outcome=DnsOutcome.TIMEOUT)
    return seen


def _stall(lag: float) -> str:
    return f"the agent was stalled for {lag:.2f} s meanwhile"
