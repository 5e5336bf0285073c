"""Judged questions as a matrix: what a check asked beyond whether flows are carried. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from sixproof.model import (
    Expectation,
    Flow,
    Judged,
    Matrix,
    MatrixKind,
    Observation,
    Outcome,
    edge_of,
)


def judged(
    kind: MatrixKind, title: str, seen: Iterable[Observation], wrong: Mapping[Flow, str]
) -> Judged:
    """One cell per flow: WRONG with what is wrong about it, else ALLOWED; of several observations
    of one flow the last stands."""
    cells = (
        dataclasses.replace(
            o,
            outcome=Outcome.WRONG if o.flow in wrong else Outcome.ALLOWED,
            reason=wrong.get(o.flow, ""),
        )
        for o in seen
    )
    return expecting_all(Matrix.of(title, cells, kind), title)


def expecting_all(matrix: Matrix, because: str) -> Judged:
    """The matrix, every cell of which must be ALLOWED."""
    allowed = Expectation.allowed(because)
    return matrix, {(o.flow.family, edge_of(o.flow)): allowed for o in matrix.observations()}
