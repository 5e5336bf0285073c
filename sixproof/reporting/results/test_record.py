"""What a run leaves behind, as values: cases, times to converge, and what was not of it."""

from __future__ import annotations

import dataclasses
import enum
from collections import defaultdict
from collections.abc import Iterable

from sixproof import records
from sixproof.errors import Subject
from sixproof.model import Family, Finding, FindingType, Severity

APPLICATION = "Application"
"""The class of failure of an application of the cluster's owner."""
FOREIGN_TRAFFIC = FindingType("foreign-traffic", "Agents receive traffic of their own run only")


class CaseOutcome(enum.StrEnum):
    """How a test ended. FAILED is the network's fault, BROKEN the cluster's or the harness's."""

    PASSED = "passed"
    FAILED = "failed"
    BROKEN = "broken"
    SKIPPED = "skipped"
    NOT_PROVEN = "not proven"  # an existing policy closes all that it would have carried
    XFAILED = "xfailed"  # failed as it was marked to; not a success
    NOT_RUN = "not run"  # deselected, or the run ended before it

    @property
    def bad(self) -> bool:
        """Whether the run must not be called good."""
        return self in (CaseOutcome.FAILED, CaseOutcome.BROKEN)


@records.Form(written=records.full)
@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One test.

    `reason` says why it was skipped or not proven, `enable` how to have it run, `message` is the
    first failure's text. `covers` holds the codes of the guide's rows. `family` is set where the
    test asks about one family; `accuses` holds the families that its wrong answers were of,
    `categories` the classes of failure by which its verdict is filed, `subjects` what its verdict
    or error is about where no cell of a matrix says so, `unproven` the families of which a test
    that ended so proved nothing, where that is known. `unanswered` is the request to the API server
    of which it broke, with why no answer came; "" where it did not. `started` is the time at which
    it began, UTC in ISO 8601.
    """

    nodeid: str
    outcome: CaseOutcome
    seconds: float = 0.0
    title: str = ""
    reason: str = ""
    enable: str = ""
    message: str = ""
    covers: tuple[str, ...] = ()
    family: Family | None = None
    accuses: tuple[Family, ...] = ()
    categories: tuple[str, ...] = ()
    subjects: tuple[Subject, ...] = ()
    unproven: tuple[Family, ...] = ()
    unanswered: str = ""
    started: str = ""

    @property
    def about_the_network(self) -> bool:
        """Whether its verdict says something about the network, and not about applications of the
        cluster's owner alone."""
        return self.categories != (APPLICATION,)

    @property
    def name(self) -> str:
        """What a reader calls the test."""
        return self.title or self.nodeid.rpartition("::")[2]

    def unproven_families(self) -> frozenset[Family]:
        """The families of which this test proved nothing: its own, those that it said, or all
        where it said none."""
        if self.outcome is not CaseOutcome.NOT_PROVEN:
            return frozenset()
        if self.family:
            return frozenset({self.family})
        return frozenset(self.unproven or Family)


@dataclasses.dataclass(frozen=True, slots=True)
class Foreign:
    """What an agent ignored since it began, by what one worker last heard: `datagrams` and TCP
    `connections` that were not of this run. `agent` identifies it, `place` is its node."""

    agent: str
    place: str
    datagrams: int
    connections: int


def foreign_findings(heard: Iterable[Foreign]) -> tuple[Finding, ...]:
    """A note for each place. Of what several workers heard from one agent the most counts."""
    most: dict[tuple[str, str], tuple[int, int]] = {}
    for one in heard:
        known = most.get((one.place, one.agent), (0, 0))
        most[one.place, one.agent] = (
            max(known[0], one.datagrams),
            max(known[1], one.connections),
        )
    sums: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for (place, _), (datagrams, connections) in most.items():
        sums[place] = (sums[place][0] + datagrams, sums[place][1] + connections)
    return tuple(_foreign_finding(place, *sums[place]) for place in sorted(sums))


def _foreign_finding(place: str, datagrams: int, connections: int) -> Finding:
    counts = ((datagrams, "datagram"), (connections, "connection"))
    parts = [f"{n} foreign {what}{'s' if n > 1 else ''}" for n, what in counts if n]
    verb = "was" if datagrams + connections == 1 else "were"
    return FOREIGN_TRAFFIC.found(
        Severity.NOTE,
        place,
        f"{' and '.join(parts)} {verb} ignored",
        remedy="not of this run, so not answered: another run, a scanner, a stale address",
    )


@records.Form(written=records.full)
@dataclasses.dataclass(frozen=True, slots=True)
class Convergence:
    """How long a change took to show in a family: `seconds` until the matrix agreed."""

    what: str
    seconds: float
    family: Family | None = None
    rounds: int = 0
    test: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class RunRecord:
    """One session. Times are UTC in ISO 8601; `exit_status` is pytest's, None while it runs."""

    id: str
    started: str = ""
    finished: str = ""
    seconds: float = 0.0
    harness: str = ""
    exit_status: int | None = None
