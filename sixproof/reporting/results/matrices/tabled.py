"""Matrices as ``sixproof/results/v2`` has them: a column per kind of value, which refers to tables.

A matrix is also written alone, with tables of its own, into the part files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sixproof import records
from sixproof.errors import RecordError
from sixproof.model import Edge, Expectation, Family, Flow, Matrix, MatrixKind, Observation
from sixproof.reporting.results.matrices import first_version
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.matrices.tables import NAMES, Tables, TableWriter

SCHEMA = "sixproof/results/v2"

COLUMNS = (
    *("source", "target", "answer", "waitedMicroseconds", "latencyMicroseconds"),
    *("peerSaw", "peerPort", "answeredBy", "nextHop", "nonce"),
)
"""The members of `cells`; one without a value in any cell is left out."""
_NEEDED = COLUMNS[:3]


def written(measured: Measured, tables: TableWriter) -> dict[str, Any]:
    """One object of the member `matrices`, the cells of which refer to these tables."""
    columns: dict[str, list[Any]] = defaultdict(list)
    expected = measured.expected or {}
    for key, seen in measured.matrix.cells.items():
        values = (
            *tables.ends(seen.flow),
            tables.answer(seen, expected.get(key)),
            round(seen.waited * 1e6),
            None if seen.latency is None else round(seen.latency * 1e6),
            tables.text(seen.peer_saw),
            seen.peer_port,
            tables.text(seen.answered_by),
            tables.text(seen.next_hop),
            seen.nonce or None,
        )
        for name, value in zip(COLUMNS, values, strict=True):
            columns[name].append(value)
    return {
        "title": measured.matrix.title,
        "kind": measured.matrix.kind.value,
        **records.full({"test": measured.test}),
        "headline": measured.headline,
        "judged": measured.expected is not None,
        "cells": {
            name: values
            for name, values in columns.items()
            if name in _NEEDED or any(value is not None for value in values)
        },
    }


def _alone(measured: Measured) -> dict[str, Any]:
    """A matrix with its tables."""
    tables = TableWriter()
    matrix = written(measured, tables)
    return {**matrix, "tables": {name: list(each) for name, each in tables.written().items()}}


def with_tables(value: dict[str, Any]) -> dict[str, Any]:
    """An object of results.json, whose matrices bear the tables of the file; one of the first
    version is left as it is.

    Raises:
        RecordError: the tables are not of their form.
    """
    if value.get("schema") != SCHEMA:
        return value
    try:
        tables = records.from_json(Tables, {name: value[name] for name in NAMES if name in value})
    except RecordError as error:
        raise RecordError(f"tables.{error.path}".strip("."), error.reason) from error
    matrices = value.get("matrices")
    if not isinstance(matrices, list):
        return value
    return {**value, "matrices": [_bearing(matrix, tables) for matrix in matrices]}


def _bearing(matrix: Any, tables: Tables) -> Any:
    return {**matrix, "tables": tables} if isinstance(matrix, dict) else matrix


def _read(value: Mapping[str, Any]) -> Measured:
    """A matrix of either version.

    Raises:
        RecordError, KeyError, TypeError, ValueError: it is not of that form.
    """
    if "tables" not in value:
        return first_version.read(value)
    tables = value["tables"]
    if not isinstance(tables, Tables):
        tables = records.from_json(Tables, tables)
    expected: dict[tuple[Family, Edge], Expectation] = {}
    cells: dict[tuple[Family, Edge], Observation] = {}
    for row in _rows(value["cells"]):
        flow, key = tables.flow(*row[:2])
        cells[key], wanted = _cell(row, flow, tables)
        if wanted:
            expected[key] = wanted
    return Measured(
        matrix=Matrix(value["title"], cells, MatrixKind(value["kind"])),
        expected=expected if value["judged"] else None,
        test=value.get("test", ""),
        headline=bool(value.get("headline")),
    )


records.own_form(Measured, _alone, _read)


def _rows(cells: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The values of each cell, in the order of `COLUMNS`."""
    lengths = {name: len(cells[name]) for name in COLUMNS if name in cells}
    count = lengths.get("source", 0)
    if wrong := [name for name, length in lengths.items() if length != count]:
        raise ValueError(f"{wrong[0]} has {lengths[wrong[0]]} values, source {count}")
    if missing := [name for name in _NEEDED if count and name not in cells]:
        raise ValueError(f"{missing[0]} is missing")
    nothing = [None] * count
    return list(zip(*(cells.get(name, nothing) for name in COLUMNS), strict=True))


def _cell(
    row: tuple[Any, ...], flow: Flow, tables: Tables
) -> tuple[Observation, Expectation | None]:
    source, target, number, waited, latency, saw, port, by, hop, nonce = row
    answer = tables.answer(number)
    reason, wanted = tables.words(source, target, number)
    observation = Observation(
        flow=flow,
        outcome=answer.outcome,
        reason=reason,
        attempts=answer.attempts,
        waited=(waited or 0) / 1e6,
        latency=None if latency is None else latency / 1e6,
        peer_saw=tables.address(saw),
        peer_port=port,
        answered_by=tables.text(by),
        arrived=answer.arrived,
        nonce=nonce or "",
        icmp=answer.icmp,
        untold=answer.untold,
        stalled=answer.stalled,
        next_hop=tables.address(hop),
    )
    return observation, wanted
