"""Matrices in results.json: what cells have in common is written once, and nothing is lost."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixproof import records
from sixproof.errors import RecordError, UsageError
from sixproof.model import (
    Endpoint,
    EndpointKind,
    Expectation,
    Family,
    Flow,
    Matrix,
    Observation,
    Outcome,
    Protocol,
    edge_of,
)
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import RunRecord
from tests.unit import recorded

KEPT = Path(__file__).parents[3] / "kept"


def pods(count: int) -> tuple[Endpoint, ...]:
    return tuple(
        Endpoint(
            f"a@worker{number}",
            EndpointKind.POD,
            (ipaddress.ip_address(f"fd00::{number + 1:x}"),),
            node=f"worker{number}",
        )
        for number in range(count)
    )


def mesh(count: int, because: str = "{0} may ask {1}", reason: str = "") -> Measured:
    """Every pod asks every other one; `because` and `reason` with their names."""
    seen, expected = [], {}
    for source in pods(count):
        for destination in pods(count):
            if source == destination:
                continue
            flow = Flow(source, destination, destination.addresses[0], Protocol.TCP, 8080)
            names = source.name, destination.name
            seen.append(Observation(flow, Outcome.ALLOWED, reason.format(*names), latency=0.000412))
            expected[Family.IPV6, edge_of(flow)] = Expectation.allowed(because.format(*names))
    return Measured(Matrix.of("mesh", seen), expected, "t.py::test")


def written(path: Path, *matrices: Measured) -> dict[str, Any]:
    """The members of the file of these matrices, once it was read back as it was."""
    results = Results(RunRecord("six-1"), matrices=matrices)
    results.write(path)
    assert Results.read(path) == results
    value = json.loads(path.read_text("utf-8"))
    assert isinstance(value, dict)
    return value


def test_equal_cells_have_one_answer(tmp_path: Path) -> None:
    value = written(tmp_path / "r.json", mesh(12), mesh(12))

    assert [answer["because"] for answer in value["answers"]] == ["<source> may ask <destination>"]
    assert len(value["endpoints"]) == len(value["targets"]) == 12
    assert value["matrices"][0] == value["matrices"][1]
    assert len(value["matrices"][0]["cells"]["answer"]) == 132


def test_a_cell_of_a_large_matrix_costs_few_bytes(tmp_path: Path) -> None:
    """200 000 cells of a run of all suites must stay below 30 MB."""
    written(tmp_path / "small.json", mesh(2))
    written(tmp_path / "large.json", mesh(30))
    more = (tmp_path / "large.json").stat().st_size - (tmp_path / "small.json").stat().st_size

    assert more / (30 * 29) < 100


@pytest.mark.parametrize(
    "text",
    [
        "{0} says <source> to {1}",  # the place itself is a part of the sentence
        "<destination>",
        "{1}{0}",
        "<{0}>",
        "a@worker1 is a part of a@worker10",
        "",
    ],
)
def test_sentences_are_read_back_to_the_letter(tmp_path: Path, text: str) -> None:
    """`written` compares, over names that are parts of others."""
    written(tmp_path / "r.json", mesh(12, because=text, reason=text))


def test_what_could_not_be_undone_is_left_verbatim(tmp_path: Path) -> None:
    value = written(tmp_path / "r.json", mesh(2, because="{0} says <source>"))

    assert {answer["because"] for answer in value["answers"]} == {
        "a@worker0 says <source>",
        "a@worker1 says <source>",
    }
    assert all(answer["verbatim"] for answer in value["answers"])


def test_endpoints_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """A pod that was made again has another address."""
    other = dataclasses.replace(pods(2)[1], addresses=(ipaddress.ip_address("fd00::99"),))
    flow = Flow(pods(2)[0], other, other.addresses[0], Protocol.TCP, 8080)
    again = Measured(Matrix.of("again", [Observation(flow, Outcome.DROPPED)]))
    value = written(tmp_path / "r.json", mesh(2), again)

    names = [endpoint["name"] for endpoint in value["endpoints"]]
    assert names == ["a@worker0", "a@worker1", "a@worker1"]


def test_equal_flows_are_one_object(tmp_path: Path) -> None:
    """So that the runner needs less memory."""
    written(tmp_path / "r.json", mesh(3), mesh(3))
    first, second = Results.read(tmp_path / "r.json").matrices

    for key, seen in first.matrix.cells.items():
        assert seen.flow is second.matrix.cells[key].flow
        assert first.expected is not None
        assert second.expected is not None
        assert first.expected[key] is second.expected[key]


@pytest.mark.parametrize("tables", [5, [], {"answers": [None]}, {"answers": [[]]}, {"texts": [1]}])
def test_tables_of_another_form_are_no_other_error(tables: Any) -> None:
    """A part file has them in each line, and a line that cannot be read costs that line alone."""
    matrix = records.to_json(recorded.JUDGED)
    assert records.to_json(records.from_json(Measured, matrix)) == matrix
    with pytest.raises(RecordError):
        records.from_json(Measured, {**matrix, "tables": tables})


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything in a JSON value."""
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    return [way, *(each for key, member in inner for each in places(member, (*way, key)))]


WHOLE = {name: json.loads((KEPT / name).read_text("utf-8")) for name in ("results.json",)}
WAYS = [way for way in places(WHOLE["results.json"]) if way]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(WAYS), JUNK)
def test_a_file_of_others_is_read_or_refused_in_a_sentence(way: tuple[Any, ...], junk: Any) -> None:
    value = json.loads(json.dumps(WHOLE["results.json"]))
    holder = value
    for key in way[:-1]:
        holder = holder[key]
    holder[way[-1]] = junk
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "results.json"
        path.write_text(json.dumps(value), encoding="utf-8")
        with contextlib.suppress(UsageError):
            Results.read(path)


def test_the_recorded_run_is_the_same_in_both_versions() -> None:
    old, new = (Results.read(KEPT / name) for name in ("results-v1.json", "results.json"))

    assert old == new
    assert new.matrices[1] == recorded.UNJUDGED
