"""The proof: what tests of faults showed is kept, goes on where it was, and is counted right."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from sixproof.errors import RecordError
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.faults.injection import ROOT
from tests.faults.proof.__main__ import main
from tests.faults.proof.page import Totals, page
from tests.faults.proof.plugin import commit
from tests.faults.proof.recorder import Recorder
from tests.faults.proof.trials import Proof, Trial, add, read, source_of
from tests.unit.reporting.samples import RUN

HEALTHY = Trial("dual", (), ("suites/pods",), 50, (), (), "", 20.0)
BROKEN = Trial(
    "dual", ("I7 --node w",), ("suites/pods",), 40, ("a::t", "a::u"), (), "node w", 30.0, 9.0
)
FOUND = Proof(
    "f::found",
    "c1",
    "2026-11-30",
    150,
    True,
    faults=("I7 --node w",),
    trials=(BROKEN, HEALTHY),
    words=("w", "drops"),
)


def test_a_file_grows_and_the_last_of_a_commit_counts(tmp_path: Path) -> None:
    path = tmp_path / "new" / "proof.jsonl"
    assert read(path, "c1") == ()
    failed = dataclasses.replace(FOUND, passed=False, failure="AssertionError: no")
    other = dataclasses.replace(FOUND, commit="c2", failure="torn \u2028 and \udc80")
    for proof in (failed, FOUND, other):
        add(path, proof)
    assert read(path, "c1") == (FOUND,)
    assert read(path, "c2") == (other,)


def test_a_record_of_a_test_that_was_changed_since_is_passed_over(tmp_path: Path) -> None:
    """By the digest of its source, which other tests of its file are no part of."""
    path = tmp_path / "proof.jsonl"
    file = Path(__file__).relative_to(ROOT)
    test = f"{file}::test_a_sample_is_the_same_for_the_same_seed_and_goes_on_where_it_was[x]"
    assert source_of(test) == source_of(test.removesuffix("[x]"))
    assert source_of(test) != source_of(f"{file}::test_what_is_not_there")
    now = dataclasses.replace(FOUND, test=test, source=source_of(test))
    before = dataclasses.replace(now, source="0" * 12)
    add(path, before)
    assert read(path, "c1") == ()
    add(path, now)
    add(path, FOUND)
    assert read(path, "c1") == (now, FOUND)


@pytest.mark.parametrize("left", [b'{"test": "f::ki', b'{"test": "\xc3', b"[]\n{}"])
def test_a_line_that_a_killed_process_left_unfinished_is_passed_over(
    tmp_path: Path, left: bytes
) -> None:
    """Whoever comes after it begins a line of its own."""
    path = tmp_path / "proof.jsonl"
    add(path, FOUND)
    path.write_bytes(path.read_bytes() + left)
    second = dataclasses.replace(FOUND, test="f::second")
    add(path, second)
    assert read(path, "c1") == (FOUND, second)


def test_a_line_of_another_form_is_refused_only_where_it_is_of_this_commit(tmp_path: Path) -> None:
    path = tmp_path / "proof.jsonl"
    path.write_text('{"test": "f::x", "commit": "c1", "passed": "yes"}\n', encoding="utf-8")
    assert read(path, "c2") == ()
    with pytest.raises(RecordError):
        read(path, "c1")


def results(*cases: tuple[str, CaseOutcome]) -> Results:
    """Results of a run whose tests took two seconds each."""
    return Results(
        RUN,
        environment=(("Kubernetes", "v1"), ("CNI", "Calico v3")),
        cases=tuple(Case(n, outcome, 2.0) for n, outcome in cases),
    )


def test_a_run_is_recorded_with_the_faults_in_force() -> None:
    """Those that were injected before it or meanwhile, until all are cleared."""
    recorder = Recorder()
    recorder.command(["inject", "I1", "--node", "w"])
    recorder.command(["status"])
    recorder.fault("I2 --node w")
    bad = results(
        ("a::t", CaseOutcome.PASSED), ("a::u", CaseOutcome.FAILED), ("a::v", CaseOutcome.BROKEN)
    )
    recorder.run(["suites/mtu"], bad, 33.0)
    recorder.run(["suites/mtu", "-n", "2", "/some/where/mine"], bad, 33.0)
    recorder.command(["clear"])
    recorder.run(["suites/mtu"], results(("a::t", CaseOutcome.PASSED)), 11.0)
    first, second, last = recorder.trials
    assert first.faults == ("I1 --node w", "I2 --node w")
    assert (first.passed, first.red, first.detected) == (1, ("a::u", "a::v"), 4.0)
    assert (first.seconds, second.detected) == (33.0, None)
    assert second.suites == ("suites/mtu", "-n", "2", "mine"), "no path of the machine"
    assert first.cluster == "Kubernetes v1, Calico v3"
    assert (last.faults, last.red, last.detected) == ((), (), None)
    recorder.expect(["w", "drops"], "node w: a rule lets it through")
    assert (recorder.words, recorder.missing) == (["w", "drops"], ["drops"])
    assert recorder.faults == ["I1 --node w", "I2 --node w"]
    recorder.begin()
    assert (recorder.trials, recorder.words, recorder.missing) == ([], [], [])
    assert recorder.faults == []


UNSEEN = dataclasses.replace(BROKEN, red=(), first_line="", detected=None)
ALARM = dataclasses.replace(HEALTHY, red=("a::t",))


def test_the_totals_count_what_was_found_named_and_red_without_a_fault() -> None:
    missed = dataclasses.replace(
        FOUND, test="f::missed", passed=False, trials=(UNSEEN, ALARM), words=()
    )
    no_result = dataclasses.replace(missed, test="f::no-result", trials=())
    harmless = dataclasses.replace(FOUND, test="f::harmless", trials=(UNSEEN,), words=())
    policies = dataclasses.replace(FOUND, test="f::policies", faults=(), trials=(ALARM,), words=())
    wrong = dataclasses.replace(FOUND, test="f::wrong", passed=False, missing=("drops",))
    totals = Totals.of((FOUND, missed, no_result, harmless, policies, wrong))
    assert totals == Totals(6, 150, 3, 4, 2, 4, 1, 3, 1, 0)
    assert str(totals) == (
        "faults found 2 of 4 (50 %), named in the first line 1 of 4 (25 %), false alarms 1 in 3 "
        "runs without a fault; as expected 3 of 6 (50 %), tried 6 of 150 tests of faults"
    )


def test_a_run_that_could_not_measure_everything_is_no_false_alarm() -> None:
    """Where it found nothing wrong; it is counted by itself."""
    late = dataclasses.replace(ALARM, late=True)
    again = dataclasses.replace(FOUND, trials=(BROKEN, late, HEALTHY))
    torn = dataclasses.replace(again, test="f::torn", passed=False)
    totals = Totals.of((again, torn))
    assert (totals.alarms, totals.healthy, totals.late) == (0, 2, 2)
    assert "in 2 runs without a fault (2 more could not measure everything);" in str(totals)


def test_what_is_kept_in_the_documents_is_not_shown_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine takes it over, but for a sample, and adds to it; the page has all."""
    store, here, there = (tmp_path / name for name in ("proof.jsonl", "here", "there"))
    monkeypatch.setattr("tests.faults.proof.__main__.STORE", store)
    monkeypatch.setattr("tests.faults.proof.__main__.commit", lambda: "c1")
    ended = (sys.executable, "-c", "raise SystemExit(0)")
    assert main(["--keep"], here, ended) == 1, "there is nothing"
    add(here, FOUND)
    add(here, dataclasses.replace(FOUND, test="f::old", commit="c0"))
    assert main(["--keep"], here, ended) == 0
    assert read(store, "c1") == (FOUND,)
    assert read(store, "c0") == ()
    assert "tried 1 of 150 tests of faults" in store.with_suffix(".md").read_text("utf-8")
    assert main(["--proof-sample=4"], there, ended) == 1, "nothing was tried there"
    mine = dataclasses.replace(FOUND, passed=False)
    add(there, mine)
    assert main([], there, ended) == 1, "what was tried there counts"
    assert read(there, "c1") == (mine,)
    there.unlink()
    assert main([], there, ended) == 0
    assert read(there, "c1") == (FOUND,)


