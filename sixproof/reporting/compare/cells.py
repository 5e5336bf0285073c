"""Cells of two runs, question by question: who asked whom what, over which family, in which test.

A cell that one of the runs did not measure is neither right nor gone.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from sixproof.model import EndpointKind, Family, Flow, MatrixKind, Outcome, edge_of
from sixproof.reporting.compare.stable_names import StableNames
from sixproof.reporting.diagnosis.merged import behind
from sixproof.reporting.matrix.grid import CellState, state_of
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results


class CellQuestion(NamedTuple):
    """What a cell asks, in names that mean the same in each run."""

    test: str
    title: str
    kind: MatrixKind
    family: Family
    source: str
    destination: str
    asked: str

    @property
    def ends(self) -> str:
        """Who asked whom what: ``a@worker -> b@worker2 tcp/8080``."""
        return f"{self.source} -> {self.destination} {self.asked}"


class CellResult(NamedTuple):
    """How a cell ended: its state and outcome, and the class of its edge. `by_chance` says whether
    any backend of a service may have answered: then another one may the next time."""

    state: CellState
    outcome: Outcome
    edge_class: str
    by_chance: bool = False

    @property
    def right(self) -> bool:
        """Whether it was measured, and is as expected."""
        return self.state in (CellState.WORKS, CellState.DENIED)

    @property
    def wrong(self) -> bool:
        """Whether it was measured, and is not as expected."""
        return self.state.wrong and self.state is not CellState.UNKNOWN


Cells = Mapping[CellQuestion, CellResult]


def cells_of(results: Results, names: StableNames) -> dict[CellQuestion, CellResult]:
    """The judged cells of a run. Of several with one question the worst counts: it is right only
    where all of them are. What a cluster is known not to do is left out."""
    found: dict[CellQuestion, CellResult] = {}
    for measured in results.unexcused():
        expected = measured.expected
        if expected is None:
            continue
        for key, seen in measured.matrix.cells.items():
            state = state_of(seen.outcome, expected.get(key))
            drawn = behind(seen.flow.destination)
            one = CellResult(state, seen.outcome, edge_class(seen.flow), drawn)
            question = question_of(measured, seen.flow, names)
            known = found.get(question)
            if known is None or _badness(one) > _badness(known):
                found[question] = one
    return found


def question_of(measured: Measured, flow: Flow, names: StableNames) -> CellQuestion:
    """What a cell of a matrix asks."""
    source, destination, asked = edge_of(flow)
    allocated = flow.destination.kind is EndpointKind.SERVICE
    return CellQuestion(
        names.test(measured.test),
        names.stable(measured.matrix.title),
        measured.matrix.kind,
        flow.family,
        names.stable(source),
        names.stable(destination),
        names.port(asked) if allocated else names.stable(asked),
    )


_ENDS = {
    EndpointKind.POD: "pod",
    EndpointKind.HOST: "host network",
    EndpointKind.NODE: "node address",
    EndpointKind.SERVICE: "service",
    EndpointKind.OUTSIDE: "outside",
}


def edge_class(flow: Flow) -> str:
    """The class of an edge: ``pod to pod, other node``."""
    ends = f"{_ENDS[flow.source.kind]} to {_ENDS[flow.destination.kind]}"
    if not (flow.source.node and flow.destination.node):
        return ends
    if flow.source.name == flow.destination.name:
        return f"{ends}, itself"
    return f"{ends}, {'other' if flow.crosses_nodes else 'same'} node"


def _badness(one: CellResult) -> int:
    if one.wrong:
        return 3 if one.state is CellState.LEAK else 2
    return 0 if one.right else 1


class CellChange(enum.StrEnum):
    """How one question compares between two runs."""

    NEW = "new"  # wrong, and was right
    UNKNOWN_BEFORE = "wrong, not measured before"
    DRAWN = "differs by the backend that was drawn"  # of a fault that is known
    STILL = "still wrong"
    CHANGED = "wrong in another way"
    GONE = "right again"
    RIGHT = "right in both"
    WRONG_UNMEASURED = "was wrong, not measured now"
    RIGHT_UNMEASURED = "was right, not measured now"
    ONLY_NOW = "right, not measured before"
    NEITHER = "measured in neither"

    @property
    def arisen(self) -> bool:
        """Whether it is wrong, and the run before does not show it so."""
        return self in (CellChange.NEW, CellChange.UNKNOWN_BEFORE)


def change(before: CellResult | None, after: CellResult | None) -> CellChange:
    """How the results of one question compare, None where it was not asked.

    What must be denied and is carried was never wrong in that way if it was lost before: a leak is
    new, then.
    """
    if after is None or not (after.right or after.wrong):
        if before is not None and before.wrong:
            return CellChange.WRONG_UNMEASURED
        right = before is not None and before.right
        return CellChange.RIGHT_UNMEASURED if right else CellChange.NEITHER
    if before is None or not (before.right or before.wrong):
        return CellChange.ONLY_NOW if after.right else CellChange.UNKNOWN_BEFORE
    if after.right:
        return CellChange.RIGHT if before.right else CellChange.GONE
    if before.right or (after.state is CellState.LEAK and before.state is not CellState.LEAK):
        return CellChange.NEW
    same = (before.state, before.outcome) == (after.state, after.outcome)
    return CellChange.STILL if same else CellChange.CHANGED


EXAMPLES = 3
"""Questions that stand for those of a class."""


@dataclasses.dataclass(frozen=True, slots=True)
class EdgeClassChanges:
    """The questions of one kind, class of edge and family: how many compare how, and `examples` of
    those that are new."""

    kind: MatrixKind
    edge_class: str
    family: Family
    counts: Mapping[CellChange, int]
    examples: tuple[str, ...] = ()

    @property
    def moved(self) -> bool:
        """Whether something differs."""
        calm = (CellChange.RIGHT, CellChange.STILL, CellChange.DRAWN, CellChange.NEITHER)
        return any(number for which, number in self.counts.items() if which not in calm)


def changes(before: Cells, after: Cells) -> Iterator[tuple[CellQuestion, CellChange]]:
    """Every question of both runs, those of the later run first."""
    for question, result in after.items():
        yield question, change(before.get(question), result)
    for question, result in before.items():
        if question not in after:
            yield question, change(result, None)


def by_class(
    before: Cells, after: Cells, drawn: Collection[CellQuestion] = ()
) -> tuple[EdgeClassChanges, ...]:
    """All questions by kind, class of edge and family; what has new faults first. Those that are
    `drawn` differ by the backend of a service alone."""
    counts: dict[tuple[MatrixKind, str, Family], dict[CellChange, int]] = {}
    examples: dict[tuple[MatrixKind, str, Family], list[str]] = {}
    for question, change_of in changes(before, after):
        which = CellChange.DRAWN if question in drawn else change_of
        result = after.get(question) or before[question]
        key = question.kind, result.edge_class, question.family
        number = counts.setdefault(key, {})
        number[which] = number.get(which, 0) + 1
        if which.arisen and len(some := examples.setdefault(key, [])) < EXAMPLES:
            some.append(question.ends)
    rows = (
        EdgeClassChanges(
            kind, where, family, number, tuple(examples.get((kind, where, family), ()))
        )
        for (kind, where, family), number in counts.items()
    )
    return tuple(sorted(rows, key=_order))


def _order(row: EdgeClassChanges) -> tuple[int, int, str, str, str]:
    arisen = sum(number for which, number in row.counts.items() if which.arisen)
    gone = row.counts.get(CellChange.GONE, 0)
    return -arisen, -gone, row.kind.value, row.edge_class, row.family.value


def standing(questions: Iterable[CellQuestion], cells: Cells) -> tuple[int, int, int]:
    """How many of these questions are right, wrong and not measured in a run."""
    found = [cells.get(question) for question in questions]
    right = sum(1 for one in found if one is not None and one.right)
    wrong = sum(1 for one in found if one is not None and one.wrong)
    return right, wrong, len(found) - right - wrong
