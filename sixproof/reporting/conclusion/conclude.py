"""Concluding: which causes explain what failed, and what none does.

Causes are chosen as places are (decision 16): the one that explains most of what is left first, the
surer of two that explain as much; a flow that works although the cause forbids it is evidence
against it. What it explains is taken away, and the rest is looked at again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from sixproof.model import Disagreement, Flow
from sixproof.reporting.conclusion import counters, hints, known_faults
from sixproof.reporting.conclusion.cause import Cause, Confidence
from sixproof.reporting.conclusion.rules import rules
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.category import LEAD, Category
from sixproof.reporting.diagnosis.faults import FailingPlace, faults
from sixproof.reporting.matrix.grid import CellState
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome

MOST = 0.75
"""Of the cells of a fault that a cause must explain to explain the fault."""
CONTRADICTION = 0.25
"""Of the flows that cannot work under a cause, those that may have worked: it came and went."""
HOW_SURE = {
    Confidence.SHOWN: "",
    Confidence.FITS: "likely cause: ",
    Confidence.SIGN: "possible cause: ",
}
"""What a first line begins with where the facts do not show that it is the cause."""


@dataclasses.dataclass(frozen=True)
class Conclusion:
    """One cause with what it explains, or one place whose cause is not known.

    `causes` has the cause first and then its signs, causes that lie behind the same failures; none
    where the facts do not suffice: then `fits` are causes that would fit and what tells them apart.
    `faults` are what it explains, `moved` are counters that rose where it lies. `alone` says
    whether something worked there: else another cause there would not have been seen. Without cause
    and faults it is what tests said themselves, those of `cases`, whose evidence is no matrix.
    """

    causes: tuple[Cause, ...]
    faults: tuple[FailingPlace, ...]
    fits: tuple[str, ...] = ()
    alone: bool = True
    cases: tuple[Case, ...] = ()
    moved: str = ""

    @property
    def known(self) -> bool:
        """Whether the cause is named."""
        return bool(self.causes)

    @property
    def measured(self) -> bool:
        """Whether it is about the network, and not about what could not be measured."""
        failed = any(case.outcome is CaseOutcome.FAILED for case in self.cases)
        return failed or any(fault.measured for fault in self.faults)

    @property
    def leaks(self) -> bool:
        """Whether something was carried that a policy must deny."""
        return any(fault.pattern.state is CellState.LEAK for fault in self.faults)

    @property
    def headline(self) -> str:
        """The first line: the cause in a sentence and what to do, else the place. What is not as
        safe as its owner thinks is said first, then how sure it is where it is not shown."""
        lead = f"{Category.LEAK}: " if self.leaks else ""
        if not self.causes:
            place = self.faults[0].pattern.fact if self.faults else own_words(self.cases[0])
            return lead + place
        cause = self.causes[0]
        remedy = f" {cause.remedy}." if cause.remedy else ""
        how_sure = HOW_SURE[self.confidence]
        how_sure = how_sure[:1].upper() + how_sure[1:] if not lead else how_sure
        return f"{lead}{how_sure}{cause.sentence}.{remedy}"

    @property
    def confidence(self) -> Confidence:
        """How sure it is: what only tests said themselves is as they say."""
        return self.causes[0].confidence if self.known and self.faults else Confidence.SHOWN

    @property
    def evidence(self) -> tuple[str, ...]:
        """What shows it: the facts of the cause, and the signs beside it."""
        if not self.causes:
            return self.faults[0].contrasts if self.faults else ()
        first, *others = self.causes
        signs = (f"beside it, {sign.sentence}" for sign in others if not first.says(sign))
        moved = (self.moved,) if self.moved else ()
        return tuple(dict.fromkeys((*first.evidence, *moved, *signs)))

    @property
    def resembles(self) -> tuple[str, ...]:
        """Faults that others have reported and that the cause looks like."""
        return tuple(str(fault) for cause in self.causes[:1] for fault in known_faults.known(cause))

    @property
    def tests(self) -> frozenset[str]:
        """The tests that show it, by node id."""
        shown = {m.test for fault in self.faults for m in fault.shown_by}
        return frozenset(shown | {case.nodeid for case in self.cases})


@dataclasses.dataclass(frozen=True)
class Conclusions:
    """All of a run, the one that explains most first, what was not measured last.

    `found` are the faults by place, as the diagnosis has them, `problems` what could not be read.
    """

    every: tuple[Conclusion, ...]
    found: tuple[FailingPlace, ...]
    problems: tuple[str, ...] = ()

    @property
    def lead(self) -> bool:
        """Whether a report begins with them: something was measured that is wrong. What is not
        proven comes first where nothing is."""
        return any(conclusion.measured for conclusion in self.every)

    @property
    def unexplained(self) -> int:
        """How many tests none of the causes explains; 0 where none is known at all."""
        explained = {test for one in self.every if one.known for test in one.tests}
        left = {test for one in self.every for test in one.tests} - explained
        return len(left) if explained else 0

    def __bool__(self) -> bool:
        return bool(self.every)


def conclude(results: Results) -> Conclusions:
    """The conclusions of a run; none where nothing failed."""
    found = faults(results)
    if not found and not results.failing():
        return Conclusions((), found)
    situation = Situation(results)
    causes, stumbled = _found(situation)
    carried = _carried(results)
    chosen = _chosen(causes, found, carried)
    earlier, more = _at_failures(results, _unexplained(chosen, found), carried)
    if earlier:
        chosen = _chosen([*causes, *earlier], found, carried)
    stumbled = list(dict.fromkeys((*stumbled, *more)))
    rest = [Conclusion((), (fault,), hints.fits(fault)) for fault in _unexplained(chosen, found)]
    shown = frozenset(test for conclusion in (*chosen, *rest) for test in conclusion.tests)
    left = [
        c for c in results.cases if c.outcome.bad and c.about_the_network and c.nodeid not in shown
    ]
    test_conclusions = _one_a_place(_with_cause(one, causes) for one in _own_words(left))
    given, alone = _with_cases(chosen, test_conclusions)
    counted = (_counted(conclusion, situation) for conclusion in given)
    every = sorted((*counted, *rest, *alone), key=_order)
    return Conclusions(tuple(every), found, (*situation.examination.problems, *stumbled))


def _counted(conclusion: Conclusion, situation: Situation) -> Conclusion:
    """A conclusion about the network at one node, with the counters that rose there."""
    cause = conclusion.causes[0]
    kind, _, node = cause.place.partition(" ")
    if kind != "node" or not conclusion.measured:
        return conclusion
    moved = counters.moved(situation, node, cause.families)
    return dataclasses.replace(conclusion, moved=moved)


def _found(situation: Situation) -> tuple[list[Cause], list[str]]:
    """The causes that rules find, and the rules that could not be applied: unforeseen facts must
    not cost a run its report."""
    causes: list[Cause] = []
    problems: list[str] = []
    for find, code in {rule.find: rule.code for rule in rules()}.items():
        try:
            causes += find(situation)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"[:200]
            problems.append(f"the rule {code} could not be applied ({said}); please report it")
    return causes, problems


def _unexplained(chosen: Iterable[Conclusion], found: Iterable[FailingPlace]) -> list[FailingPlace]:
    """The faults that none of these conclusions explains."""
    explained = {id(fault) for conclusion in chosen for fault in conclusion.faults}
    return [fault for fault in found if id(fault) not in explained]


def _at_failures(
    results: Results, unexplained: Iterable[FailingPlace], carried: Sequence[Flow]
) -> tuple[list[Cause], list[str]]:
    """Causes of what the end of a run does not explain, from what nodes said when it was found:
    what the test had made, and what broke it, may be gone by now. And what could not be read."""
    left = [fault for fault in unexplained if fault.measured]
    tests = {m.test for fault in left for m in fault.shown_by}
    causes: list[Cause] = []
    problems: list[str] = []
    for reading in results.failures:
        if reading.test in tests:
            more, stumbled = _found(Situation(results, reading))
            causes += (
                cause
                for cause in more
                if (reached := _reached(cause, left)) and not _contradicted(cause, reached, carried)
            )
            problems += (*stumbled, *reading.problems)
    return causes, problems


def own_words(case: Case) -> str:
    """What a failed test said itself: its first line, without the class at its end."""
    lines = [line.strip() for line in case.message.splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(LEAD)]
    return f"{said[0]} {said[1]}" if len(said) > 1 and said[0].endswith(":") else (said or [""])[0]


def _own_words(cases: Iterable[Case]) -> list[Conclusion]:
    """Tests without a matrix of wrong cells, those that said the same as one."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(own_words(case) or case.name, []).append(case)
    return [Conclusion((), (), cases=tuple(group)) for group in groups.values()]


