"""Joining: tests without a matrix, and cells that were not measured, go to the conclusion that
explains them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from sixproof.model import Family
from sixproof.probes.connect.verdict import CONTROL_FAILED
from sixproof.reporting.conclusion.cause import Cause
from sixproof.reporting.conclusion.conclusion import Conclusion, own_words, ranked
from sixproof.reporting.diagnosis.category import Category
from sixproof.reporting.diagnosis.faults import FailingPlace
from sixproof.reporting.results.test_record import Case, CaseOutcome

_OWN_KIND = frozenset({Category.LEAK, Category.DNS, Category.MTU})
"""Classes of failure that a cause of others cannot have brought about."""
_NO_RESULT = frozenset({Category.APPLICATION, Category.NOT_MEASURED, Category.INFRASTRUCTURE})


def in_own_words(cases: Iterable[Case]) -> list[Conclusion]:
    """Tests without a matrix of wrong cells, those that said the same as one."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(own_words(case) or case.name, []).append(case)
    return [Conclusion((), (), cases=tuple(group)) for group in groups.values()]


def with_cause(conclusion: Conclusion, causes: Iterable[Cause]) -> Conclusion:
    """What tests said themselves, with the cause that broke them, or that concerns what they are
    about: a device of a node, an address of it."""
    for cause in causes:
        if all(_speaks(case, cause) for case in conclusion.cases):
            return dataclasses.replace(conclusion, causes=(cause,))
    return conclusion


def _speaks(case: Case, cause: Cause) -> bool:
    """Whether this cause applies to a test without cells: it broke the test, or the test is about
    its place, and there about a part that it concerns."""
    here = all(map(cause.is_at, case.subjects)) and any(map(cause.is_of, case.subjects))
    return here or cause.broke(case)


def one_a_place(conclusions: Iterable[Conclusion]) -> list[Conclusion]:
    """Those with causes of one kind at one place as one, the surest cause first."""
    groups: dict[tuple[str, str], list[Conclusion]] = {}
    unknown: list[Conclusion] = []
    for one in conclusions:
        if one.known:
            groups.setdefault((one.causes[0].code, one.causes[0].place), []).append(one)
        else:
            unknown.append(one)
    merged = [
        Conclusion(
            tuple(ranked({id(c): c for one in group for c in one.causes}.values())),
            (),
            cases=tuple(case for one in group for case in one.cases),
        )
        for group in groups.values()
    ]
    return [*merged, *unknown]


def with_cases(
    chosen: Sequence[Conclusion], test_conclusions: Iterable[Conclusion]
) -> tuple[list[Conclusion], list[Conclusion]]:
    """The conclusions, each with the tests that are about its place; and what is left."""
    given = list(chosen)
    left: list[Conclusion] = []
    for one in test_conclusions:
        for index, conclusion in enumerate(given):
            if _speaks_of(one, conclusion):
                cases = (*conclusion.cases, *one.cases)
                given[index] = dataclasses.replace(conclusion, cases=cases)
                break
        else:
            left.append(one)
    return given, left


def _speaks_of(test_conclusion: Conclusion, conclusion: Conclusion) -> bool:
    """Whether a cause that is known is one of the conclusion's, or else the tests are about its
    place and its cause could have reached them. What a test found wrong is never explained by what
    could not be measured."""
    if test_conclusion.known:
        return any(cause in conclusion.causes for cause in test_conclusion.causes)
    if test_conclusion.measured and not conclusion.measured:
        return False
    return all(_about(case, conclusion) for case in test_conclusion.cases)


def _about(case: Case, conclusion: Conclusion) -> bool:
    """Whether a test is about a conclusion's place, a family of its and a result like those that it
    explains: another fault may lie there. A test that broke found no result."""
    cause = conclusion.causes[0]
    if not any(map(cause.is_at, case.subjects)):
        return False
    if case.outcome is not CaseOutcome.FAILED:
        return True
    families = {case.family} if case.family else set(case.accuses)
    if families and cause.families and families.isdisjoint(cause.families):
        return False
    explained = {category for fault in conclusion.faults for category in fault.categories}
    return not conclusion.faults or _kinds(case.categories) <= _kinds(explained)


def _kinds(categories: Iterable[str]) -> set[str]:
    """The kinds of result that classes of failure are: leaks, answers of DNS and sizes are each
    their own, and whatever else was lost is one."""
    named = set(categories)
    known = {category for category in Category if category.value in named} - _NO_RESULT
    return {category.value if category in _OWN_KIND else "" for category in known}


def with_unmeasured(
    conclusions: Sequence[Conclusion], left: Iterable[FailingPlace]
) -> tuple[list[Conclusion], list[FailingPlace]]:
    """The conclusions, with the cells that were not measured since their server fails its own
    control, where they explain what else fails at those servers over those families: each goes to
    the one that explains most of it. And what is left."""
    given = list(conclusions)
    explained = [_explained(one) for one in given]
    others: list[FailingPlace] = []
    for fault in left:
        servers = set(_servers(fault))
        if not _failed_controls(fault) or not servers <= set().union(*explained):
            others.append(fault)
            continue
        at = max(range(len(given)), key=lambda i: len(servers & explained[i]))
        given[at] = dataclasses.replace(given[at], faults=(*given[at].faults, fault))
    return given, others


def _failed_controls(fault: FailingPlace) -> bool:
    """Whether it is cells of servers that fail their own control, and no others."""
    cells = fault.pattern.cells
    control = all(c.observation.reason.startswith(CONTROL_FAILED) for c in cells)
    return control and not fault.measured


def _explained(conclusion: Conclusion) -> set[tuple[Family, str]]:
    """The servers at which a conclusion explains failures, with the family."""
    if not conclusion.measured:
        return set()
    return {end for one in conclusion.faults if one.measured for end in _servers(one)}


def _servers(fault: FailingPlace) -> Iterator[tuple[Family, str]]:
    for cell in fault.pattern.cells:
        flow = cell.observation.flow
        yield flow.family, flow.destination.name
