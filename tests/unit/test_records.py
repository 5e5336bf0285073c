"""What a run writes down has the form that it always had, to the letter, and is read back."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from fixtures.run.state import RunState
from sixproof import records
from sixproof.errors import RecordError, Subject, UsageError
from sixproof.model import Endpoint, Finding
from sixproof.reporting.results.part_files import PartFiles, PartWriter
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, Convergence
from tests.unit import recorded

KEPT = Path(__file__).parent / "kept"


def kept(name: str) -> str:
    """What an earlier version wrote."""
    return (KEPT / name).read_text(encoding="utf-8")


def but_ledger(path: Path) -> str:
    """results.json without its ledger, which is derived and grows with the guide."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r'"ledger": \[.*?\n \]', '"ledger": []', text, flags=re.DOTALL)


def test_part_files_have_their_form(tmp_path: Path) -> None:
    for part in recorded.PARTS:
        PartWriter(tmp_path, "gw0").write(part)

    assert (tmp_path / "gw0.jsonl").read_text() == kept("parts.jsonl")


@pytest.mark.parametrize("name", ["parts.jsonl", "parts-v1.jsonl"])
def test_part_files_of_an_earlier_version_are_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "gw0.jsonl").write_text(kept(name))
    found = PartFiles.read(tmp_path)

    assert found.damaged == ()
    assert found.cases[1] == recorded.PLAIN
    assert found.matrices[0].expected == recorded.JUDGED.expected
    assert found.matrices[1] == recorded.UNJUDGED
    assert found.findings[:2] == (recorded.FINDING, recorded.SHORT)
    assert found.facts == recorded.BARE


@pytest.mark.parametrize(
    ("results", "name"),
    [(recorded.RESULTS, "results"), (recorded.HOLLOW, "hollow")],
    ids=["everything", "nothing"],
)
def test_results_have_their_form(tmp_path: Path, results: Results, name: str) -> None:
    """Both versions are read; the second is written."""
    results.write(tmp_path / "new.json")
    Results.read(KEPT / f"{name}.json").write(tmp_path / "again.json")
    Results.read(KEPT / f"{name}-v1.json").write(tmp_path / "from-v1.json")

    for file in ("new.json", "again.json", "from-v1.json"):
        assert but_ledger(tmp_path / file) == kept(f"{name}.json")


@pytest.mark.parametrize(
    ("state", "name"),
    [(recorded.STATE, "state.json"), (recorded.BLOCKED, "blocked.json")],
    ids=["everything", "nothing"],
)
def test_the_state_of_a_run_has_its_form(state: RunState, name: str) -> None:
    text = json.dumps(records.to_json(state))

    assert text + "\n" == kept(name)
    assert records.from_json(RunState, json.loads(text)) == state


def test_what_is_left_out_has_its_default() -> None:
    assert records.from_json(Endpoint, {"name": "far", "kind": "service"}) == recorded.NOWHERE


def test_a_finding_keeps_the_object_that_it_is_about() -> None:
    pool = Subject("IPPool", "six")
    found = dataclasses.replace(recorded.FINDING, subject=pool.place, object=pool)
    value = records.to_json(found)
    assert value["object"] == {"kind": "IPPool", "name": "six", "node": "", "part": ""}
    assert records.from_json(Finding, json.loads(json.dumps(value))) == found


def test_members_of_a_later_version_are_passed_over() -> None:
    value = {**records.to_json(recorded.PLAIN), "later": 1}
    assert records.from_json(Case, value) == recorded.PLAIN


def test_whole_numbers_are_numbers_and_nothing_else_is() -> None:
    assert records.from_json(Convergence, {"what": "x", "seconds": 2}).seconds == 2
    with pytest.raises(RecordError, match="seconds: must be a number, is True"):
        records.from_json(Convergence, {"what": "x", "seconds": True})


