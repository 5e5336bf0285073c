"""results.json and the part files that it is made of, also those of killed workers."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from sixproof import records
from sixproof.agent.protocol import IpSetSeen
from sixproof.errors import NotAsked, UsageError
from sixproof.model import Family, Finding, Severity
from sixproof.probes.nodes.examination import FailureReading, IpSetsReading, NodeReading
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.part_files import PartFiles, PartWriter
from sixproof.reporting.results.results_json import SCHEMA, Results
from sixproof.reporting.results.skip import Skip
from sixproof.reporting.results.test_record import (
    Case,
    CaseOutcome,
    Convergence,
    Foreign,
    RunRecord,
)
from tests.unit.reporting.samples import all_open, facts, topology, v6_tunnel_broken

MATRIX = topology(v6_tunnel_broken)
MEASURED = Measured(MATRIX, all_open(MATRIX), "test_pods.py::test_mesh", headline=True)
CASE = Case(
    "test_pods.py::test_mesh[IPv6]",
    CaseOutcome.FAILED,
    seconds=1.25,
    title="Pods reach pods",
    message="all IPv6 ...",
    covers=("L1", "M3"),
    family=Family.IPV6,
)
SKIPPED = Case("t.py::t", CaseOutcome.SKIPPED, reason="needs the raw tier", enable="--six-raw on")
TIME = Convergence("apply deny-all", 0.875, Family.IPV4, 3, "t.py::t")
FINDING = Finding("P1", Severity.ERROR, "node worker", "forwarding is 0", "1", "sysctl -w ...")
RUN = RunRecord("six-1", "2026-11-23T02:00:00Z", "2026-11-23T02:01:00Z", 60.0, "0.1.0", 1)


def results() -> Results:
    """A run with one of everything."""
    return Results(
        RUN,
        environment=(("Kubernetes", "v1.37.0"),),
        facts=facts(),
        findings=(FINDING,),
        cases=(CASE, SKIPPED),
        convergences=(TIME,),
        matrices=(MEASURED,),
        damaged=("gw1.jsonl line 3: cut off",),
    )


def test_what_agents_ignored_is_reported_once_a_place(tmp_path: Path) -> None:
    """Two workers heard of the same agent, the later of them more; two agents share a node."""
    for worker, heard in (
        ("gw0", [Foreign("h/w", "node w", 20, 0), Foreign("a/w", "node w", 1, 1)]),
        ("gw1", [Foreign("h/w", "node w", 25, 0), Foreign("/outside", "outside", 0, 1)]),
    ):
        for one in heard:
            PartWriter(tmp_path, worker).write(one)

    lines = [f"{f.severity} {f.subject}: {f.seen}" for f in PartFiles.read(tmp_path).findings]

    assert lines == [
        "note node w: 26 foreign datagrams and 1 foreign connection were ignored",
        "note outside: 1 foreign connection was ignored",
    ]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "results.json"
    results().write(path)
    assert Results.read(path) == results()
    assert [p.name for p in path.parent.iterdir()] == ["results.json"]


def test_the_file_says_its_schema_and_holds_every_observation(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    results().write(path)
    value = json.loads(path.read_text())
    assert value["schema"] == SCHEMA == "sixproof/results/v2"
    (matrix,) = value["matrices"]
    cells = matrix["cells"]
    assert len(cells["answer"]) == len(MATRIX.cells)
    wrong = next(a for a in value["answers"] if a["outcome"] == "DROPPED")
    assert value["answers"].index(wrong) in cells["answer"]
    assert wrong["expected"] == ["ALLOWED"]
    assert wrong["state"] == "must be allowed"
    assert wrong["arrived"] is False
    assert value["counts"]["failed"] == 1
    assert next(row for row in value["ledger"] if row["code"] == "F2")["cases"] == ["F2/M3"]


def test_a_test_and_a_matrix_take_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    results().write(path)
    starts = [line[:20] for line in path.read_text().splitlines()]
    assert sum(line.startswith('  {"nodeid"') for line in starts) == 2
    assert sum(line.startswith('  {"title"') for line in starts) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        ("[]", "not an object"),
        ('{"schema": "sixproof/results/v9"}', "sixproof/results/v9"),
        ('{"schema": "sixproof/results/v1"}', "not of the schema"),
        ('{"schema": "sixproof/results/v2"}', "not of the schema"),
        ('{"schema": ["sixproof/results/v2"]}', "this version reads"),
    ],
    ids=["empty", "list", "newer", "hollow-v1", "hollow", "no-text"],
)
def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        Results.read(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Results.read(tmp_path / "results.json")


def test_parts_of_all_workers_come_together(tmp_path: Path) -> None:
    first, second = PartWriter(tmp_path / "parts", "gw0"), PartWriter(tmp_path / "parts", "gw1")
    for part in (CASE, TIME, FINDING, facts()):
        first.write(part)
    for each in (SKIPPED, MEASURED, FINDING):
        second.write(each)
    parts = PartFiles.read(tmp_path / "parts")
    assert parts == PartFiles((CASE, SKIPPED), (TIME,), (MEASURED,), (FINDING,), facts())


def test_no_part_at_all_is_an_empty_run(tmp_path: Path) -> None:
    assert PartFiles.read(tmp_path / "parts") == PartFiles()


def test_a_line_cut_off_by_a_kill_is_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path, "gw0")
    writer.write(CASE)
    writer.write(MEASURED)
    path = tmp_path / "gw0.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    parts = PartFiles.read(tmp_path)
    assert parts.cases == (CASE,)
    assert parts.matrices == ()
    assert parts.damaged == ("gw0.jsonl line 2: cut off while it was written",)


def test_damage_in_the_middle_does_not_hide_what_follows(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path, "gw0")
    writer.write(CASE)
    with (tmp_path / "gw0.jsonl").open("ab") as stream:
        stream.write(b'\xff\xfe{"kind"\n{"kind": "mystery", "value": {}}\n[1]\n\n')
    writer.write(SKIPPED)
    parts = PartFiles.read(tmp_path)
    assert parts.cases == (CASE, SKIPPED)
    assert [text.split(":")[0] for text in parts.damaged] == [
        "gw0.jsonl line 2",
        "gw0.jsonl line 3",
        "gw0.jsonl line 4",
    ]


@pytest.mark.parametrize(
    ("tries", "stands"),
    [
        (("passed", "skipped"), "skipped"),
        (("skipped", "passed"), "passed"),
        (("failed", "passed"), "failed"),
        (("broken", "skipped", "passed"), "broken"),
        (("passed", "failed"), "failed"),
        (("failed", "broken"), "broken"),
    ],
)
def test_another_try_does_not_undo_a_verdict(
    tmp_path: Path, tries: tuple[str, ...], stands: str
) -> None:
    """Whoever ran a test again: what ended badly stands, else the last."""
    for number, outcome in enumerate(tries):
        PartWriter(tmp_path, f"gw{number}").write(Case(CASE.nodeid, CaseOutcome(outcome)))
    (case,) = PartFiles.read(tmp_path).cases
    assert case.outcome == stands


def test_what_the_controller_knows_stands_before_the_parts() -> None:
    parts = PartFiles(cases=(CASE,), matrices=(MEASURED,))
    merged = Results.of(RUN, parts, cases=[SKIPPED], facts=facts())
    assert merged.cases == (SKIPPED,)
    assert merged.facts == facts()
    assert Results.of(RUN, parts).cases == (CASE,)


def test_a_matrix_without_expectation_stays_without() -> None:
    bare = Measured(MATRIX)
    assert records.from_json(Measured, records.to_json(bare)) == bare
    assert bare.disagreements() == ()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (NotAsked("why"), "why"),
        (NotAsked("why", "--six-raw on"), "why -- enable: --six-raw on"),
        (NotAsked("closed", "a policy", unproven=True), "NOT PROVEN: closed -- enable: a policy"),
    ],
)
def test_a_skip_says_why_and_how_to_enable(error: NotAsked, text: str) -> None:
    assert str(Skip.of(error)) == text


def test_what_several_tests_find_is_reported_once() -> None:
    other = dataclasses.replace(FINDING, subject="node worker2")
    found = Results.of(RUN, PartFiles(findings=(FINDING, FINDING, other))).findings
    assert found == (FINDING, other)


def test_what_nodes_said_at_a_failure_is_kept(tmp_path: Path) -> None:
    """From a worker's part to results.json, and back."""
    sets = [IpSetSeen("cali60s:abc", "IPv6", 1, ["2001:db8::1"], [])]
    reading = FailureReading(
        CASE.nodeid, [NodeReading("worker", missing="gone")], [IpSetsReading("worker", sets)]
    )
    PartWriter(tmp_path / "parts").write(reading)
    parts = PartFiles.read(tmp_path / "parts")
    assert parts.failures == (reading,)
    Results.of(RunRecord("six-1"), parts).write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json").failures == (reading,)
