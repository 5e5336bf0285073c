"""The truth at the time of a test: what the API shows, and what the DNS must therefore say."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from sixproof.model import Family
from sixproof.probes.dns import records
from sixproof.probes.dns.lookups import Wanted
from sixproof.probes.dns.records import Answers
from sixproof.probes.dns.truth import TrueService
from sixproof.workloads.dns.services import NameSet


@dataclasses.dataclass(frozen=True)
class Truth:
    """What the API shows now of the services under test, and what the DNS must therefore say."""

    names: NameSet
    zone: str
    services: Mapping[str, TrueService]

    def of(self, *parts: str) -> tuple[TrueService, ...]:
        """Services by their part in the set."""
        return tuple(self.services[self.names.name(part)] for part in parts)

    @property
    def cluster_ip(self) -> tuple[TrueService, ...]:
        """Services with clusterIPs, one per family policy."""
        return tuple(self.services[name] for name in self.names.cluster_ip())

    @property
    def headless(self) -> tuple[TrueService, ...]:
        """Headless services with pods behind them, one per family policy."""
        return tuple(self.services[name] for name in self.names.headless())

    def headless_of(self, family: Family) -> tuple[TrueService, ...]:
        """Headless services with pods behind them, of this family only."""
        return tuple(
            s for s in self.headless if {Family.of(e.address) for e in s.ready()} == {family}
        )

    def addresses(self, services: Iterable[TrueService], family: Family) -> Answers:
        """What their names must say of a family."""
        return records.addresses(services, self.zone, family)

    def every_address(self, services: Iterable[TrueService]) -> Answers:
        """What their names must say of each family."""
        known = tuple(services)
        return {q: e for f in Family for q, e in self.addresses(known, f).items()}

    def big(self, family: Family) -> Answers:
        """The name with many addresses of a family, empty where services have none of it."""
        return self.addresses(self.of("big"), family) if family in self.names.families else {}

    def found(
        self,
        services: Iterable[TrueService],
        families: Iterable[Family | None],
        form: str = "{name}.{ns}.svc.{zone}.",
    ) -> Wanted:
        """What lookups of their names, written in this form, must return for these families."""
        known = tuple(services)
        return {
            (form.format(name=s.name, ns=s.namespace, zone=self.zone), family): records.found(
                s, family
            )
            for family in families
            for s in known
        }

    def fqdn(self, part: str) -> str:
        """The absolute name of a service."""
        return self.of(part)[0].fqdn(self.zone)
