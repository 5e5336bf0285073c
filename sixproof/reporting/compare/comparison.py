"""The comparison of two runs: what differs, and whether something new failed."""

from __future__ import annotations

import dataclasses
import re
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping

from sixproof.model import Family
from sixproof.reporting.compare import known_failures
from sixproof.reporting.compare.cells import EdgeClassChanges, by_class
from sixproof.reporting.compare.differences import ComparedItem, Difference, items
from sixproof.reporting.compare.known_failures import KnownFailures
from sixproof.reporting.compare.run_digest import RunDigest
from sixproof.reporting.compare.same_cluster import why_another
from sixproof.reporting.diagnosis.verdicts import Word
from sixproof.reporting.results.test_record import RunRecord

_OWN = re.compile(r"Run|Cluster|Seconds to .*")
"""Names of the environment that differ between any two runs."""
SLOWER, LEAST = 2.0, 1.0
"""How many times as long a change takes, and how many seconds longer, that is worth a line."""


@dataclasses.dataclass(frozen=True, slots=True)
class VerdictChange:
    """What two runs say of a family, None where one says nothing."""

    family: Family
    before: Word | None
    after: Word | None


@dataclasses.dataclass(frozen=True, slots=True)
class TimeChange:
    """How long the changes that both runs made took in a family: medians in seconds, of how many.
    `worst` is the one that takes longest compared with before, as (change, before, after)."""

    family: str
    before: float
    after: float
    number: int
    worst: tuple[str, float, float] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class SurroundingChange:
    """Something of the cluster or the run that differs, and is no verdict."""

    name: str
    before: str
    after: str


@dataclasses.dataclass(frozen=True)
class RunComparison:
    """Two runs. Where `obstacle` is not "", it says why they cannot be compared, and the rest is
    empty. `failures` are those of the later run, `notes` what a reader must know beforehand."""

    before: RunRecord
    after: RunRecord
    obstacle: str = ""
    notes: tuple[str, ...] = ()
    verdicts: tuple[VerdictChange, ...] = ()
    items: tuple[ComparedItem, ...] = ()
    classes: tuple[EdgeClassChanges, ...] = ()
    times: tuple[TimeChange, ...] = ()
    surroundings: tuple[SurroundingChange, ...] = ()
    failures: KnownFailures = dataclasses.field(default_factory=KnownFailures)

    @classmethod
    def of(cls, before: RunDigest, after: RunDigest) -> RunComparison:
        """The comparison of a run with one before it."""
        runs = before.run, after.run
        if before.facts and after.facts and (why := why_another(before.facts, after.facts)):
            return cls(*runs, obstacle=why)
        failures = known_failures.judged(before, after)
        return cls(
            *runs,
            notes=tuple(_notes(before, after)),
            verdicts=tuple(_verdicts(before, after)),
            items=items(before, after, failures),
            classes=by_class(before.cells, after.cells, failures.drawn),
            times=tuple(_times(before, after)),
            surroundings=tuple(_surroundings(before, after)),
            failures=failures,
        )

    def of_difference(self, which: Difference) -> tuple[ComparedItem, ...]:
        """The items that compare so."""
        return tuple(one for one in self.items if one.difference is which)

    @property
    def worse(self) -> bool:
        """Whether something fails that the earlier run does not show, or could not be measured."""
        return self.failures.worse


def _notes(before: RunDigest, after: RunDigest) -> Iterator[str]:
    if before.run.id == after.run.id:
        yield f"both are run {after.run.id}"
    elif before.run.started > after.run.started > "":
        yield (
            f"run {before.run.id} is the later one ({before.run.started}): "
            "what is called new was gone since"
        )
    for run in (before, after):
        if run.facts is None:
            yield f"run {run.run.id} says nothing of its cluster: it may have been another one"
        if run.damaged:
            yield f"not all of run {run.run.id} could be read: what is missing was not measured"
        if not run.verdict_reached:
            yield f"no test of run {run.run.id} passed or failed"


def _verdicts(before: RunDigest, after: RunDigest) -> Iterator[VerdictChange]:
    was = {verdict.family: verdict.word for verdict in before.verdicts}
    now = {verdict.family: verdict.word for verdict in after.verdicts}
    for family in Family:
        if family in was or family in now:
            yield VerdictChange(family, was.get(family), now.get(family))


def _times(before: RunDigest, after: RunDigest) -> Iterator[TimeChange]:
    """The changes that both runs made, by family: others say nothing of each other."""
    groups: defaultdict[str, list[tuple[str, float, float]]] = defaultdict(list)
    for key, seconds in after.times.items():
        if key in before.times:
            groups[key[2]].append((key[1], before.times[key], seconds))
    for family, group in sorted(groups.items()):
        slower = [t for t in group if t[2] >= t[1] * SLOWER and t[2] - t[1] >= LEAST]
        yield TimeChange(
            family,
            statistics.median(was for _, was, _ in group),
            statistics.median(now for _, _, now in group),
            len(group),
            max(slower, key=lambda t: t[2] - t[1], default=None),
        )


def _surroundings(before: RunDigest, after: RunDigest) -> Iterator[SurroundingChange]:
    was, now = _pairs(before), _pairs(after)
    for name in dict.fromkeys((*was, *now)):
        if was.get(name, "") != now.get(name, ""):
            yield SurroundingChange(name, was.get(name, ""), now.get(name, ""))


def _pairs(run: RunDigest) -> Mapping[str, str]:
    pairs = {name: said for name, said in run.environment if not _OWN.fullmatch(name)}
    pairs["Nodes that took part"] = ", ".join(sorted(run.covered))
    return pairs