def test_nothing_tried_is_no_share() -> None:
    assert "faults found none tried" in str(Totals.of(()))


def test_the_page_has_a_row_for_each_test() -> None:
    text = page((dataclasses.replace(FOUND, passed=False, failure="it | was"),), "c1")
    assert text.startswith("2026-11-30, commit c1: faults found 1 of 1 (100 %)")
    (row,) = [line for line in text.splitlines() if line.startswith("| `")]
    assert row == "| `found` | I7 --node w | dual | 2 | 9 s | node w | **no**: it / was |"
    assert "median 9, worst 9, of 1 runs" in text
    assert "a run takes 30 (median)" in text


@pytest.mark.parametrize(
    ("proofs", "ended", "status"),
    [
        ((), 5, 1),
        ((FOUND,), 0, 0),
        ((dataclasses.replace(FOUND, commit="c0", passed=False), FOUND), 5, 0),
        ((dataclasses.replace(FOUND, passed=False),), 1, 1),
        ((FOUND,), 4, 4),
        ((dataclasses.replace(FOUND, commit="c0"),), 0, 1),
    ],
    ids=["nothing", "all", "another commit", "red", "could not try", "only another commit"],
)
def test_the_status_says_whether_all_of_this_commit_is_as_expected(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    proofs: tuple[Proof, ...],
    ended: int,
    status: int,
) -> None:
    """pytest's own where it could not try anything; nothing tried is no success."""
    path = tmp_path / "proof.jsonl"
    for proof in proofs:
        add(path, proof)
    monkeypatch.setattr("tests.faults.proof.__main__.commit", lambda: "c1")
    assert main([], path, (sys.executable, "-c", f"raise SystemExit({ended})")) == status


