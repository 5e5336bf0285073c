"""Judged questions as a matrix: what a check asked beyond whether flows are carried."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from sixproof.checks.recorder import Recorder
from sixproof.model import (
    Expectation,
    Family,
    Flow,
    Judged,
    Matrix,
    MatrixKind,
    Observation,
    Outcome,
    edge_of,
)
from sixproof.reporting.allure import steps
from sixproof.reporting.diagnosis import evidence
from sixproof.reporting.diagnosis.category import Category, one_family

SHOWN = 12
"""Flows listed in one message."""


def require(recorder: Recorder, asked: Judged, step: str, family: Family | None = None) -> None:
    """Note a matrix and hold it against what is expected of it, as a step of the test. With a
    `family`, cells of the other one are only compared with.

    Raises:
        VerdictError: a measured cell is not what is expected.
        NotMeasured: every wrong cell could not be measured.
    """
    __tracebackhide__ = True
    with steps.step(step):
        recorder.matrix(*_of(family, asked))
        evidence.require(*asked, family=family)


def require_right(
    recorder: Recorder,
    kind: MatrixKind,
    title: str,
    seen: Iterable[Observation],
    wrong: Mapping[Flow, str],
) -> None:
    """Note what was seen of each flow; nothing may be `wrong` about any.

    Raises:
        VerdictError: something is.
    """
    __tracebackhide__ = True
    seen = tuple(seen)
    recorder.matrix(*judged(kind, title, seen, wrong))
    if not wrong:
        return
    lines = [f"{flow}: {said}" for flow, said in wrong.items()]
    more = [f"... and {len(lines) - SHOWN} more flows"] if len(lines) > SHOWN else []
    text = "\n  ".join([f"{title}: {len(lines)} flows are wrong", *lines[:SHOWN], *more])
    families = {flow.family for flow in wrong}
    only = one_family(families, {o.flow.family for o in seen})
    raise evidence.wrong(text, families, only or Category.BOTH)


def seen_and_wrong(said: Mapping[Flow, str]) -> tuple[list[Observation], dict[Flow, str]]:
    """All that was asked, and what is wrong: of answers that are "" where nothing is."""
    seen = [Observation(flow, Outcome.ALLOWED) for flow in said]
    return seen, {flow: why for flow, why in said.items() if why}


def judged(
    kind: MatrixKind, title: str, seen: Iterable[Observation], wrong: Mapping[Flow, str]
) -> Judged:
    """One cell per flow: WRONG with what is wrong about it, else ALLOWED; of several observations
    of one flow the last counts."""
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


def _of(family: Family | None, asked: Judged) -> Judged:
    """The cells of a family, all of them without one."""
    if family is None:
        return asked
    matrix, expected = asked
    mine = {key: seen for key, seen in matrix.cells.items() if key[0] is family}
    return dataclasses.replace(matrix, cells=mine), {key: expected[key] for key in mine}
