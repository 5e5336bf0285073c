"""What differs between two runs: causes, tests, findings and ports of applications, each once."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Collection, Iterator

from sixproof.errors import brief
from sixproof.model import Family
from sixproof.reporting.compare.cells import CellQuestion, standing
from sixproof.reporting.compare.known_failures import BAD, PORT_FAILS, KnownFailures, Standing
from sixproof.reporting.compare.run_digest import CauseRecord, RunDigest
from sixproof.reporting.diagnosis.pattern import said_count, said_families, said_list
from sixproof.reporting.results.application_record import Readiness
from sixproof.reporting.results.test_record import CaseOutcome


class Difference(enum.StrEnum):
    """How one thing compares between two runs."""

    NEW = "new"
    CHANGED = "changed"
    STILL = "still there"
    GONE = "gone"
    NOT_COMPARED = "not comparable"


class ComparedKind(enum.StrEnum):
    """What is compared, in the order in which a reader wants it."""

    CAUSE = "conclusion"
    TEST = "test"
    PORT = "application"
    FINDING = "finding"


@dataclasses.dataclass(frozen=True, slots=True)
class ComparedItem:
    """One thing of two runs: `key` names it in both, `said` is what a reader is told, `why` what
    the difference is. `counts` says whether it is a new failure, for which a run that fails on new
    ones alone fails."""

    kind: ComparedKind
    difference: Difference
    key: str
    said: str
    why: str = ""
    counts: bool = False


def items(before: RunDigest, after: RunDigest, failures: KnownFailures) -> tuple[ComparedItem, ...]:
    """All that is to be said of two runs; what is right in both is left out."""
    found = (
        *_causes(before, after, failures),
        *_tests(before, after, failures),
        *_ports(before, after, failures),
        *_findings(before, after),
    )
    order = list(ComparedKind)
    return tuple(sorted(found, key=lambda one: order.index(one.kind)))


def _causes(before: RunDigest, after: RunDigest, failures: KnownFailures) -> Iterator[ComparedItem]:
    for key, cause in after.causes.items():
        difference, why = _cause_of_after(before.causes.get(key), cause, before, failures)
        yield _of_cause(cause, difference, why)
    for key, cause in before.causes.items():
        if key not in after.causes:
            yield _of_cause(cause, *_cause_of_before(cause, before, after))


def _of_cause(cause: CauseRecord, difference: Difference, why: str) -> ComparedItem:
    key = f"{cause.key.code}: {cause.key.place}"
    return ComparedItem(ComparedKind.CAUSE, difference, key, cause.said or key, why)


def _cause_of_after(
    known: CauseRecord | None, cause: CauseRecord, before: RunDigest, failures: KnownFailures
) -> tuple[Difference, str]:
    """How a conclusion of the later run compares."""
    arisen = _arisen(cause, failures)
    if not cause.measured:
        return Difference.NOT_COMPARED, "could not be measured in the later run"
    if known is None or not known.measured:
        if arisen:
            return Difference.NEW, _was(cause, before)
        return Difference.CHANGED, "the same failed in the earlier run, and is explained otherwise"
    more = said_families(f for f in Family if f in cause.families - known.families)
    said = [f"now over {more}, too" if more else ""]
    said.append(f"{cause.number} of this kind, were {known.number}" * (cause.number > known.number))
    said.append(f"{said_count(arisen, 'failure')} of it new" if arisen else "")
    changed = "; ".join(filter(None, said))
    return (Difference.CHANGED, changed) if changed else (Difference.STILL, "")


def _arisen(cause: CauseRecord, failures: KnownFailures) -> int:
    """How many failures that a conclusion explains are new: cells, and tests without any."""
    cells = {cell for one in failures.new for cell in one.cells}
    tests = {one.nodeid for one in failures.new}
    return len(cause.cells & cells) + len(cause.tests & tests)


def _was(cause: CauseRecord, before: RunDigest) -> str:
    """What the earlier run shows of what a new conclusion explains."""
    right, _, unmeasured = standing(cause.cells, before.cells)
    if cause.cells:
        said = [f"{said_count(right, 'result')} of it right before"] if right else []
        said += [f"{unmeasured} not measured before"] if unmeasured else []
        return ", ".join(said)
    passed = sum(_outcome(before, test) is CaseOutcome.PASSED for test in cause.tests)
    return f"{said_count(passed, 'test')} of it passed before" if passed else "not measured before"


def _cause_of_before(
    cause: CauseRecord, before: RunDigest, after: RunDigest
) -> tuple[Difference, str]:
    """How a conclusion compares that the later run does not have: it is gone only where all that
    showed it was measured again, and is right."""
    _, wrong, unmeasured = standing(cause.cells, after.cells)
    outcomes = [_outcome(after, test) for test in cause.tests]
    passed = outcomes.count(CaseOutcome.PASSED)
    failed = outcomes.count(CaseOutcome.FAILED)
    unmeasured += len(outcomes) - passed - failed
    total = len(cause.cells) + len(outcomes)
    reached = all(after.reaches(before.cases[t].subjects) for t in cause.tests if t in before.cases)
    if wrong or failed:
        said = f"{wrong + failed} of {total} results that showed it are still wrong, and are "
        return Difference.CHANGED, f"{said}explained otherwise"
    if not cause.measured:
        return Difference.NOT_COMPARED, "could not be measured in the earlier run"
    if not reached and not unmeasured:
        return Difference.NOT_COMPARED, "the node that it was about took no part"
    if unmeasured or not total:
        said = f"{unmeasured} of {total} results that showed it were not measured again"
        return Difference.NOT_COMPARED, said
    return Difference.GONE, f"all {total} results that showed it are right"


def _outcome(run: RunDigest, test: str) -> CaseOutcome:
    """How a test ended; one that the run does not have was not run."""
    record = run.cases.get(test)
    return record.case.outcome if record else CaseOutcome.NOT_RUN


_NEW_TESTS = {
    Standing.NEW: Difference.NEW,
    Standing.UNKNOWN_BEFORE: Difference.NEW,
    Standing.MORE: Difference.CHANGED,
    Standing.NOT_MEASURED: Difference.NOT_COMPARED,
    Standing.KNOWN: Difference.STILL,
}


def _tests(before: RunDigest, after: RunDigest, failures: KnownFailures) -> Iterator[ComparedItem]:
    for one in failures.every:
        case = one.record.case
        was = _outcome(before, one.nodeid)
        why = _why(one.standing, was, case.outcome, one.cells)
        said = f"{case.name}: {case.outcome}"
        yield ComparedItem(
            ComparedKind.TEST, _NEW_TESTS[one.standing], one.nodeid, said, why, not one.known
        )
    for nodeid, record in before.cases.items():
        was, now = record.case.outcome, _outcome(after, nodeid)
        if was is now or now in BAD:
            continue
        difference, why = _calm(was, now)
        if difference is Difference.GONE and (missing := _not_again(nodeid, before, after)):
            difference, why = Difference.NOT_COMPARED, missing
        if difference:
            said = f"{record.case.name}: {now}"
            yield ComparedItem(ComparedKind.TEST, difference, nodeid, said, why)


def _why(how: Standing, was: CaseOutcome, now: CaseOutcome, cells: Collection[CellQuestion]) -> str:
    if how is Standing.KNOWN:
        return ""
    examples = "; ".join(f"{q.family} {q.ends}" for q in list(cells)[:2])
    more = f": {len(cells)} results, as {examples}" if cells else ""
    if how is Standing.NEW:
        return f"was {was}{more}"
    if how is Standing.MORE:
        return (
            f"{now} before, and now of more{more}" if cells else f"{now} before of something else"
        )
    lead = "came to no verdict now, was" if how is Standing.NOT_MEASURED else "was"
    return f"{lead} {was}{more}"


def _calm(was: CaseOutcome, now: CaseOutcome) -> tuple[Difference | None, str]:
    """How a test compares that is not bad in the later run."""
    if now is CaseOutcome.PASSED:
        if was in (CaseOutcome.FAILED, CaseOutcome.XFAILED):
            return Difference.GONE, f"was {was}"
        if was is CaseOutcome.BROKEN or was is CaseOutcome.NOT_PROVEN:
            return Difference.NOT_COMPARED, f"measured now alone: was {was}"
        return None, ""
    if now is CaseOutcome.XFAILED:
        return Difference.CHANGED, f"was {was}, and is known not to work here"
    if was in (CaseOutcome.SKIPPED, CaseOutcome.NOT_RUN):
        return None, ""
    return Difference.NOT_COMPARED, f"not measured again: was {was}"


def _not_again(test: str, before: RunDigest, after: RunDigest) -> str:
    """What a test that passes now did not measure again of what was wrong, "" for nothing."""
    questions = before.wrong_of(test)
    right, _, unmeasured = standing(questions, after.cells)
    if unmeasured:
        said = f"{unmeasured} of {len(questions)} results that were wrong were not measured again"
        return f"passed, and {said}"
    if not right and not after.reaches(before.cases[test].subjects):
        return "passed, and the node that it was about took no part"
    return ""


def _ports(before: RunDigest, after: RunDigest, failures: KnownFailures) -> Iterator[ComparedItem]:
    for key in dict.fromkeys((*after.ports, *before.ports)):
        was, now = before.ports.get(key), after.ports.get(key)
        one, other = (p.readiness if p else Readiness.NOT_ASKED for p in (was, now))
        new = key in failures.ports
        difference = _port(one, other)
        if difference is Difference.STILL and was and now and not now.problems <= was.problems:
            difference = Difference.CHANGED
        if difference is None:
            continue
        problems = sorted(now.problems if now and now.problems else was.problems if was else ())
        namespace, service, port = key
        said = f"{namespace}/{service} {port}: {other}"
        why = "" if one is other else f"was {one}"
        why = "; ".join(filter(None, (why, brief(said_list(problems), 200))))
        yield ComparedItem(ComparedKind.PORT, difference, " ".join(key), said, why, new)


def _port(was: Readiness, now: Readiness) -> Difference | None:
    if now in PORT_FAILS:
        if was is now:
            return Difference.STILL
        return Difference.CHANGED if was in PORT_FAILS else Difference.NEW
    if was is now:
        return None
    if now is Readiness.NOT_ASKED:
        return Difference.NOT_COMPARED
    return Difference.GONE if was in PORT_FAILS else None


def _findings(before: RunDigest, after: RunDigest) -> Iterator[ComparedItem]:
    """Findings: one that is not reported again may not have been looked for."""
    for key, finding in after.findings.items():
        known = before.findings.get(key)
        why = ""
        if known is None:
            difference, why = Difference.NEW, "not reported before"
        elif known.severity is not finding.severity:
            difference, why = Difference.CHANGED, f"was {known.severity}, is {finding.severity}"
        else:
            difference = Difference.STILL
        said = f"{finding.severity} [{finding.code}] {finding.subject}: {finding.seen}"
        yield ComparedItem(ComparedKind.FINDING, difference, " ".join(key), said, why)
    for key, finding in before.findings.items():
        if key not in after.findings:
            said = f"{finding.severity} [{finding.code}] {finding.subject}: {finding.seen}"
            why = "not reported again; whether it was looked for is not recorded"
            yield ComparedItem(
                ComparedKind.FINDING, Difference.NOT_COMPARED, " ".join(key), said, why
            )
