"""Allure results of a run in miniature, as Allure's own reader will see them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from allure_commons.types import AttachmentType

from sixproof.model import Expectation, Outcome
from sixproof.reporting.allure import steps as allure
from sixproof.reporting.allure.render import shared_ids
from sixproof.reporting.diagnosis.category import rules_json
from sixproof.reporting.results.results_json import Results
from tests.unit.reporting.sample_run import run_pytest, run_sample
from tests.unit.reporting.samples import all_open, topology, works


@pytest.fixture(scope="module")
def latest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of a run in which the IPv6 tunnel between two nodes is broken."""
    directory = tmp_path_factory.mktemp("sample")
    done = run_sample(directory, "broken")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "5 failed, 4 passed, 1 skipped" in done.stdout
    return directory / "latest"


@pytest.fixture(scope="module")
def tests(latest: Path) -> dict[str, dict[str, Any]]:
    """Every test's result by its title."""
    paths = (latest / "allure-results").glob("*-result.json")
    values = [json.loads(path.read_text()) for path in paths]
    return {value["name"]: value for value in values}


def labels(result: dict[str, Any], name: str) -> list[str]:
    """A result's labels of a name."""
    return [label["value"] for label in result["labels"] if label["name"] == name]


def steps(result: dict[str, Any]) -> list[str]:
    """The titles of a result's steps."""
    return [step["name"] for step in result["steps"]]


def test_a_failing_test_carries_its_evidence(tests: dict[str, dict[str, Any]]) -> None:
    result = tests["Every pod reaches every pod"]
    assert result["status"] == "failed"
    message = result["statusDetails"]["message"]
    assert "all IPv6 TCP and UDP flows from worker to worker2 and back are DROPPED" in message
    assert message.endswith("class: IPv6-only failure")
    assert steps(result)[-1] == "Then every flow is carried"
    attached = {a["name"]: a["type"] for a in result["steps"][-1]["attachments"]}
    assert list(attached.values()) == [
        "image/svg+xml",
        "image/svg+xml",
        "text/plain",
        "text/html",
        "text/csv",
    ]
    assert next(iter(attached)).startswith("Pod to pod, IPv6: 270 of 324 cells")


def test_a_broken_harness_is_no_verdict(tests: dict[str, dict[str, Any]]) -> None:
    assert tests["Full size packet passes"]["status"] == "broken"


def test_tests_are_filed_by_epic_feature_story(tests: dict[str, dict[str, Any]]) -> None:
    result = tests["Every pod reaches every pod"]
    assert labels(result, "epic") == [allure.EPIC]
    assert labels(result, "feature") == ["Pod to pod"]
    assert labels(result, "story") == ["all nodes, all ports"]
    assert labels(result, "severity") == ["critical"]


def test_a_docstring_is_prose_and_not_code(tests: dict[str, dict[str, Any]]) -> None:
    description = tests["Every pod reaches every pod"]["description"]
    assert "\n\nWhy: RFC 4291" in description


def test_volatile_values_stay_out_of_the_history(tests: dict[str, dict[str, Any]]) -> None:
    (parameter,) = tests["Every pod reaches every pod"]["parameters"]
    assert parameter["excluded"] is True


def test_history_ids_are_unique_and_stable(
    latest: Path, tests: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    assert shared_ids(latest / "allure-results") == ()
    run_sample(tmp_path, "healthy", "-k", "service_answers")
    paths = (tmp_path / "latest" / "allure-results").glob("*-result.json")
    again = {v["name"]: v["historyId"] for v in (json.loads(p.read_text()) for p in paths)}
    assert len(again) == 2
    assert all(tests[name]["historyId"] == history for name, history in again.items())


def test_tests_that_share_a_history_id_are_found(tmp_path: Path) -> None:
    for number, name in enumerate(("a", "b", "b")):
        value = {"historyId": "h", "fullName": name, "parameters": [{"name": "p", "value": "1"}]}
        (tmp_path / f"{number}-result.json").write_text(json.dumps(value))
    (tmp_path / "9-result.json").write_text('{"cut')
    assert shared_ids(tmp_path) == (("a [('p', '1')]", "b [('p', '1')]"),)


def test_the_run_has_its_matrix_and_its_metadata(latest: Path) -> None:
    directory = latest / "allure-results"
    attached = [
        attachment["name"]
        for path in directory.glob("*-globals.json")
        for attachment in json.loads(path.read_text())["attachments"]
    ]
    assert "Summary" in attached
    assert any(name.startswith("Pod to pod, IPv6") for name in attached)
    assert (directory / "categories.json").read_text() == rules_json()
    assert "IPv6\\ encap = VXLAN\n" in (directory / "environment.properties").read_text()
    assert json.loads((directory / "executor.json").read_text())["type"] == "local"


def test_the_same_run_is_in_results_json(latest: Path) -> None:
    results = Results.read(latest / "results.json")
    assert len(results.matrices) == 5
    assert len(results.cases) == 10
    assert len(results.findings) == 1


@pytest.mark.parametrize(("brief", "kinds"), [(True, 1), (False, 4)])
def test_what_is_brief_is_attached_as_text(
    brief: bool, kinds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of tests of many matrices; but a wrong one is shown in full."""
    attached: list[tuple[str, AttachmentType]] = []
    monkeypatch.setattr(allure, "active", lambda: True)
    monkeypatch.setattr(allure, "_attach", lambda name, _, kind: attached.append((name, kind)))
    matrix = topology(works)

    allure.attach_matrix(matrix, all_open(matrix), brief=brief)
    assert len({kind for _, kind in attached}) == kinds

    attached.clear()
    wrong = {key: Expectation(frozenset({Outcome.DROPPED}), "it is") for key in all_open(matrix)}
    allure.attach_matrix(matrix, wrong, brief=brief)
    assert len({kind for _, kind in attached}) == 4


def test_without_allure_nothing_happens(tmp_path: Path) -> None:
    """This test run collects no Allure results, or collects them elsewhere: no call may fail."""
    matrix = topology(works)
    with allure.step("Given"):
        allure.label(feature="f", title="t", description="d", tags=["x"])
        allure.parameter("address", "fd00::1")
        allure.attach_json("j", {"a": 1})
        allure.attach_svg("s", "<svg/>")
        allure.attach_yaml("y", "a: 1")
        allure.attach_matrix(matrix, all_open(matrix))
    allure.attach_to_run("r", "text", "text")
    allure.run_errors(["went wrong"])
    assert not list(tmp_path.iterdir())


OVERSIZE = """
from sixproof.reporting.allure import steps as allure
def test_sizes():
    allure.attach_text("long", "x" * (allure.LIMIT + 10))
    allure.attach_html("page", "x" * (allure.LIMIT + 10))
allure.attach_text("no test is running", "so this has no place")
"""


def test_attachments_are_bounded(tmp_path: Path) -> None:
    """A single-file report holds every attachment of a run."""
    (tmp_path / "test_sizes.py").write_text(OVERSIZE)
    results = tmp_path / "results"
    done = run_pytest(tmp_path, f"--alluredir={results}")
    assert done.returncode == 0, done.stdout
    (path,) = results.glob("*-result.json")
    attached = {a["name"]: a for a in json.loads(path.read_text())["attachments"]}
    texts = {name: (results / a["source"]).read_bytes() for name, a in attached.items()}
    assert len(texts["long"]) < allure.LIMIT + 100
    assert texts["long"].endswith(b"shown are 262144\n")
    assert attached["page"]["type"] == "text/plain"
    assert texts["page"].startswith(b"262154 bytes, over the limit")
