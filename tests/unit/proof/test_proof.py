"""The proof: what tests of faults showed is kept, goes on where it was, and is counted right."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from sixproof.errors import RecordError
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.faults.proof.page import Totals, main, page
from tests.faults.proof.recorder import Recorder
from tests.faults.proof.trials import Proof, Trial, add, latest, read
from tests.unit.reporting.samples import RUN

HEALTHY = Trial((), ("suites/pods",), 50, (), (), "", 20.0)
BROKEN = Trial(("I7 --node w",), ("suites/pods",), 40, ("a::t", "a::u"), (), "node w", 30.0, 9.0)
FOUND = Proof(
    "f::found", "c1", "dual", "2026-11-30", True, "", (BROKEN, HEALTHY), ("w", "drops"), ()
)


def test_a_file_grows_and_the_last_of_a_commit_counts(tmp_path: Path) -> None:
    path = tmp_path / "new" / "proof.jsonl"
    assert read(path) == ()
    failed = dataclasses.replace(FOUND, passed=False, failure="AssertionError: no")
    other = dataclasses.replace(FOUND, commit="c2")
    for proof in (failed, FOUND, other):
        add(path, proof)
    assert read(path) == (failed, FOUND, other)
    assert latest(read(path), "c1") == {"f::found": FOUND}


def test_a_line_that_a_killed_process_left_unfinished_is_passed_over(tmp_path: Path) -> None:
    """Whoever comes after it begins a line of its own."""
    path = tmp_path / "proof.jsonl"
    add(path, FOUND)
    path.write_text(path.read_text("utf-8") + '{"test": "f::ki', encoding="utf-8")
    add(path, FOUND)
    assert read(path) == (FOUND, FOUND)


def test_a_line_of_another_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "proof.jsonl"
    path.write_text('{"test": "f::x", "passed": "yes"}\n', encoding="utf-8")
    with pytest.raises(RecordError):
        read(path)


def results(*cases: tuple[str, CaseOutcome]) -> Results:
    """Results of a run whose tests took two seconds each."""
    return Results(RUN, cases=tuple(Case(n, outcome, 2.0) for n, outcome in cases))


def test_a_run_is_taken_down_with_the_faults_in_force() -> None:
    """Those that were injected before it or meanwhile, until all are cleared."""
    recorder = Recorder()
    recorder.begin()
    recorder.said(["inject", "I1", "--node", "w"])
    recorder.said(["status"])
    bad = results(
        ("a::t", CaseOutcome.PASSED), ("a::u", CaseOutcome.FAILED), ("a::v", CaseOutcome.BROKEN)
    )
    recorder.ran(["suites/mtu"], "I2 --node w", bad, 33.0)
    recorder.said(["clear"])
    recorder.ran(["suites/mtu"], "", results(("a::t", CaseOutcome.PASSED)), 11.0)
    first, second = recorder.trials
    assert first.faults == ("I1 --node w", "I2 --node w")
    assert (first.passed, first.red, first.detected) == (1, ("a::u", "a::v"), 4.0)
    assert first.seconds == 33.0
    assert (second.faults, second.red, second.detected) == ((), (), None)
    recorder.asked(["w", "drops"], "node w: a rule lets it through")
    assert (recorder.words, recorder.missing) == (["w", "drops"], ["drops"])
    recorder.begin()
    assert (recorder.trials, recorder.words, recorder.missing) == ([], [], [])


def test_the_totals_count_what_was_found_named_and_red_without_a_fault() -> None:
    unseen = dataclasses.replace(BROKEN, red=(), detected=None)
    alarm = dataclasses.replace(HEALTHY, red=("a::t",))
    missed = dataclasses.replace(
        FOUND, test="f::missed", passed=False, trials=(unseen, alarm), missing=("drops",)
    )
    meant = dataclasses.replace(FOUND, test="f::policies", trials=(alarm,), words=())
    totals = Totals.of((FOUND, missed, meant))
    assert totals == Totals(3, 2, 2, 1, 2, 1, 2, 1, ("2026-11-30",))
    assert str(totals) == (
        "faults found 1 of 2 (50 %), named in the first line 1 of 2 (50 %), false alarms 1 in 2 "
        "runs without a fault; 2 of 3 (66 %) tests of faults as expected"
    )


def test_nothing_tried_is_no_share() -> None:
    assert "faults found none tried" in str(Totals.of(()))


def test_the_page_has_a_row_for_each_test() -> None:
    text = page((dataclasses.replace(FOUND, passed=False, failure="it | was"),), "c1")
    assert text.startswith("2026-11-30, commit c1: faults found 1 of 1 (100 %)")
    (row,) = [line for line in text.splitlines() if line.startswith("| `")]
    assert row == "| `found` | I7 --node w | dual | 2 | 9 s | node w | **no**: it / was |"
    assert "median 9, worst 9, of 1 runs; the run itself takes 30 (median)" in text


def test_the_page_is_of_the_last_commit_and_its_status_says_whether_all_is_as_expected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "proof.jsonl"
    assert main([str(path)]) == 1
    assert "nothing was shown yet" in capsys.readouterr().err
    add(path, dataclasses.replace(FOUND, commit="c0", passed=False))
    add(path, FOUND)
    assert main([str(path)]) == 0
    assert "commit c1" in capsys.readouterr().out
    add(path, dataclasses.replace(FOUND, test="f::other", passed=False))
    assert main([str(path)]) == 1


TESTS = """
import pytest
from tests.faults.proof.recorder import CURRENT

def test_good():
    CURRENT.asked(["w"], "node w")

def test_bad():
    assert 1 == 2

@pytest.fixture
def torn():
    yield
    raise OSError("the end")

def test_torn(torn):
    pass

def test_skipped():
    pytest.skip("no bed")
"""


@pytest.fixture
def proof_file(pytester: pytest.Pytester) -> Path:
    """Where the plugin keeps what these tests show."""
    pytester.makepyfile(TESTS)
    return pytester.path / "proof.jsonl"


def proved(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """A run with the plugin."""
    plugin = ("-p", "tests.faults.proof.plugin", "--proof", "proof.jsonl")
    return pytester.runpytest_inprocess(*plugin, "-p", "no:cacheprovider", *arguments)


def test_a_proof_goes_on_where_it_was(pytester: pytest.Pytester, proof_file: Path) -> None:
    """What is shown is not run again; what failed, and what was not asked, is."""
    proved(pytester).assert_outcomes(passed=2, failed=1, errors=1, skipped=1)
    shown = {one.test.rpartition("::")[2]: one for one in read(proof_file)}
    assert {name: one.passed for name, one in shown.items()} == {
        "test_good": True,
        "test_bad": False,
        "test_torn": False,
    }
    assert shown["test_good"].words == ("w",)
    assert shown["test_bad"].failure == "assert 1 == 2"
    assert shown["test_torn"].failure == "OSError: the end"
    assert shown["test_bad"].commit
    proved(pytester).assert_outcomes(passed=1, failed=1, errors=1, skipped=1, deselected=1)


def test_a_sample_is_the_same_for_the_same_seed(
    pytester: pytest.Pytester, proof_file: Path
) -> None:
    def chosen(seed: str) -> list[str]:
        listed = proved(
            pytester, "--collect-only", "-q", "--proof-sample", "2", "--proof-seed", seed
        )
        return [line for line in listed.outlines if "::" in line]

    assert len(chosen("a")) == 2
    assert chosen("a") == chosen("a")
    assert len({tuple(chosen(seed)) for seed in "abcdef"}) > 1
