"""One run, as a history keeps it: a few kilobytes of what its results say."""

from __future__ import annotations

import dataclasses
import statistics
from collections import Counter

from sixproof.model import Family
from sixproof.reporting.compare.run_digest import RunDigest
from sixproof.reporting.diagnosis.verdicts import Word
from sixproof.reporting.results.test_record import CaseOutcome

SCHEMA = "sixproof/trend/v1"
CAUSES = 3
"""First lines of conclusions that are kept."""


@dataclasses.dataclass(frozen=True, slots=True)
class PastFamily:
    """What a run said of a family: the verdict's `word`, and of how many cells how many were
    `right`. `settled` are the median and the longest time in seconds until a change took effect,
    None where none was timed."""

    family: Family
    word: Word
    right: int
    cells: int
    settled: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class PastRun:
    """A run: `started` in UTC as ISO 8601, `seconds` long. `nodes` and `server` tell the cluster,
    `options` what was asked. `tests` counts outcomes, `others` are the tests that did not pass,
    with their outcomes; `causes` are the first lines of its conclusions."""

    schema: str
    id: str
    started: str
    seconds: float
    harness: str
    server: str
    nodes: tuple[str, ...]
    kubernetes: str
    cni: str
    options: str
    families: tuple[PastFamily, ...]
    tests: tuple[tuple[CaseOutcome, int], ...]
    others: tuple[tuple[str, CaseOutcome], ...]
    causes: tuple[str, ...] = ()

    @classmethod
    def of(cls, digest: RunDigest) -> PastRun:
        """What is kept of a run."""
        known, facts = dict(digest.environment), digest.facts
        counts = Counter(record.case.outcome for record in digest.cases.values())
        return cls(
            schema=SCHEMA,
            id=digest.run.id,
            started=digest.run.started,
            seconds=digest.run.seconds,
            harness=digest.run.harness,
            server=facts.server if facts else "",
            nodes=tuple(node.name for node in facts.nodes) if facts else (),
            kubernetes=facts.version if facts else "",
            cni=known.get("CNI", ""),
            options=known.get("Options", ""),
            families=tuple(
                PastFamily(v.family, v.word, v.right, v.cells.total(), _settled(digest, v.family))
                for v in digest.verdicts
            ),
            tests=tuple((outcome, counts[outcome]) for outcome in CaseOutcome if counts[outcome]),
            others=tuple(
                (name, record.case.outcome)
                for name, record in sorted(digest.cases.items())
                if record.case.outcome is not CaseOutcome.PASSED
            ),
            causes=tuple(cause.said for cause in digest.causes.values())[:CAUSES],
        )

    def alike(self, other: PastRun) -> bool:
        """Whether both asked the same: only then their times and tests can be compared."""
        return (self.options, self.harness, self.nodes) == (
            other.options, other.harness, other.nodes,
        )  # fmt: skip

    def elsewhere(self, other: PastRun) -> bool:
        """Whether the other was on another cluster: on a server of its own, with nodes of its own.
        A server on the loopback address is another one each time."""
        return self.server != other.server and not set(self.nodes) & set(other.nodes)


def _settled(digest: RunDigest, family: Family) -> tuple[float, float] | None:
    mine = [seconds for (_, _, named), seconds in digest.times.items() if named == str(family)]
    return (statistics.median(mine), max(mine)) if mine else None
