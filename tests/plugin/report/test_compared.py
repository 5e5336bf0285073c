"""`--six-baseline` and `--six-fail-on`: a run is compared with an earlier one before it says how it
ended, and a baseline that is of no use ends it before anything is created."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sixproof.reporting.results.results_json import Results
from tests.plugin.played import REVIEWS, PlayedCluster
from tests.unit.kube.server import Reply

LIVE = """
import os
import pytest
from sixproof.errors import NotReady

WAYS = dict(pair.split("=") for pair in os.environ.get("SIX_TEST_WAYS", "").split(",") if pair)

@pytest.mark.parametrize("name", ["one", "two", "three"])
def test_live(name, run_state):
    way = WAYS.get(name, "passed")
    if way == "broken":
        raise NotReady("a pod is not ready")
    if way == "skipped":
        pytest.skip("not here")
    assert way != "failed", "something is lost"
"""
ONE = "suites/pods/test_live.py::test_live[one]"
WORKERS = pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])


@pytest.fixture
def live(
    project: pytest.Pytester, cluster: PlayedCluster, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    """Runs three tests, which end as they are told (``one=failed``)."""
    monkeypatch.setenv("COLUMNS", "200")
    (project.path / "suites/pods/test_live.py").write_text(LIVE, encoding="utf-8")

    def run(ways: str, *arguments: str) -> pytest.RunResult:
        monkeypatch.setenv("SIX_TEST_WAYS", ways)
        result = project.runpytest_subprocess("suites/pods", *arguments)
        assert cluster.namespaces == {}
        return result

    return run


@pytest.fixture(scope="module")
def kept() -> dict[str, str]:
    """The results of an earlier run, which is made once."""
    return {}


@pytest.fixture
def before(live: Callable[..., pytest.RunResult], kept: dict[str, str]) -> Path:
    """The report of an earlier run, of which the first test failed."""
    file = Path("before/results.json")
    if not kept:
        assert live("one=failed", "--six-report-dir=before").ret == pytest.ExitCode.TESTS_FAILED
        kept["results"] = file.read_text(encoding="utf-8")
        shutil.rmtree("before")
    file.parent.mkdir()
    file.write_text(kept["results"], encoding="utf-8")
    return file.parent


NEW = ("--six-baseline=before", "--six-fail-on=new")


@WORKERS
def test_known_failures_are_excused(
    live: Callable[..., pytest.RunResult], before: Path, workers: tuple[str, ...]
) -> None:
    """The status is 0, said in the terminal, in results.json and on the page."""
    result = live("one=failed", *NEW, *workers, "--six-report-dir=after")
    assert result.ret == pytest.ExitCode.OK, result.stdout.str()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "sixproof: baseline: * of *, 3 tests",
            "*compared with the baseline*",
            "Still there",
            "  = test: test_live[[]one[]]*: failed",
            "No new failure; 1 test fails as before",
            "Exit status 0: 1 test did not pass, and did not in run * either; nothing is new *",
        ]
    )
    assert Results.read(Path("after/results.json")).run.exit_status == 0
    for name in ("compare.html", "compare.txt"):
        assert "Exit status 0: 1 test did not pass" in Path("after", name).read_text("utf-8")
    assert json.loads(Path("after/compare.json").read_text("utf-8"))["knownFailures"] == [ONE]


@pytest.mark.parametrize(
    ("ways", "said"),
    [
        ("one=failed,two=failed", "New failures: 1 test; 1 test fails as before"),
        ("one=broken", "1 test came to no verdict"),
    ],
)
def test_other_failures_are_not_excused(
    live: Callable[..., pytest.RunResult], before: Path, ways: str, said: str
) -> None:
    """What is new, or was not measured."""
    result = live(ways, *NEW)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([said, f"Not excused by the baseline (--six-fail-on new): {said}"])


def test_where_nothing_passes_nothing_is_excused(
    live: Callable[..., pytest.RunResult], before: Path
) -> None:
    """A known failure, and no more."""
    result = live("one=failed,two=skipped,three=skipped", *NEW)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["Not excused *: no test passed: nothing was shown to work"])


def test_without_the_option_every_failure_counts(
    live: Callable[..., pytest.RunResult], before: Path
) -> None:
    """The comparison is told all the same, and nothing of the status."""
    result = live("one=failed", "--six-baseline=before/results.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["No new failure; 1 test fails as before"])
    assert "--six-fail-on" not in result.stdout.str()


def test_a_green_run_has_nothing_to_excuse(
    live: Callable[..., pytest.RunResult], before: Path
) -> None:
    """What failed before is gone."""
    result = live("", *NEW)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["Gone (measured again, and right)", "No failure"])
    assert "Exit status 0" not in result.stdout.str()


def test_a_run_that_ends_early_is_not_excused(
    live: Callable[..., pytest.RunResult], before: Path
) -> None:
    """Nobody knows what the rest would have shown."""
    result = live("one=failed", *NEW, "-x")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["Not excused *: the run ended early (stopping after 1 failures)"])


def test_a_failure_that_is_no_test_of_the_cluster_is_not_excused(
    live: Callable[..., pytest.RunResult], before: Path
) -> None:
    """The report does not know it."""
    other = Path("tests/test_other.py")
    other.write_text("def test_other():\n    assert False\n", encoding="utf-8")
    result = live("one=failed", *NEW, str(other))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["Not excused *: tests/test_other.py::test_other failed, which is no test of the cluster"]
    )


def test_a_blocked_run_is_not_excused(
    live: Callable[..., pytest.RunResult], before: Path, cluster: PlayedCluster
) -> None:
    """Nothing was measured, as the baseline would have to show."""
    cluster.on("POST", REVIEWS, Reply({"status": {"allowed": False}}))
    result = live("one=failed", *NEW)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["Not excused *: not all could be measured: *"])


def test_the_baseline_may_be_where_the_report_goes(
    live: Callable[..., pytest.RunResult], before: Path
) -> None:
    """It is read before it is replaced: a night compares with the night before. Nothing is kept for
    known failures."""
    result = live("one=failed", *NEW, "--six-report-dir=before", "--six-keep=on-failure")
    assert result.ret == pytest.ExitCode.OK
    assert (before / "compare.html").exists()
    assert Results.read(before / "results.json").run.id in result.stdout.str()


def test_the_questions_of_a_run_are_in_its_report(
    live: Callable[..., pytest.RunResult], before: Path
) -> None:
    """Options that differ from their defaults, and what pytest was asked to choose."""
    result = live("", "--six-baseline=before", "--six-nodes=2", "-k", "one or two", "--six-raw=off")
    assert result.ret == pytest.ExitCode.OK
    environment = dict(Results.read(Path("reports/latest/results.json")).environment)
    assert environment["Options"] == "--six-nodes 2 --six-raw off -k 'one or two'"
    result.stdout.fnmatch_lines(
        [
            "  [?] test: test_live[[]three[]]*: not run",
            "What else differs",
            "  ~ Options: -, then --six-nodes 2 --six-raw off -k 'one or two'",
        ]
    )


def refused(result: pytest.RunResult, cluster: PlayedCluster, said: str) -> None:
    """The run ended at once, with a line; nothing was created."""
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --six-baseline: *{said}*"])
    assert [seen for seen in cluster.seen if seen.method == "PATCH"] == []
    assert not Path("reports/latest").exists()


def test_a_baseline_that_is_not_there(
    live: Callable[..., pytest.RunResult], cluster: PlayedCluster
) -> None:
    """Not even the API server is asked."""
    refused(live("", "--six-baseline=nowhere"), cluster, "nowhere cannot be read: No such file")
    assert cluster.seen == []
    assert not Path("reports").exists()


def changed(change: Callable[[Any], None]) -> None:
    """Another file in place of the baseline, laid out as runs do."""
    value = json.loads(Path("before/results.json").read_text("utf-8"))
    change(value)
    shutil.rmtree("before")
    Path("before").mkdir()
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(one)}" for key, one in value.items())
    Path("before/results.json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def other_schema(value: Any) -> None:
    value["schema"] = "sixproof/results/v9"


def other_cluster(value: Any) -> None:
    value["facts"]["server"] = "https://192.0.2.1:6443"
    for number, node in enumerate(value["facts"]["nodes"]):
        node["name"] = f"elsewhere{number}"


def other_form(value: Any) -> None:
    value["tests"][0]["outcome"] = "splendid"


def nothing_measured(value: Any) -> None:
    value["tests"] = []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_schema, "schema is 'sixproof/results/v9', this version reads"),
        (other_cluster, "is the result of another cluster: https://192.0.2.1:6443 (nodes else"),
        (other_form, "not of the schema sixproof/results/v2: tests[[]0[]].outcome"),
        (nothing_measured, "no test of this run passed or failed"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_baseline_that_is_of_no_use(
    change: Callable[[Any], None],
    said: str,
    live: Callable[..., pytest.RunResult],
    before: Path,
    cluster: PlayedCluster,
) -> None:
    """It is refused before anything is created."""
    changed(change)
    cluster.seen.clear()
    workers = ("-n", "2") if change is other_cluster else ()
    refused(live("", *NEW, *workers), cluster, said)


def test_new_since_which_run(live: Callable[..., pytest.RunResult]) -> None:
    """Without a baseline there is nothing to be new."""
    result = live("", "--six-fail-on=new")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --six-fail-on new: new since which run? --six-baseline *"])


def test_a_plan_needs_no_baseline(live: Callable[..., pytest.RunResult]) -> None:
    """It creates nothing, and compares nothing."""
    result = live("", "--six-plan", "--six-baseline=nowhere")
    assert result.ret == pytest.ExitCode.OK, result.stderr.str()
