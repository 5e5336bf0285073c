"""Concluding: which causes explain what failed, and what none does.

Causes are chosen as places are (decision 16): the one that explains most of what is left first, the
surer of two that explain as much; a flow that works although the cause forbids it is evidence
against it. What it explains is taken away, and the rest is looked at again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from sixproof.model import Disagreement
from sixproof.reporting.conclusion import counters, hints, joined, worked
from sixproof.reporting.conclusion.cause import Cause, since
from sixproof.reporting.conclusion.conclusion import Conclusion, Conclusions, ranked
from sixproof.reporting.conclusion.rules import rules
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.conclusion.worked import Carried
from sixproof.reporting.diagnosis.faults import FailingPlace, faults
from sixproof.reporting.results.results_json import Results

MOST = 0.75
"""Of the cells of a fault that a cause must explain to explain the fault."""
CONTRADICTION = 0.25
"""Of the flows that cannot work under a cause, those that may have worked: it came and went."""


def conclude(results: Results) -> Conclusions:
    """The conclusions of a run; none where nothing failed."""
    found = faults(results)
    if not found and not results.failing():
        return Conclusions((), found)
    situation = Situation(results)
    causes, stumbled = _found(situation)
    carried = worked.carried(results)
    refused = worked.refused(results)
    chosen = _chosen(causes, found, carried, refused)
    earlier, more = _at_failures(results, _unexplained(chosen, found), carried)
    if earlier:
        chosen = _chosen([*causes, *earlier], found, carried, refused)
    stumbled = list(dict.fromkeys((*stumbled, *more)))
    chosen, unexplained = joined.with_unmeasured(chosen, _unexplained(chosen, found))
    rest = [_unknown(fault, situation) for fault in unexplained]
    shown = frozenset(test for conclusion in (*chosen, *rest) for test in conclusion.tests)
    left = [
        c for c in results.cases if c.outcome.bad and c.about_the_network and c.nodeid not in shown
    ]
    said = (joined.with_cause(one, causes) for one in joined.in_own_words(left))
    given, alone = joined.with_cases(chosen, joined.one_a_place(said))
    counted = (_counted(conclusion, situation) for conclusion in given)
    hinted = (_hinted(conclusion, situation) for conclusion in alone)
    dated = (_dated(conclusion, results) for conclusion in (*counted, *rest, *hinted))
    every = sorted(dated, key=_order)
    return Conclusions(tuple(every), found, (*situation.examination.problems, *stumbled))


def _counted(conclusion: Conclusion, situation: Situation) -> Conclusion:
    """A conclusion about the network at one node, with the counters that rose there."""
    cause = conclusion.causes[0]
    node = next((name for name in situation.nodes if cause.place == f"node {name}"), "")
    if not node or not conclusion.measured:
        return conclusion
    moved = counters.moved(situation, node, cause.families)
    return dataclasses.replace(conclusion, moved=moved)


def _unknown(fault: FailingPlace, situation: Situation) -> Conclusion:
    """A place whose cause is not known, with what would fit."""
    fitting = hints.fits(fault, situation)
    return Conclusion((), (fault,), fitting.fits, fitting.apart)


def _hinted(conclusion: Conclusion, situation: Situation) -> Conclusion:
    """What tests said themselves, with what would fit where no cause is known."""
    if conclusion.known:
        return conclusion
    fitting = hints.of_tests(conclusion.cases, situation)
    return dataclasses.replace(conclusion, fits=fitting.fits, apart=fitting.apart)


def _dated(conclusion: Conclusion, results: Results) -> Conclusion:
    """A conclusion with the time at which a test saw it first, unless it was there before."""
    if any(cause.since == since(same=True) for cause in conclusion.causes[:1]):
        return conclusion
    seen = worked.since(results, conclusion.faults, conclusion.tests)
    return dataclasses.replace(conclusion, since=seen)


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
    results: Results, unexplained: Iterable[FailingPlace], carried: Carried
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


def _order(conclusion: Conclusion) -> tuple[bool, bool, int, int]:
    cells = sum(len(fault.pattern.cells) for fault in conclusion.faults)
    return not conclusion.measured, not conclusion.known, -len(conclusion.tests), -cells


def _chosen(
    causes: Iterable[Cause], found: Sequence[FailingPlace], carried: Carried, refused: Carried
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
        alone = not _hides(best, explained, (*carried, *refused))
        conclusions.append(Conclusion((best, *ranked(signs)), tuple(explained), alone=alone))
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


def _contradicted(cause: Cause, explained: Sequence[FailingPlace], carried: Carried) -> bool:
    """Whether too much worked that could not have."""
    wrong = sum(len(fault.pattern.cells) for fault in explained)
    could = sum(1 for _, flow in carried if cause.must(flow))
    return could > CONTRADICTION * (wrong + could)


def _hides(cause: Cause, explained: Sequence[FailingPlace], answered: Carried) -> bool:
    """Whether nothing that passes the cause's place was answered, or nothing in the places that it
    explains, so that more may be wrong there."""
    flows = [c.observation.flow for fault in explained for c in fault.pattern.cells]
    if any(map(cause.must, flows)) and not any(cause.must(flow) for _, flow in answered):
        return True
    return worked.hides(explained, answered)


def _weight(cause: Cause, explained: Sequence[FailingPlace]) -> tuple[int, int, int]:
    """What explains more comes first, then the surer one, then the one under which more of these
    flows could not have worked."""
    cells = [cell for fault in explained for cell in fault.pattern.cells]
    bound = sum(cause.must(cell.observation.flow) for cell in cells)
    return len(cells), cause.confidence, bound


def _same(one: Sequence[FailingPlace], other: Sequence[FailingPlace]) -> bool:
    """Whether all that one explains the other does too."""
    return {id(f) for f in one} <= {id(f) for f in other}
