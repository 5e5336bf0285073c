"""By name: which address a dual-stack client uses, and whether one family hides that another fails.

A client that falls back (RFC 8305, or one address after the other) hides a broken family from its
user. So every address that a name leads to is tried by itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from sixproof.model import (
    Family,
    IPAddress,
    Observation,
    Outcome,
    Parity,
    host_literal,
)
from sixproof.probes.dns.judge import listed
from sixproof.probes.dns.resolver import LookupObservation


@dataclasses.dataclass(frozen=True, slots=True)
class ByName:
    """One client and the name of a service: the lookup, what each address of the service came to
    when dialled, by address, and the families that the name must have."""

    service: str
    found: LookupObservation
    dialled: Mapping[IPAddress, Observation]
    families: frozenset[Family]

    @property
    def preferred(self) -> Family | None:
        """The family of the address that a client tries first (RFC 6724, as its resolver sorts)."""
        return Family.of(self.found.addresses[0]) if self.found.addresses else None

    def outcome(self, family: Family) -> Outcome:
        """The result for a client that only has this family."""
        if not self.found.outcome.measured:
            return Outcome.UNKNOWN
        known = [a for a in self.found.addresses if Family.of(a) is family]
        outcomes = [self.dialled[a].outcome for a in known if a in self.dialled]
        if not outcomes:
            return Outcome.DNS_FAILED
        return next((o for o in outcomes if not o.works), Outcome.ALLOWED)

    @property
    def parity(self) -> Parity:
        """How the families compare for this client and name."""
        sides = [self.outcome(f) if f in self.families else None for f in Family]
        return Parity.of(*sides)

    @property
    def works_throughout(self) -> bool:
        """Whether every family that the name must have carries the client."""
        return all(self.outcome(family).works for family in self.families)

    def violation(self) -> str:
        """What is wrong, with its evidence; alike for clients that suffer alike."""
        name = self.found.lookup.name
        broken = [f for f in Family if f in self.families and not self.outcome(f).works]
        helped = [f for f in Family if f in self.families and self.outcome(f).works]
        evidence = "; ".join(self.evidence(family) for family in broken)
        if not helped:
            return f"{name} is not reached at all: {evidence}"
        thanks = " and ".join(helped)
        return f"{name} is reached only thanks to {thanks}: {evidence}; {self._cost(broken)}"

    def _cost(self, broken: Sequence[Family]) -> str:
        if self.preferred in broken:
            return f"its resolver puts {self.preferred} first, so a client waits for it each time"
        return f"its resolver puts {self.preferred} first, which hides it"

    def evidence(self, family: Family) -> str:
        """How a client that only has this family fared."""
        known = [a for a in self.found.addresses if Family.of(a) is family]
        if not known:
            said = self.found.reason or f"{', '.join(map(str, self.found.addresses))} only"
            return f"the name has no {family} address ({self.found.outcome}: {said})"
        seen = [self.dialled[a] for a in known if a in self.dialled]
        if not seen:
            return f"{family}: {', '.join(map(str, known))} is no address of the service"
        worst = next((o for o in seen if not o.outcome.works), seen[0])
        at = host_literal(worst.flow.address, worst.flow.port)
        why = f" ({worst.reason})" if worst.reason else ""
        return f"{family} to {at}: {worst.outcome}{why}"


def violations(broken: Iterable[ByName]) -> list[str]:
    """What is wrong with these clients: one line for all that suffer alike."""
    groups: dict[str, list[str]] = {}
    for one in broken:
        groups.setdefault(one.violation(), []).append(one.found.lookup.source.name)
    return [f"by {listed(sources)}: {text}" for text, sources in groups.items()]
