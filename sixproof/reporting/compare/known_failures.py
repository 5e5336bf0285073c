"""Which failures of a run its baseline shows already, and which are new.

A failure is known where the baseline measured the same: the same test failed of the same cells, or,
without cells, about the same objects and families. What could not be measured excuses nothing, and
is excused by nothing.
"""

from __future__ import annotations

import dataclasses
import enum
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from sixproof.kube.facts.preflight import PROBE_PODS
from sixproof.model import Family, Finding, Severity
from sixproof.reporting.compare.cells import CellQuestion, change
from sixproof.reporting.compare.run_digest import NOWHERE, CaseRecord, PortKey, RunDigest
from sixproof.reporting.matrix.grid import CellState
from sixproof.reporting.results.application_record import Readiness
from sixproof.reporting.results.test_record import CaseOutcome

BAD = (CaseOutcome.FAILED, CaseOutcome.BROKEN, CaseOutcome.NOT_PROVEN)
"""The outcomes for which a run is not green."""
PORT_FAILS = (Readiness.NOT_READY, Readiness.NO_ANSWER)


class Standing(enum.StrEnum):
    """Whether the baseline shows a failure of the later run."""

    KNOWN = "known"
    NEW = "new"  # the baseline shows that it was not so
    MORE = "more"  # it failed before, and now of more
    UNKNOWN_BEFORE = "not measured before"
    NOT_MEASURED = "not measured"  # the later run came to no verdict


