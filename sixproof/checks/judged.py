"""Judged questions as a matrix: what a check asked beyond whether flows are carried. Pure."""

from __future__ import annotations

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
    kind: MatrixKind, title: str, flows: Iterable[Flow], wrong: Mapping[Flow, str]
) -> Judged:
    """A cell a flow: WRONG with what is wrong about it, else ALLOWED."""
    return expecting_all(
        Matrix.of(
            title,
            (
                Observation(f, Outcome.WRONG if f in wrong else Outcome.ALLOWED, wrong.get(f, ""))
                for f in dict.fromkeys(flows)
            ),
            kind,
        ),
        title,
    )


def expecting_all(matrix: Matrix, because: str) -> Judged:
    """The matrix, every cell of which must be ALLOWED."""
    allowed = Expectation.allowed(because)
    return matrix, {(o.flow.family, edge_of(o.flow)): allowed for o in matrix.observations()}