def _with_cause(conclusion: Conclusion, causes: Iterable[Cause]) -> Conclusion:
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


def _one_a_place(conclusions: Iterable[Conclusion]) -> list[Conclusion]:
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
            tuple(_ranked({id(c): c for one in group for c in one.causes}.values())),
            (),
            cases=tuple(case for one in group for case in one.cases),
        )
        for group in groups.values()
    ]
    return [*merged, *unknown]


def _with_cases(
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
    place. What a test found wrong is never explained by what could not be measured."""
    if test_conclusion.known:
        return any(cause in conclusion.causes for cause in test_conclusion.causes)
    if test_conclusion.measured and not conclusion.measured:
        return False
    cause = conclusion.causes[0]
    return all(any(map(cause.is_at, case.subjects)) for case in test_conclusion.cases)


def _order(conclusion: Conclusion) -> tuple[bool, bool, int, int]:
    cells = sum(len(fault.pattern.cells) for fault in conclusion.faults)
    return not conclusion.measured, not conclusion.known, -len(conclusion.tests), -cells


def _carried(results: Results) -> list[Flow]:
    """Flows that worked as expected: what cannot have been under a cause that forbids them."""
    return [
        seen.flow
        for measured in results.unexcused()
        for seen in measured.matrix.cells.values()
        if seen.outcome.works
    ]


def _chosen(
    causes: Iterable[Cause], found: Sequence[FailingPlace], carried: Sequence[Flow]
) -> list[Conclusion]:
    left = list(found)
    candidates = list(causes)
    conclusions: list[Conclusion] = []
    while left:
        reached = [(cause, _reached(cause, left)) for cause in candidates]
        likely = [(c, f) for c, f in reached if f and not _contradicted(c, f, carried)]
        if not likely:
            break
        best, explained = max(likely, key=lambda pair: _weight(*pair))
        signs = [c for c, f in likely if _is_another(c, best) and _same(f, explained)]
        alone = not _hides(best, explained, carried)
        conclusions.append(Conclusion((best, *_ranked(signs)), tuple(explained), alone=alone))
        gone = {id(fault) for fault in explained}
        left = [fault for fault in left if id(fault) not in gone]
        candidates = [c for c in candidates if _is_another(c, best) and c not in signs]
    return conclusions


def _is_another(cause: Cause, other: Cause) -> bool:
    """Whether two causes are not the same, found at two moments."""
    return (cause.code, cause.sentence) != (other.code, other.sentence)


def _reached(cause: Cause, left: Sequence[FailingPlace]) -> list[FailingPlace]:
    """The faults that a cause explains."""
    return [fault for fault in left if _share(cause, fault.pattern.cells) >= MOST]


def _share(cause: Cause, cells: Sequence[Disagreement]) -> float:
    return sum(map(cause.hits, cells)) / len(cells)


def _contradicted(cause: Cause, explained: Sequence[FailingPlace], carried: Sequence[Flow]) -> bool:
    """Whether too much worked that could not have."""
    wrong = sum(len(fault.pattern.cells) for fault in explained)
    worked = sum(1 for flow in carried if cause.must(flow))
    return worked > CONTRADICTION * (wrong + worked)


def _hides(cause: Cause, explained: Sequence[FailingPlace], carried: Sequence[Flow]) -> bool:
    """Whether nothing that passes the cause's place worked, so that more may be wrong there."""
    flows = [c.observation.flow for fault in explained for c in fault.pattern.cells]
    return any(map(cause.must, flows)) and not any(map(cause.must, carried))


def _weight(cause: Cause, explained: Sequence[FailingPlace]) -> tuple[int, int, int]:
    """What explains more comes first, then the surer one, then the one under which more of these
    flows could not have worked."""
    cells = [cell for fault in explained for cell in fault.pattern.cells]
    bound = sum(cause.must(cell.observation.flow) for cell in cells)
    return len(cells), cause.confidence, bound


def _same(one: Sequence[FailingPlace], other: Sequence[FailingPlace]) -> bool:
    """Whether all that one explains the other does too."""
    return {id(f) for f in one} <= {id(f) for f in other}


def _ranked(signs: Iterable[Cause]) -> list[Cause]:
    return sorted(signs, key=lambda cause: -cause.confidence)[:4]
