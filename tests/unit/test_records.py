"""What a run writes down has the form that it always had, to the letter, and is read back."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fixtures.run.state import RunState
from sixproof.reporting.results.part_files import Parts, PartWriter
from sixproof.reporting.results.results_json import Results
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


def test_part_files_of_an_earlier_version_are_read(tmp_path: Path) -> None:
    (tmp_path / "gw0.jsonl").write_text(kept("parts.jsonl"))
    found = Parts.read(tmp_path)

    assert found.damaged == ()
    assert found.cases[1] == recorded.PLAIN
    assert found.matrices[1] == recorded.UNJUDGED
    assert found.findings[:2] == (recorded.FINDING, recorded.SHORT)
    assert found.facts == recorded.BARE


@pytest.mark.parametrize(
    ("results", "name"),
    [(recorded.RESULTS, "results.json"), (recorded.HOLLOW, "hollow.json")],
    ids=["everything", "nothing"],
)
def test_results_have_their_form(tmp_path: Path, results: Results, name: str) -> None:
    results.write(tmp_path / name)
    again = Results.read(KEPT / name)
    again.write(tmp_path / "again.json")

    assert but_ledger(tmp_path / name) == kept(name)
    assert but_ledger(tmp_path / "again.json") == kept(name)


@pytest.mark.parametrize(
    ("state", "name"),
    [(recorded.STATE, "state.json"), (recorded.BLOCKED, "blocked.json")],
    ids=["everything", "nothing"],
)
def test_the_state_of_a_run_has_its_form(state: RunState, name: str) -> None:
    text = json.dumps(state.to_json())

    assert text + "\n" == kept(name)
    assert RunState.from_json(json.loads(text)) == state
