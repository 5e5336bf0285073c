"""What is compared of one run: its results under names that mean the same in another run."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping

from sixproof.errors import Subject
from sixproof.model import ClusterFacts, Family, Finding, Severity, edge_of
from sixproof.reporting.compare.cells import CellQuestion, CellResult, cells_of, question_of
from sixproof.reporting.compare.stable_names import ANY, StableNames
from sixproof.reporting.conclusion.conclusion import Conclusion, Conclusions, own_words
from sixproof.reporting.diagnosis.faults import FailingPlace
from sixproof.reporting.diagnosis.verdicts import FamilyVerdict, verdicts
from sixproof.reporting.results.application_record import Readiness
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome, RunRecord

NOWHERE = "no common place"
"""The place of cells that have none."""
_COUNT = re.compile(r"\d+(?= (?:agents|routers|sources|destinations|nodes))")


@dataclasses.dataclass(frozen=True, slots=True)
class CauseKey:
    """A conclusion by its code and its object: ``packet-filter`` at ``node worker``. Without a
    known cause the code is that of no rule, and the object is the place or the test."""

    code: str
    place: str


@dataclasses.dataclass(frozen=True, slots=True)
class CauseRecord:
    """The conclusions of a run that have one code and object: what they say, their families, how
    many they are, the cells that they explain, and the tests without cells that they do. `shown`
    are all tests that show them."""

    key: CauseKey
    said: str
    families: frozenset[Family]
    number: int
    measured: bool
    cells: frozenset[CellQuestion]
    tests: frozenset[str]
    shown: frozenset[str]

    def joined(self, other: CauseRecord) -> CauseRecord:
        """Two of one key as one."""
        return dataclasses.replace(
            self,
            families=self.families | other.families,
            number=self.number + other.number,
            measured=self.measured or other.measured,
            cells=self.cells | other.cells,
            tests=self.tests | other.tests,
            shown=self.shown | other.shown,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class CaseRecord:
    """A test: its case, and the subjects of its verdict in names that mean the same in each run."""

    case: Case
    subjects: frozenset[Subject]


FindingKey = tuple[str, str]
"""The code and the subject of a finding."""
PortKey = tuple[str, str, str]
"""Namespace, service and port of an application."""


@dataclasses.dataclass(frozen=True, slots=True)
class PortRecord:
    """A port of an application: whether it is ready, and what is wrong with it."""

    readiness: Readiness
    problems: frozenset[str]


@dataclasses.dataclass(frozen=True)
class RunDigest:
    """One run. `times` are seconds until a change took effect, by test, change and family, and
    `covered` the nodes that took part in what was measured."""

    run: RunRecord
    facts: ClusterFacts | None
    environment: tuple[tuple[str, str], ...]
    verdicts: tuple[FamilyVerdict, ...]
    cases: Mapping[str, CaseRecord]
    cells: Mapping[CellQuestion, CellResult]
    causes: Mapping[CauseKey, CauseRecord]
    findings: Mapping[FindingKey, Finding]
    ports: Mapping[PortKey, PortRecord]
    times: Mapping[tuple[str, str, str], float]
    covered: frozenset[str] = frozenset()
    damaged: tuple[str, ...] = ()

    @classmethod
    def of(cls, results: Results, conclusions: Conclusions | None = None) -> RunDigest:
        """What is compared of a run; without `conclusions` it has no causes."""
        names = StableNames.of(results)
        return cls(
            run=results.run,
            facts=results.facts,
            environment=results.environment,
            verdicts=verdicts(results),
            cases={names.test(case.nodeid): _case(case, names) for case in results.cases},
            cells=cells_of(results, names),
            causes=_causes(conclusions.every if conclusions else (), names),
            findings=_findings(results.findings, names),
            ports={
                (row.namespace, row.service, row.port): PortRecord(
                    row.readiness, frozenset(map(names.stable, row.problems))
                )
                for row in results.applications
            },
            times=_times(results, names),
            covered=names.covered,
            damaged=results.damaged,
        )

    @property
    def verdict_reached(self) -> bool:
        """Whether some test passed or failed: else there is nothing to compare with."""
        reached = (CaseOutcome.PASSED, CaseOutcome.FAILED, CaseOutcome.XFAILED)
        return any(record.case.outcome in reached for record in self.cases.values())

    def reaches(self, subjects: Iterable[Subject]) -> bool:
        """Whether the nodes of these subjects took part in the run: else it says nothing of them.
        A run that measured no cell took in all nodes of its cluster."""
        nodes = {node.name for node in self.facts.nodes} if self.facts else set()
        return {s.node for s in subjects if s.node} <= (self.covered or nodes)

    def wrong_of(self, test: str) -> tuple[CellQuestion, ...]:
        """The wrong cells of a test."""
        return tuple(q for q, result in self.cells.items() if q.test == test and result.wrong)


def _case(case: Case, names: StableNames) -> CaseRecord:
    return CaseRecord(case, frozenset(_subject(subject, names) for subject in case.subjects))


def _subject(subject: Subject, names: StableNames) -> Subject:
    return Subject(
        subject.kind, names.stable(subject.name), subject.node, names.stable(subject.part)
    )


def _times(results: Results, names: StableNames) -> dict[tuple[str, str, str], float]:
    """The longest time of each change, in seconds."""
    found: dict[tuple[str, str, str], float] = {}
    for one in results.convergences:
        key = names.test(one.test), names.stable(one.what), str(one.family or "")
        found[key] = max(found.get(key, 0.0), one.seconds)
    return found


def _findings(findings: Iterable[Finding], names: StableNames) -> dict[FindingKey, Finding]:
    """The findings by code and subject; of several with one key the gravest counts."""
    order = list(Severity)
    found: dict[FindingKey, Finding] = {}
    for finding in findings:
        key = finding.code, names.stable(finding.subject)
        known = found.get(key)
        if known is None or order.index(finding.severity) < order.index(known.severity):
            found[key] = finding
    return found


def _causes(every: Iterable[Conclusion], names: StableNames) -> dict[CauseKey, CauseRecord]:
    found: dict[CauseKey, CauseRecord] = {}
    for conclusion in every:
        one = _cause(conclusion, names)
        found[one.key] = found[one.key].joined(one) if one.key in found else one
    return found


def _cause(conclusion: Conclusion, names: StableNames) -> CauseRecord:
    families = {family for fault in conclusion.faults for family in fault.pattern.families}
    families |= {family for case in conclusion.cases for family in case.accuses}
    shown = {m.test for fault in conclusion.faults for m in fault.shown_by}
    return CauseRecord(
        key=_key(conclusion, names),
        said=conclusion.headline,
        families=frozenset(families or (conclusion.causes[0].families if conclusion.known else ())),
        number=1,
        measured=conclusion.measured,
        cells=frozenset(q for fault in conclusion.faults for q in _questions(fault, names)),
        tests=frozenset(names.test(c.nodeid) for c in conclusion.cases if c.nodeid not in shown),
        shown=frozenset(map(names.test, conclusion.tests)),
    )


def _key(conclusion: Conclusion, names: StableNames) -> CauseKey:
    if conclusion.known:
        cause = conclusion.causes[0]
        return CauseKey(cause.code, _COUNT.sub(ANY, names.stable(cause.place)))
    if conclusion.faults:
        pattern = conclusion.faults[0].pattern
        where = names.stable(pattern.where) if pattern.scope else NOWHERE
        return CauseKey(f"no known cause, {pattern.kind.value} {pattern.state.value}", where)
    case = conclusion.cases[0]
    places = sorted({names.stable(subject.place) for subject in case.subjects})
    said = ", ".join(places) or names.test(case.nodeid)
    return CauseKey("no known cause, said by tests", said or names.stable(own_words(case)))


def _questions(fault: FailingPlace, names: StableNames) -> Iterator[CellQuestion]:
    """The questions of the cells of a fault, in each test that shows it."""
    wrong = {(c.observation.flow.family, edge_of(c.observation.flow)) for c in fault.pattern.cells}
    for measured in fault.shown_by:
        for cell in measured.disagreements():
            flow = cell.observation.flow
            if (flow.family, edge_of(flow)) in wrong:
                yield question_of(measured, flow, names)
