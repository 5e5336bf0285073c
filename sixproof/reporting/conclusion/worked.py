"""What worked in the places of faults: whether more may hide there, and when it last did."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from sixproof.model import Edge, Family, Flow, MatrixKind, Observation, Outcome, edge_of
from sixproof.reporting.diagnosis.faults import FailingPlace
from sixproof.reporting.diagnosis.merged import behind
from sixproof.reporting.diagnosis.scope import Scope
from sixproof.reporting.matrix.grid import CellState
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome

Carried = Sequence[tuple[MatrixKind, Flow]]
"""Flows that were answered, with the kind of their matrix."""

_ARRIVED = (Outcome.CORRUPTED, Outcome.MISROUTED, Outcome.WRONG, Outcome.DNS_FAILED)
"""What comes of a flow that was carried both ways: it hides nothing."""


def carried(results: Results) -> Carried:
    """What worked: it cannot have been under a cause that forbids it."""
    return [
        (measured.matrix.kind, seen.flow)
        for measured in results.unexcused()
        for seen in measured.matrix.cells.values()
        if seen.outcome.works
    ]


def refused(results: Results) -> Carried:
    """The flows to closed ports that the peer refused, as it must: packets went both ways."""
    return [
        (measured.matrix.kind, seen.flow)
        for measured in results.unexcused()
        for key, seen in measured.matrix.cells.items()
        if seen.outcome is Outcome.REFUSED
        and measured.expected
        and seen.outcome in measured.expected[key].outcomes
    ]


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where a fault is, as flows lie in it. Without a scope it is the cells themselves; `through`
    says whether they go through services, all of them."""

    kind: MatrixKind
    families: Collection[Family]
    scope: Scope | None
    cells: Collection[tuple[Family, Edge]]
    through: bool
    leaks: bool

    @classmethod
    def of(cls, fault: FailingPlace) -> _Place:
        pattern = fault.pattern
        flows = [cell.observation.flow for cell in pattern.cells]
        return cls(
            pattern.kind,
            pattern.families,
            pattern.scope,
            {(flow.family, edge_of(flow)) for flow in flows},
            all(behind(flow.destination) for flow in flows),
            pattern.state is CellState.LEAK,
        )

    def holds(self, flow: Flow) -> bool:
        """Whether a flow lies there."""
        if flow.family not in self.families:
            return False
        if self.scope is None:
            return (flow.family, edge_of(flow)) in self.cells
        if self.through and not behind(flow.destination):
            return False
        return self.scope.holds(flow.source, flow.destination)

    def shows(self, seen: Observation) -> bool:
        """Whether a cell that is as expected shows that the fault was not there."""
        return seen.outcome.measured and seen.outcome.works is not self.leaks


def hides(faults: Iterable[FailingPlace], worked: Carried) -> bool:
    """Whether nothing worked in the largest place whose flows are lost, so that more may be wrong
    there. Where something else than a flow fails, flows that worked count, too; `worked` are flows
    that were answered."""
    lost = [f for f in faults if f.measured and f.pattern.scope is not None and _lost(f)]
    if not lost:
        return False
    place = _Place.of(max(lost, key=lambda fault: len(fault.pattern.cells)))
    kinds = (place.kind, MatrixKind.FLOWS)
    return not any(kind in kinds and place.holds(flow) for kind, flow in worked)


def _lost(fault: FailingPlace) -> bool:
    pattern = fault.pattern
    sent = pattern.kind.sent and pattern.kind is not MatrixKind.SESSIONS
    lost = any(outcome not in _ARRIVED for outcome in pattern.outcomes)
    return sent and lost and pattern.state is not CellState.LEAK


def since(results: Results, faults: Iterable[FailingPlace], tests: Collection[str]) -> str:
    """When tests found something first, and when a test before them found the same places right;
    "" where it is not known."""
    red = [c for c in results.cases if c.nodeid in tests and c.outcome.bad and c.started]
    if not red:
        return ""
    first = min(red, key=lambda case: case.started)
    said = f"first seen {_clock(first)} UTC ({first.nodeid.rpartition('::')[2]})"
    places = [_Place.of(fault) for fault in faults if fault.measured]
    right = max(_right_before(results, first, places), key=lambda c: c.started, default=None)
    known = right is not None and _clock(right) != _clock(first)
    return f"{said}; last right {_clock(right)}" if right and known else said


def _right_before(results: Results, first: Case, places: Sequence[_Place]) -> list[Case]:
    """The tests that ended before it, passed, and measured something that lies in these places."""
    began = datetime.fromisoformat(first.started)
    passed = {
        case.nodeid: case
        for case in results.cases
        if case.outcome is CaseOutcome.PASSED
        and case.started
        and datetime.fromisoformat(case.started) + timedelta(seconds=case.seconds) <= began
    }
    return [
        passed[measured.test]
        for measured in results.unexcused()
        if measured.test in passed
        and any(
            place.holds(seen.flow) and place.shows(seen)
            for place in places
            if place.kind is measured.matrix.kind
            for seen in measured.matrix.cells.values()
        )
    ]


def _clock(case: Case) -> str:
    """``22:41:07``."""
    return case.started[11:19]
