"""Matrices as CSV: one line per cell, for spreadsheets and for Allure, which shows it as a
table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import TextIO

from sixproof.model import Matrix, Observation, edge_of
from sixproof.reporting.matrix.grid import Expected, state_of

COLUMNS = (
    "matrix",
    "kind",
    "family",
    "source",
    "source_node",
    "destination",
    "destination_node",
    "port",
    "address",
    "outcome",
    "expected",
    "state",
    "parity",
    "because",
    "reason",
    "attempts",
    "waited_s",
    "latency_ms",
    "arrived",
    "answered_by",
    "peer_saw",
)


def cells_csv(matrix: Matrix, expected: Expected | None = None) -> str:
    """A matrix in few columns, wrong cells first: what a report's page has room for."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("family", "source", "destination", "port", "outcome", "expected", "evidence"))
    rows = []
    for key, seen in matrix.cells.items():
        wanted = None if expected is None else expected.get(key)
        wrong = state_of(seen.outcome, wanted).wrong
        ends = (
            key[0].value,
            seen.flow.source.name,
            seen.flow.destination.name,
            seen.flow.asked,
        )
        rows.append((not wrong, (*ends, seen.outcome.value, wanted or "", _evidence(seen))))
    writer.writerows(row for _, row in sorted(rows, key=lambda item: item[0]))
    return stream.getvalue()


def _evidence(seen: Observation) -> str:
    latency = "" if seen.latency is None else f"{seen.latency * 1000:.1f} ms"
    tried = "" if seen.outcome.works else f"{seen.attempts} tries in {seen.waited:.1f} s"
    return ", ".join(filter(None, (latency, tried, seen.reason)))


def write_matrices(stream: TextIO, matrices: Iterable[tuple[Matrix, Expected | None]]) -> None:
    """Several matrices under one line of column names, written as they are made: a run of many
    policies has a quarter of a million cells."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for matrix, expected in matrices:
        writer.writerows(_rows(matrix, expected))


def _rows(matrix: Matrix, expected: Expected | None) -> Iterator[tuple[object, ...]]:
    parities = matrix.parities()
    for key, seen in matrix.cells.items():
        flow = seen.flow
        wanted = None if expected is None else expected.get(key)
        yield (
            matrix.title,
            matrix.kind.value,
            flow.family.value,
            flow.source.name,
            flow.source.node,
            flow.destination.name,
            flow.destination.node,
            flow.asked,
            flow.address,
            seen.outcome.value,
            wanted or "",
            state_of(seen.outcome, wanted).value,
            parities[edge_of(flow)].value,
            wanted.because if wanted else "",
            seen.reason,
            seen.attempts,
            f"{seen.waited:.3f}",
            "" if seen.latency is None else f"{seen.latency * 1000:.3f}",
            "" if seen.arrived is None else str(seen.arrived).lower(),
            seen.answered_by,
            seen.peer_saw or "",
        )