@pytest.mark.parametrize(
    ("way", "value", "said"),
    [
        ("facts", [], "facts: must be an object, is []"),
        ("facts.nodes", "abc", "facts.nodes: must be a list, is 'abc'"),
        ("facts.nodes.0.addresses.1", "192.0.2.300", "nodes[0].addresses[1]: '192.0.2.300' does"),
        ("facts.nodes.0.pod_cidrs.0", 4, "nodes[0].pod_cidrs[0]: must be text, is 4"),
        ("facts.nodes.0.ready", "yes", "nodes[0].ready: must be true or false, is 'yes'"),
        ("facts.pod_mtu", 1.5, "facts.pod_mtu: must be an integer, is 1.5"),
        ("facts.encapsulation.0", ["IPv6"], "encapsulation[0]: must hold 2 elements, holds 1"),
        ("facts.pod_families.0", "IPv5", "pod_families[0]: 'IPv5' is not a valid Family"),
        ("outside.others.0.labels", {"a": None}, "others[0].labels: must be text, is None"),
        ("topology.leftOut", None, "topology.leftOut: must be a list, is None"),
        ("topology.run", "A run!", "topology.run: run id 'A run!' is not 1 to 12"),
        ("topology.key", ..., "topology: 'key' is missing"),
        ("imageSource", ..., "imageSource: 'imageSource' is missing"),
    ],
)
def test_what_is_wrong_is_reported_with_its_place(way: str, value: object, said: str) -> None:
    *parents, last = way.split(".")
    state = json.loads(kept("state.json"))
    holder = state
    for name in parents:
        holder = holder[int(name) if name.isdigit() else name]
    if value is ...:
        del holder[last]
    else:
        holder[int(last) if last.isdigit() else last] = value

    with pytest.raises(RecordError, match=re.escape(said)):
        records.from_json(RunState, state)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"outcome": "TOO_BIG"', '"outcome": "HUGE"', "matrices[0]: 'HUGE' is not a valid Outcome"),
        ('"judged": true, ', "", "matrices[0]: 'judged' is missing"),
        ('"serviceAccount": "default"', '"serviceAccount": 1', "matrices[0].serviceAccount: must"),
        ('"exitStatus": 1', '"exitStatus": "1"', "run.exitStatus: must be an integer, is '1'"),
        ('"environment": {', '"environment": {"a": 1, ', "environment: must be text, is 1"),
    ],
)
def test_what_is_wrong_in_a_file_of_v1_is_reported(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    path = tmp_path / "results.json"
    path.write_text(kept("results-v1.json").replace(old, new))
    with pytest.raises(UsageError, match=re.escape(f"schema sixproof/results/v1: {said}")):
        Results.read(path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"outcome":"TOO_BIG"', '"outcome":"HUGE"', "tables: 'HUGE' is not a valid Outcome"),
        ('"judged":true,', "", "matrices[0]: 'judged' is missing"),
        ('"serviceAccount":"default"', '"serviceAccount":1', "tables.serviceAccount: must be text"),
        ('"exitStatus":1', '"exitStatus":"1"', "run.exitStatus: must be an integer, is '1'"),
        ('"source":[0,0,1,0]', '"source":[0,0,9,0]', "there is no entry 9 in a table of 4"),
        ('"source":[0,0,1,0]', '"source":[0,0,-1,0]', "there is no entry -1 in a table of 4"),
        ('"source":[0,0,1,0]', '"source":[0,0,true,0]', "no entry True in a table of 4"),
        ('"source":[0,0,1,0]', '"source":[0,0,1]', "target has 4 values, source 3"),
        ('"target":[0,1,2,3],', "", "matrices[0]: target is missing"),
        ('"texts": [', '"texts": [1,', "tables: must be text, is 1"),
        ('"destination":1', '"destination":7', "tables: there is no entry 7 in a table of 4"),
    ],
)
def test_what_is_wrong_in_a_file_is_reported(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "results.json"
    text = kept("results.json")
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        Results.read(path)
    assert "not of the schema sixproof/results/v2: " in str(caught.value)
