"""What a run leaves behind, as values: cases, times to converge, and what was not of it."""

from __future__ import annotations

import dataclasses
import enum
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sixproof.model import Family, Finding, FindingType, Severity

FOREIGN_TRAFFIC = FindingType("foreign-traffic", "Agents receive traffic of their own run only")


class CaseOutcome(enum.StrEnum):
    """How a test ended. FAILED is the network's fault, BROKEN the cluster's or the harness's."""

    PASSED = "passed"
    FAILED = "failed"
    BROKEN = "broken"
    SKIPPED = "skipped"
    NOT_PROVEN = "not proven"  # somebody's policy closes all that it would have carried
    XFAILED = "xfailed"  # failed as it was marked to; not a success
    NOT_RUN = "not run"  # deselected, or the run ended before it

    @property
    def bad(self) -> bool:
        """Whether the run must not be called good."""
        return self in (CaseOutcome.FAILED, CaseOutcome.BROKEN)


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One test.

    `reason` says why it was skipped or not proven, `enable` how to have it run, `message` is the
    first failure's text. `covers` holds the codes of the guide's rows. `family` is set where the
    test asks about one family; `accuses` holds the families that its wrong answers were of,
    `categories` the classes of failure by which its verdict is filed.
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

    @property
    def name(self) -> str:
        """What a reader calls the test."""
        return self.title or self.nodeid.rpartition("::")[2]

    def unproven_families(self) -> frozenset[Family]:
        """The families of which this test proved nothing: its own, those that its reason names, or
        all where it names none."""
        if self.outcome is not CaseOutcome.NOT_PROVEN:
            return frozenset()
        if self.family:
            return frozenset({self.family})
        return frozenset(f for f in Family if f.value in self.reason) or frozenset(Family)

    def to_json(self) -> dict[str, Any]:
        """One object of results.json; empty members are left out."""
        return full(
            nodeid=self.nodeid,
            outcome=self.outcome.value,
            seconds=round(self.seconds, 3),
            title=self.title,
            reason=self.reason,
            enable=self.enable,
            message=self.message,
            covers=list(self.covers),
            family=self.family.value if self.family else None,
            accuses=[family.value for family in self.accuses],
            categories=list(self.categories),
        )

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Case:
        """The case that `to_json` wrote."""
        plain = dict(value)
        plain["outcome"] = CaseOutcome(plain["outcome"])
        plain["covers"] = tuple(plain.get("covers", ()))
        plain["family"] = Family(plain["family"]) if plain.get("family") else None
        plain["categories"] = tuple(plain.get("categories", ()))
        plain["accuses"] = tuple(map(Family, plain.get("accuses", ())))
        return cls(**plain)


@dataclasses.dataclass(frozen=True, slots=True)
class Foreign:
    """What an agent ignored since it began, by what one worker last heard: `datagrams` and TCP
    `connections` that were not of this run. `agent` tells it from others, `place` is its node."""

    agent: str
    place: str
    datagrams: int
    connections: int

    def to_json(self) -> dict[str, Any]:
        """One object of a part file."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Foreign:
        """What `to_json` wrote."""
        return cls(**value)


def foreign_findings(heard: Iterable[Foreign]) -> tuple[Finding, ...]:
    """A note for each place. Of what several workers heard of one agent the most stands."""
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
    told = [f"{n} foreign {what}{'s' if n > 1 else ''}" for n, what in counts if n]
    verb = "was" if datagrams + connections == 1 else "were"
    return FOREIGN_TRAFFIC.found(
        Severity.NOTE,
        place,
        f"{' and '.join(told)} {verb} ignored",
        remedy="not of this run, so not answered: another run, a scanner, a stale address",
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Convergence:
    """How long a change took to show in a family: `seconds` until the matrix agreed."""

    what: str
    seconds: float
    family: Family | None = None
    rounds: int = 0
    test: str = ""

    def to_json(self) -> dict[str, Any]:
        """One object of results.json."""
        return full(
            what=self.what,
            seconds=round(self.seconds, 3),
            family=self.family.value if self.family else None,
            rounds=self.rounds,
            test=self.test,
        )

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Convergence:
        """The convergence that `to_json` wrote."""
        family = Family(value["family"]) if value.get("family") else None
        return cls(**{**value, "family": family})


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One session. Times are UTC in ISO 8601; `exit_status` is pytest's, None while it runs."""

    id: str
    started: str = ""
    finished: str = ""
    seconds: float = 0.0
    harness: str = ""
    exit_status: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The member `run` of results.json."""
        return {
            "id": self.id,
            "started": self.started,
            "finished": self.finished,
            "seconds": round(self.seconds, 3),
            "harness": self.harness,
            "exitStatus": self.exit_status,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Run:
        """The run that `to_json` wrote."""
        plain = dict(value)
        return cls(exit_status=plain.pop("exitStatus"), **plain)


def full(**members: object) -> dict[str, Any]:
    """The members that say something: not None, not empty. False and 0 do."""
    return {k: v for k, v in members.items() if v is not None and v not in ("", [], ())}
