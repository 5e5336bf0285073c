"""Reading the results of an earlier run, which may come from anywhere."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sixproof.errors import UsageError
from sixproof.reporting.compare import baseline
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import CaseOutcome
from tests.unit.reporting.compare.two_runs import case, mesh, on, run, written
from tests.unit.reporting.samples import facts

KEPT = Path(__file__).parents[2] / "kept"
WANTED = "wanted the results.json of a run, or the directory of its report"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """The report of a run with a fault."""
    return written(tmp_path / "report", run(1, mesh(on("worker"))))


def refused(path: Path) -> str:
    """Why a file is refused, at its beginning or as a whole; a line without odd characters."""
    with pytest.raises(UsageError) as why:
        baseline.read_baseline(path)
    assert str(why.value).isprintable()
    assert len(str(why.value)) < 1000
    return str(why.value)


def refused_at_once(path: Path) -> str:
    """Why a file is refused at its beginning, and as a whole in the end."""
    with pytest.raises(UsageError) as why:
        baseline.head(path)
    assert str(why.value).isprintable()
    refused(path)
    return str(why.value)


def test_a_report_is_read_by_its_directory_or_its_file(report: Path, tmp_path: Path) -> None:
    """And by a link, such as reports/latest."""
    (tmp_path / "latest").symlink_to(report)
    for path in (report, report / "results.json", tmp_path / "latest"):
        assert baseline.head(path).facts == facts()
        digest = baseline.read_baseline(path)
        assert digest.run.id == "a1b1c1"
        assert len(digest.causes) == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Said with what is wanted."""
    assert refused_at_once(tmp_path / "x").endswith(
        f"x cannot be read: No such file or directory; {WANTED}"
    )
    assert WANTED in refused_at_once(Path("bad\0name"))


def test_what_is_no_file(tmp_path: Path) -> None:
    """A pipe would be waited for."""
    os.mkfifo(tmp_path / "pipe")
    assert "is no file" in refused_at_once(tmp_path / "pipe")
    assert "is no file" in refused_at_once(Path(os.devnull))


def test_a_file_that_is_too_large(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read."""
    monkeypatch.setattr(baseline, "LARGEST", 100)
    assert "is larger than 0 MiB" in refused_at_once(report)


def test_a_file_that_may_not_be_read(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """root may read all, so the answer is played."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "permission denied" in refused_at_once(report)


def test_a_file_that_fails_while_it_is_read(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is broken."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", fail)
    assert "cannot be read: Input/output error" in refused_at_once(report)


def changed(path: Path, change: Callable[[Any], Any], *, indent: int | None = None) -> Path:
    """A results file whose JSON was changed, laid out as runs do or by another program."""
    file = path / "results.json"
    value = json.loads(file.read_text(encoding="utf-8"))
    value = change(value) or value
    lines = ",\n ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
    text = f"{{\n {lines}\n}}\n" if indent is None else json.dumps(value, indent=indent or None)
    file.write_text(text, encoding="utf-8")
    return path


def schema(value: Any) -> None:
    """Another schema."""
    value["schema"] = "sixproof/results/v9\x1b"


@pytest.mark.parametrize("indent", [None, 0, 2])
def test_another_schema(report: Path, indent: int | None) -> None:
    """Said at once where the file is laid out as runs do, and in any case before it is used."""
    changed(report, schema, indent=indent)
    why = refused(report)
    assert "sixproof/results/v9" in why
    assert "this version reads sixproof/results/v1 and sixproof/results/v2" in why
    if indent == 0:  # all of it is one line
        assert baseline.head(report).facts is None
    else:
        assert "other version of sixproof" in refused_at_once(report)


@pytest.mark.parametrize("indent", [0, 2])
def test_a_file_that_another_program_laid_out(report: Path, indent: int) -> None:
    """jq writes the same in other lines."""
    changed(report, lambda _: None, indent=indent)
    baseline.head(report)
    assert baseline.read_baseline(report).facts == facts()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "schema: x", "\x00\x00", "PK\x03\x04", '"sixproof/results/v1"', "null", "\n\n"],
)
def test_what_is_no_object(tmp_path: Path, text: str) -> None:
    """A YAML file, an archive, nothing."""
    (tmp_path / "results.json").write_text(text)
    assert "holds no JSON object" in refused_at_once(tmp_path)


