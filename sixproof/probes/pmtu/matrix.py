"""Path results as a matrix: what each path does with packets of every size."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from sixproof.agent.protocol import Event
from sixproof.model import (
    Edge,
    Expectation,
    Family,
    Judged,
    Matrix,
    MatrixKind,
    Observation,
    Outcome,
    edge_of,
)
from sixproof.probes.pmtu.judge import Violation, ViolationKind
from sixproof.probes.pmtu.path_run import PathResult
from sixproof.probes.pmtu.probe import SMALL

BECAUSE = "devices and routes promise it"
_OUTCOMES = {
    ViolationKind.BLACK_HOLE: Outcome.DROPPED,
    ViolationKind.CLOSED: Outcome.DROPPED,
    ViolationKind.NARROW: Outcome.TOO_BIG,
    ViolationKind.WRONG: Outcome.WRONG,
    ViolationKind.SLOW: Outcome.WRONG,
}
_SMALL = {Event.ECHOED: Outcome.ALLOWED, Event.SILENT: Outcome.DROPPED}


def matrix(
    title: str, path_results: Iterable[PathResult], violations: Sequence[Violation]
) -> Judged:
    """One cell per path: ALLOWED where it keeps the rule called `title`. Beside it is the outcome
    of a small packet, which tells a black hole apart from a path that carries nothing."""
    broken: Mapping[tuple[Family, tuple[str, str]], Violation] = {
        (v.path_result.flow.family, v.path_result.ends): v for v in violations
    }
    cells: dict[tuple[Family, Edge], Observation] = {}
    for path_result in path_results:
        flow = path_result.flow
        found = broken.get((flow.family, path_result.ends))
        small = _SMALL.get(path_result.small.event, Outcome.WRONG)
        for question, outcome, said in (
            (
                title,
                _OUTCOMES[found.kind] if found else Outcome.ALLOWED,
                found.said if found else "",
            ),
            (f"{SMALL} bytes", small, "" if small.works else path_result.small.event),
        ):
            asked = dataclasses.replace(flow, question=question)
            cells[flow.family, edge_of(asked)] = Observation(asked, outcome, said)
    return Matrix(title, cells, MatrixKind.PATHS), {
        key: Expectation.allowed(BECAUSE) for key in cells
    }
