"""Names outside the cluster's zone: the test zone that the bed's own DNS serves."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from sixproof.model import Family
from sixproof.probes.dns.judge import DnsExpectation
from sixproof.probes.dns.lookups import Wanted
from sixproof.probes.dns.message import DnsQuestion, RecordType
from sixproof.probes.dns.records import Answers
from sixproof.probes.dns.verdict import DnsOutcome


@dataclasses.dataclass(frozen=True)
class OutsideZone:
    """A zone and what it holds: the address of each name in each family, names that fail."""

    zone: str
    names: Mapping[str, Mapping[Family, str]]
    broken: str
    unknown: str = "nothing"

    @property
    def because(self) -> str:
        """Where the truth comes from."""
        return f"zone {self.zone}"

    def answers(self, family: Family) -> Answers:
        """What its names must say of a family."""
        kind = RecordType.of(family)
        return {
            DnsQuestion(f"{name}.{self.zone}.", kind): self._records(known, family)
            for name, known in self.names.items()
        }

    def failures(self, family: Family) -> Answers:
        """How an unknown name and a broken zone must fail."""
        kind = RecordType.of(family)
        return {
            DnsQuestion(f"{self.unknown}.{self.zone}.", kind): self._only(DnsOutcome.NXDOMAIN),
            DnsQuestion(f"{self.broken}.", kind): self._only(DnsOutcome.SERVFAIL),
        }

    def found(self, families: Iterable[Family | None]) -> Wanted:
        """What resolvers must return for these families; None asks for any."""
        wanted: dict[tuple[str, Family | None], DnsExpectation] = {}
        for family in families:
            for name, known in self.names.items():
                wanted[f"{name}.{self.zone}", family] = self._records(known, family)
            unknown, broken = f"{self.unknown}.{self.zone}.", f"{self.broken}."
            wanted[unknown, family] = self._only(DnsOutcome.NXDOMAIN)
            wanted[broken, family] = self._only(DnsOutcome.SERVFAIL)
        return wanted

    def _records(self, known: Mapping[Family, str], family: Family | None) -> DnsExpectation:
        data = [a for f, a in known.items() if family in (None, f)]
        return DnsExpectation.records(data, self.because)

    def _only(self, outcome: DnsOutcome) -> DnsExpectation:
        return DnsExpectation.only(outcome, self.because)