def test_a_folder_without_results(tmp_path: Path) -> None:
    """Its whole name: "." says nothing."""
    assert refused_at_once(tmp_path).endswith(
        f"{tmp_path} holds no results.json: wanted the directory of a report, reports/latest, say"
    )


@pytest.mark.parametrize("text", ["{", "{}", '{\n "schema": \n}', '{"schema": ' + "[" * 90_000])
def test_what_only_begins_as_one(tmp_path: Path, text: str) -> None:
    """It is cut off, or made to exhaust the reader."""
    (tmp_path / "results.json").write_text(text)
    baseline.head(tmp_path)
    assert refused(tmp_path)


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    """Not text at all."""
    (tmp_path / "results.json").write_bytes(b'{"schema": "\xff\xfe"}')
    assert "cannot be read" in refused(tmp_path)


def no_object(value: Any) -> None:
    value["facts"] = [1]


def no_server(value: Any) -> None:
    value["facts"] = {"version": "v1"}


def no_address(value: Any) -> None:
    value["facts"]["nodes"][0]["addresses"] = ["\x1b[2J"]


@pytest.mark.parametrize("change", [no_object, no_server, no_address])
def test_facts_of_another_form(report: Path, change: Callable[[Any], Any]) -> None:
    """Said at once, with the member."""
    assert "facts." in refused_at_once(changed(report, change))


def no_outcome(value: Any) -> None:
    value["tests"][0]["outcome"] = "splendid"


def no_cells(value: Any) -> None:
    value["matrices"][0]["cells"] = 5


def no_end(value: Any) -> None:
    value["matrices"][0]["cells"]["source"][0] = 999


def no_expectation(value: Any) -> None:
    del value["answers"][0]["expected"]


def no_time(value: Any) -> None:
    for one in value["tests"]:
        one["started"] = "yesterday"


def no_run(value: Any) -> None:
    value["run"] = {}


def no_text(value: Any) -> None:
    value["answers"][0]["reason"] = 7


DAMAGES = [no_outcome, no_cells, no_end, no_expectation, no_time, no_run, no_text]


@pytest.mark.parametrize("change", DAMAGES, ids=lambda change: change.__name__)
def test_what_is_not_of_its_form(report: Path, change: Callable[[Any], Any]) -> None:
    """A line, never a traceback."""
    assert "results.json" in refused(changed(report, change))


def test_what_an_earlier_version_wrote_is_read() -> None:
    """The files that are kept of it."""
    assert baseline.head(KEPT / "results.json").facts is not None
    assert baseline.read_baseline(KEPT / "results.json").run.id == "six-1"
    assert baseline.head(KEPT / "hollow.json").facts is None
    assert "no test of this run passed or failed" in refused(KEPT / "hollow.json")


@pytest.mark.parametrize("outcome", [CaseOutcome.BROKEN, CaseOutcome.SKIPPED])
def test_a_run_without_a_verdict_is_no_baseline(tmp_path: Path, outcome: CaseOutcome) -> None:
    """Whatever it says, it measured nothing."""
    results = dataclasses.replace(run(1), cases=(case(outcome),))
    assert "nothing to compare with" in refused(written(tmp_path, results))


def test_the_head_says_whether_it_is_of_this_cluster(report: Path) -> None:
    """Before anything is made there."""
    head = baseline.head(report)
    head.check(facts())
    nodes = tuple(dataclasses.replace(n, name=f"x-{n.name}") for n in facts().nodes)
    with pytest.raises(UsageError, match=r"is the result of another cluster: .* a baseline is a"):
        head.check(dataclasses.replace(facts(), nodes=nodes))


def test_a_run_that_reached_no_cluster_is_of_any(tmp_path: Path) -> None:
    """Its tests say what they say."""
    results: Results = dataclasses.replace(run(1, mesh()), facts=None)
    head = baseline.head(written(tmp_path, results))
    assert head.facts is None
    head.check(facts())


def test_the_head_of_a_large_file_is_read_alone(report: Path) -> None:
    """However many cells follow, or whatever: it is judged when all is read."""
    with (report / "results.json").open("a", encoding="utf-8") as stream:
        stream.write("\x00" * (baseline.HEAD * 2))
    assert baseline.head(report).facts == facts()
    assert refused(report)
