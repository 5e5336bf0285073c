"""What a run says of one port of an application of the cluster's owner."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable


class Readiness(enum.StrEnum):
    """Whether it works over every family of the cluster."""

    READY = "ready"
    NOT_READY = "not ready"
    NO_ANSWER = "no answer"  # pods that are Ready accept nothing: no matter of a family
    NOT_ASKED = "not asked"  # policies close it, nobody is behind it, or it is no TCP


@dataclasses.dataclass(frozen=True, slots=True)
class ApplicationRow:
    """One port of a service. `ways` has how many connections were accepted of how many, by way and
    family (``pod IPv6``, ``3 of 3``); `problems` say what is wrong, or why nothing was asked."""

    namespace: str
    service: str
    port: str
    readiness: Readiness
    ways: tuple[tuple[str, str], ...] = ()
    problems: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class NamespaceApplications:
    """The rows of one namespace: how many of those that were asked are ready."""

    namespace: str
    rows: tuple[ApplicationRow, ...]

    @property
    def ready(self) -> int:
        """Ports that work over every family."""
        return sum(row.readiness is Readiness.READY for row in self.rows)

    @property
    def asked(self) -> int:
        """Ports of which it is known whether they do."""
        return sum(row.readiness is not Readiness.NOT_ASKED for row in self.rows)

    @property
    def score(self) -> str:
        """``3 of 5 ports ready, 2 not asked``."""
        left = len(self.rows) - self.asked
        known = f"{self.ready} of {self.asked} ports ready" if self.asked else "no port was asked"
        return f"{known}, {left} not asked" if left and self.asked else known


def by_namespace(rows: Iterable[ApplicationRow]) -> tuple[NamespaceApplications, ...]:
    """The rows of each namespace, those that are least ready first, in each the worst first."""
    homes: dict[str, list[ApplicationRow]] = {}
    order = (Readiness.NOT_READY, Readiness.NO_ANSWER, Readiness.READY, Readiness.NOT_ASKED)
    for row in sorted(rows, key=lambda row: order.index(row.readiness)):
        homes.setdefault(row.namespace, []).append(row)
    found = [NamespaceApplications(name, tuple(those)) for name, those in homes.items()]
    return tuple(sorted(found, key=lambda one: (one.ready - one.asked, one.namespace)))