TESTS = """
import pytest
from tests.faults.proof.recorder import CURRENT

def test_good():
    CURRENT.expect(["w"], "node w")

def test_bad():
    assert 1 == 2

@pytest.fixture
def torn():
    yield
    raise OSError("the end")

def test_torn(torn):
    pass

@pytest.mark.xdist_group("own-bed")
def test_skipped():
    pytest.skip("no bed")
"""


@pytest.fixture
def proof_file(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the plugin keeps what these tests show."""
    monkeypatch.setattr("tests.faults.proof.plugin.commit", lambda: "c1")
    pytester.makepyfile(TESTS)
    return pytester.path / "proof.jsonl"


def proved(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """A run with the plugin."""
    plugin = ("-p", "tests.faults.proof.plugin", "--proof", "proof.jsonl")
    return pytester.runpytest_inprocess(*plugin, "-p", "no:cacheprovider", *arguments)


def test_a_proof_goes_on_where_it_was(pytester: pytest.Pytester, proof_file: Path) -> None:
    """What is shown is not run again; what failed, and what was not asked, is."""
    proved(pytester).assert_outcomes(passed=2, failed=1, errors=1, skipped=1)
    shown = {one.test.rpartition("::")[2]: one for one in read(proof_file, "c1")}
    assert {name: one.passed for name, one in shown.items()} == {
        "test_good": True,
        "test_bad": False,
        "test_torn": False,
    }
    assert (shown["test_good"].words, shown["test_good"].collected) == (("w",), 4)
    assert shown["test_bad"].failure == "assert 1 == 2"
    assert shown["test_torn"].failure == "OSError: the end"
    proved(pytester).assert_outcomes(passed=1, failed=1, errors=1, skipped=1, deselected=1)


def test_changed_files_are_of_no_commit(
    pytester: pytest.Pytester, proof_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What passed before the next change proves nothing after it."""
    monkeypatch.setattr("tests.faults.proof.plugin.commit", lambda: "c1-dirty")
    for _ in range(2):
        proved(pytester).assert_outcomes(passed=2, failed=1, errors=1, skipped=1)


def test_the_code_is_named_by_the_last_commit_that_changed_it(tmp_path: Path) -> None:
    """Pages and tests that need no bed may change meanwhile."""

    def git(*words: str) -> str:
        command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def written(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")

    assert commit(tmp_path) == "no-git-dirty"
    git("init", "--quiet")
    written("sixproof/x.py", "1")
    written("docs/usage.md", "1")
    git("add", ".")
    git("commit", "--quiet", "-m", "one")
    first = git("rev-parse", "--short", "HEAD")
    assert commit(tmp_path) == first
    for path in (
        "docs/usage.md",
        "README.md",
        "docs/proof.html",
        "tests/unit/test_x.py",
        "tests/faults/network/test_x.py",
        "tests/faults/proof/page.py",
    ):
        written(path, "2")
    assert commit(tmp_path) == first
    git("add", ".")
    git("commit", "--quiet", "-m", "two")
    assert commit(tmp_path) == first
    written("scratch.py", "1")
    assert commit(tmp_path) == first
    written("suites/new.py", "1")
    assert commit(tmp_path) == f"{first}-dirty"
    (tmp_path / "suites/new.py").unlink()
    written("sixproof/x.py", "2")
    assert commit(tmp_path) == f"{first}-dirty"
    git("commit", "--quiet", "-am", "three")
    assert commit(tmp_path) == git("rev-parse", "--short", "HEAD") != first


def test_a_sample_is_the_same_for_the_same_seed_and_goes_on_where_it_was(
    pytester: pytest.Pytester, proof_file: Path
) -> None:
    """What passed of it is not tried again; no other test takes its place."""

    def chosen(seed: str, *more: str) -> list[str]:
        sample = ("--proof-sample", "2", "--proof-seed", seed)
        listed = proved(pytester, "--collect-only", "-q", *sample, *more)
        return [line for line in listed.outlines if "::" in line]

    assert len(chosen("a")) == 2
    assert chosen("a") == chosen("a")
    assert len({tuple(chosen(seed)) for seed in "abcdef"}) > 1
    assert chosen("a", "-k", "good") == chosen("b", "-k", "good") != []
    seed = next(seed for seed in "abcdefghijklmnop" if any("good" in test for test in chosen(seed)))
    before = chosen(seed)
    proved(pytester, "-k", "good")
    assert chosen(seed) == [test for test in before if "good" not in test]


WAITING = """
import signal, sys, time
def end(*_): sys.exit(7)
signal.signal(signal.SIGINT, end)
print("up", flush=True)
time.sleep(30)
"""


def test_what_it_started_is_interrupted_where_it_is_ended(tmp_path: Path) -> None:
    """SIGTERM of the runner reaches the run of the suites as Ctrl-C does, and is waited for."""
    script = (
        "import sys; from tests.faults.proof.__main__ import run_to_its_end; "
        f"sys.exit(run_to_its_end([sys.executable, '-c', {WAITING!r}]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "up\n"
        runner.terminate()
        assert runner.wait(20) == 7
