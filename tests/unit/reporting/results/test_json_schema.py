"""The JSON Schema of results.json: that of the documents is today's, and files are valid."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

from sixproof.model import Family
from sixproof.reporting.results import json_schema
from sixproof.reporting.results.results_json import Results
from tests.unit import recorded
from tests.unit.reporting.conclusion import cluster

DOCUMENT = Path(__file__).parents[4] / "docs" / "results-v2.schema.json"
VALIDATE = fastjsonschema.compile(json_schema.document())


def written(path: Path, results: Results) -> dict[str, Any]:
    results.write(path)
    value = json.loads(path.read_text("utf-8"))
    assert isinstance(value, dict)
    return value


def test_the_document_is_what_the_classes_say() -> None:
    """Else run: python -m sixproof.reporting.results.json_schema > docs/results-v2.schema.json."""
    assert DOCUMENT.read_text("utf-8") == json_schema.text()


@pytest.mark.parametrize("results", [recorded.RESULTS, recorded.HOLLOW], ids=["all", "nothing"])
def test_what_is_written_is_valid(tmp_path: Path, results: Results) -> None:
    VALIDATE(written(tmp_path / "r.json", results))


def test_what_nodes_said_is_valid(tmp_path: Path) -> None:
    red = cluster.run(cluster.across(Family.IPV6, "worker"), cluster.examined())
    value = written(tmp_path / "r.json", red)
    assert value["examination"]["after"]
    VALIDATE(value)


@pytest.mark.parametrize(
    ("way", "junk"),
    [
        (("schema",), "sixproof/results/v1"),
        (("matrices", 0, "kind"), "poems"),
        (("matrices", 0, "cells", "source", 0), -1),
        (("matrices", 0, "cells", "nonce", 0), 7),
        (("answers", 0, "outcome"), "HUGE"),
        (("targets", 0, "port"), "http"),
        (("run", "id"), None),
        (("tests", 0, "outcome"), "fine"),
        (("facts", "nodes", 0, "ready"), "yes"),
        (("texts", 0), 1),
    ],
)
def test_what_is_not_of_the_form_is_not_valid(
    tmp_path: Path, way: tuple[Any, ...], junk: Any
) -> None:
    value = written(tmp_path / "r.json", recorded.RESULTS)
    changed = copy.deepcopy(value)
    holder = changed
    for key in way[:-1]:
        holder = holder[key]
    holder[way[-1]] = junk

    VALIDATE(value)
    with pytest.raises(fastjsonschema.JsonSchemaException):
        VALIDATE(changed)


def test_members_of_a_later_version_are_valid(tmp_path: Path) -> None:
    value = written(tmp_path / "r.json", recorded.RESULTS)
    value["later"] = {"a": 1}
    value["matrices"][0]["later"] = 1
    VALIDATE(value)