@dataclasses.dataclass(frozen=True, slots=True)
class JudgedFailure:
    """A test of the later run that did not pass: `cells` are the wrong ones that the baseline does
    not show."""

    nodeid: str
    record: CaseRecord
    standing: Standing
    cells: tuple[CellQuestion, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the baseline shows all of it."""
        return self.standing is Standing.KNOWN


@dataclasses.dataclass(frozen=True, slots=True)
class KnownFailures:
    """All that did not pass in the later run; `ports` are those of applications that do not work
    and of which the baseline does not show it. `passed` counts the tests that passed. `blocked` are
    findings that left all of it unmeasured, or a node. `drawn` are cells that differ by the backend
    alone that a service drew, while the fault is known."""

    every: tuple[JudgedFailure, ...] = ()
    ports: tuple[PortKey, ...] = ()
    passed: int = 0
    blocked: tuple[Finding, ...] = ()
    drawn: frozenset[CellQuestion] = frozenset()

    @property
    def new(self) -> tuple[JudgedFailure, ...]:
        """The tests that found something that the baseline does not show."""
        bare = (Standing.KNOWN, Standing.NOT_MEASURED)
        return tuple(one for one in self.every if one.standing not in bare)

    @property
    def unmeasured(self) -> tuple[JudgedFailure, ...]:
        """The tests that came to no verdict, or not to all of it."""
        return tuple(one for one in self.every if one.standing is Standing.NOT_MEASURED)

    @property
    def known(self) -> tuple[JudgedFailure, ...]:
        """The tests of which it does."""
        return tuple(one for one in self.every if one.known)

    @property
    def worse(self) -> bool:
        """Whether something fails that the baseline does not show, or could not be measured."""
        return bool(self.new or self.ports or self.unmeasured or self.blocked)

    @property
    def excuses(self) -> bool:
        """Whether all that did not pass is known. Where no test passed nothing is shown."""
        return not self.worse and self.passed > 0


@dataclasses.dataclass(slots=True)
class _CellsOfTest:
    """What the cells of one test of the later run say: `arisen` are wrong ones that the baseline
    does not show, `unmeasured` says whether one was not measured that the baseline measured."""

    arisen: list[CellQuestion] = dataclasses.field(default_factory=list)
    wrong: bool = False
    unknown: bool = False
    unmeasured: bool = False


def judged(before: RunDigest, after: RunDigest) -> KnownFailures:
    """The failures of a run by its baseline."""
    drawn = frozenset(_drawn(before, after))
    by_test = _by_test(before, after, drawn)
    every = tuple(
        _failure(nodeid, before.cases.get(nodeid), record, by_test.get(nodeid, _CellsOfTest()))
        for nodeid, record in after.cases.items()
        if record.case.outcome in BAD
    )
    outcomes = [record.case.outcome for record in after.cases.values()]
    return KnownFailures(
        every,
        _new_ports(before, after, every),
        outcomes.count(CaseOutcome.PASSED),
        tuple(filter(_blocks, after.findings.values())),
        drawn,
    )


def _blocks(finding: Finding) -> bool:
    """Whether a run that has such a finding is never green, whatever its tests say."""
    left_out = finding.code == PROBE_PODS.code and finding.severity is Severity.ERROR
    return left_out or finding.severity is Severity.BLOCKER


def _drawn(before: RunDigest, after: RunDigest) -> Iterator[CellQuestion]:
    """The cells through services that differ since another backend was drawn.

    Which flows a broken path hits is chance there. A matrix that lost such flows before may lose
    others now, where all that is concluded of its test in this family was concluded before, at the
    same place.
    """
    groups = _lost(before) & _lost(after)
    for question, result in after.cells.items():
        if not result.by_chance or (question.test, question.title, question.family) not in groups:
            continue
        known = before.cells.get(question)
        if known is None or not (known.right or known.wrong) or known.right is result.right:
            continue
        if result.right or (result.wrong and _is_of_a_known_place(question, before, after)):
            yield question


def _lost(run: RunDigest) -> set[tuple[str, str, Family]]:
    """The matrices and families of which flows through services were lost, and none leaked."""
    lost: set[tuple[str, str, Family]] = set()
    leaked: set[tuple[str, str, Family]] = set()
    for question, result in run.cells.items():
        if result.by_chance and result.wrong:
            group = question.test, question.title, question.family
            (leaked if result.state is CellState.LEAK else lost).add(group)
    return lost - leaked


def _is_of_a_known_place(question: CellQuestion, before: RunDigest, after: RunDigest) -> bool:
    """Whether all conclusions of its test and family are those of the run before."""
    found = [
        cause
        for cause in after.causes.values()
        if question.test in cause.shown and question.family in cause.families
    ]
    return bool(found) and all(
        cause.key.place != NOWHERE
        and cause.key in before.causes
        and cause.families <= before.causes[cause.key].families
        and cause.number <= before.causes[cause.key].number
        for cause in found
    )


def _by_test(
    before: RunDigest, after: RunDigest, drawn: Collection[CellQuestion]
) -> Mapping[str, _CellsOfTest]:
    found: defaultdict[str, _CellsOfTest] = defaultdict(_CellsOfTest)
    for question, result in after.cells.items():
        if result.right:
            continue
        known, here = before.cells.get(question), found[question.test]
        if result.wrong:
            here.wrong = True
            if question not in drawn and change(known, result).arisen:
                here.arisen.append(question)
        elif result.state is CellState.UNKNOWN:
            here.unknown = True
            here.unmeasured |= known is None or known.state is not CellState.UNKNOWN
    return found


def _failure(
    nodeid: str, before: CaseRecord | None, after: CaseRecord, cells: _CellsOfTest
) -> JudgedFailure:
    arisen = tuple(cells.arisen)
    outcome = before.case.outcome if before else CaseOutcome.NOT_RUN
    unmeasured = cells.unmeasured or (cells.unknown and not cells.wrong)
    if after.case.outcome is CaseOutcome.BROKEN or (unmeasured and not arisen):
        standing = Standing.NOT_MEASURED
    elif outcome in (CaseOutcome.PASSED, CaseOutcome.XFAILED):
        standing = Standing.NEW
    elif before is None or outcome is not after.case.outcome:
        standing = Standing.UNKNOWN_BEFORE
    elif arisen or not _within(after, before, cells.wrong):
        standing = Standing.MORE
    else:
        standing = Standing.KNOWN
    return JudgedFailure(nodeid, after, standing, arisen)


def _within(after: CaseRecord, before: CaseRecord, by_cells: bool) -> bool:
    """Whether a verdict is about no object, family or class of failure that it was not about
    before; of wrong cells, which were compared one by one, only the objects count."""
    if not after.subjects <= before.subjects:
        return False
    if by_cells:
        return True
    one, other = after.case, before.case
    named = set(one.accuses) <= set(other.accuses) and set(one.categories) <= set(other.categories)
    return named and set(one.unproven_families()) <= set(other.unproven_families())


def _new_ports(
    before: RunDigest, after: RunDigest, failures: Iterable[JudgedFailure]
) -> tuple[PortKey, ...]:
    """The ports that fail and did not, where a test of applications did not pass."""
    if not any(not one.record.case.about_the_network for one in failures):
        return ()
    found = []
    for key, port in after.ports.items():
        known = before.ports.get(key)
        same = known is not None and known.readiness is port.readiness
        shown = same and known is not None and port.problems <= known.problems
        if port.readiness in PORT_FAILS and not shown:
            found.append(key)
    return tuple(found)
