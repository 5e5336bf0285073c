"""Runs of the suites against a bed that is broken on purpose.

Under ``-n 2`` each worker has a bed of its own, the default one and its twin.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from markupsafe import escape

import testbed
from sixproof.kube.api import resources, wait
from sixproof.kube.api.client import Cluster
from sixproof.kube.facts.pods import running_pod
from sixproof.model import Family, Observation, Outcome
from sixproof.reporting.conclusion.conclude import conclude
from sixproof.reporting.conclusion.conclusion import Conclusions
from sixproof.reporting.diagnosis.verdicts import verdicts
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.report_files import OVERVIEW
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from testbed import variant
from tests.faults.injection import ROOT, finished, say
from tests.faults.proof import recorder

BEFORE, AFTER = "Seconds to read nodes", "Seconds to examine nodes"
AT_FAILURES = "Seconds to read nodes at failures"
QUICK = {BEFORE: 2.0, AFTER: 10.0}
"""Seconds that reading nodes' facts may add to a run, before its first test, and when tests fail
and after the last one together."""
IDLE = 2.0
"""Load of each processor below which a machine is quiet enough for these limits."""
RECOVERY = 120.0
"""Seconds in which what a fault made restart must be ready again."""
LINE = 96
"""Characters of a line of a first line, which takes two: a terminal of 100 columns without the sign
before it. What to do follows it on its own."""
BEDS = (variant.DEFAULT, variant.TWIN)
"""The beds of xdist's workers."""
MESH = "test_families_agree_on_every_edge_of_the_full_mesh"


def pytest_configure(config: pytest.Config) -> None:
    """Give each worker its bed; a fault must never be met by the tests of another worker. Tests
    stay in their order: left to itself, ``--dist loadgroup`` begins with the largest group."""
    config.option.loadscopereorder = False
    if worker := getattr(config, "workerinput", {}).get("workerid", ""):
        os.environ[variant.VARIABLE] = BEDS[int(worker.removeprefix("gw"))]
    elif (config.getoption("numprocesses", None) or 0) > len(BEDS):
        raise pytest.UsageError(f"faults need a bed for each worker: -n {len(BEDS)} at most")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is tried on a bed of its own comes last: while a third bed runs, a case on the other
    worker's takes about three times as long (decision 72)."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is not None)


@dataclasses.dataclass(frozen=True)
class SuiteRun:
    """One run of the suites: pytest's exit status, what it printed, what it recorded, and its
    overview page."""

    status: int
    output: str
    results: Results
    overview: str

    @functools.cached_property
    def conclusions(self) -> Conclusions:
        """What the run comes to."""
        return conclude(self.results)

    @property
    def late(self) -> bool:
        """Whether agents were late, so that something could not be measured."""
        causes = (cause for one in self.conclusions.every for cause in one.causes[:1])
        return any(cause.code == "agents-late" for cause in causes)

    def cases(self, outcome: CaseOutcome) -> tuple[Case, ...]:
        """The tests that ended so."""
        return tuple(c for c in self.results.cases if c.outcome is outcome)

    def topology(self) -> Measured:
        """The full mesh over both families; it must have been measured, whatever came of it."""
        found = [m for m in self.results.matrices if m.test.endswith(MESH)]
        assert found, f"the full mesh was not measured:\n{self.output[-3000:]}"
        return found[0]

    def red(self) -> dict[str, Case]:
        """The failed tests by their names, with parameters."""
        return {named_by(case.nodeid): case for case in self.cases(CaseOutcome.FAILED)}

    def green(self) -> set[str]:
        """The names of the tests that passed."""
        return {named_by(case.nodeid) for case in self.cases(CaseOutcome.PASSED)}

    def wrong_cells(self, test: str) -> tuple[Observation, ...]:
        """The cells of a test's matrices that are not as expected."""
        return tuple(d.observation for m in self.measured(test) for d in m.disagreements())

    def measured(self, test: str) -> tuple[Measured, ...]:
        """The matrices of a test."""
        return tuple(m for m in self.results.matrices if named_by(m.test) == test)

    def wrong(self) -> tuple[Observation, ...]:
        """The cells of the full mesh that are not as expected."""
        return tuple(d.observation for d in self.topology().disagreements())


def named_by(nodeid: str) -> str:
    """What pytest calls a test: its function and its parameters."""
    return nodeid.rpartition("::")[2]


def faults(*words: str) -> str:
    """Run ``python -m testbed faults``; its output. Fails the test where it fails."""
    done = say(*words, timeout=120)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
    recorder.CURRENT.command(words)
    return done.stdout


def run_suites(
    report_dir: Path, *arguments: str, breaking: str = "", node: str = "", after: str = ""
) -> SuiteRun:
    """Run suites in a process of their own, as a user does.

    `breaking` are words of ``faults inject``, said once the probe pods are ready or, where `after`
    names a fixture, once that is set up. A run whose agents were late says nothing about what
    they should have seen: it takes place once more, unless it injects a fault itself.
    """
    suite_run = _run_once(report_dir, arguments, breaking, node, after)
    alone = not breaking and "SIX_TEST_FAULT" not in os.environ
    if alone and suite_run.late:
        again = report_dir.with_name(f"{report_dir.name}-again")
        return _run_once(again, arguments, breaking, node, after)
    return suite_run


def _run_once(
    report_dir: Path, arguments: Sequence[str], breaking: str, node: str, after: str
) -> SuiteRun:
    command = [sys.executable, "-m", "pytest", *arguments, "--six-provider", "kind"]
    command += ["-p", "no:cacheprovider", "--six-report-dir", str(report_dir)]
    environment = dict(os.environ)
    if breaking:
        command += ["-p", "tests.faults.breaker"]
        environment |= {"SIX_TEST_FAULT": breaking, "SIX_TEST_FAULT_NODE": node}
        environment["SIX_TEST_FAULT_AFTER"] = after
    if fault := environment.get("SIX_TEST_FAULT"):
        recorder.CURRENT.fault(fault)
    begun = time.monotonic()
    done = finished(command, timeout=400, environment=environment)
    output = done.stdout + done.stderr
    assert done.returncode in (0, 1), f"the run itself broke ({done.returncode}):\n{output[-3000:]}"
    results = report_dir / "results.json"
    assert results.is_file(), f"the run wrote no results:\n{output[-6000:]}"
    overview = (report_dir / OVERVIEW).read_text(encoding="utf-8")
    suite_run = SuiteRun(done.returncode, output, Results.read(results), overview)
    recorder.CURRENT.run(arguments, suite_run.results, time.monotonic() - begun)
    assert_quick_facts(suite_run)
    if suite_run.status == 0:
        assert not suite_run.conclusions.every, "a green run comes to a conclusion"
    return suite_run


@pytest.fixture(scope="session")
def bed() -> testbed.Bed:
    """The test bed; its tests are skipped where it is not up."""
    try:
        return testbed.describe(variant.asked())
    except testbed.BedError as error:
        pytest.skip(f"needs the test bed: {error}")


@pytest.fixture(scope="module")
def cluster(bed: testbed.Bed) -> Iterator[Cluster]:
    """The bed's cluster, as its administrator."""
    with Cluster.connect(bed.kubeconfig, bed.context) as connected:
        yield connected


@contextmanager
def another_bed(name: str) -> Iterator[testbed.Bed]:
    """The bed of a variant, made where it does not stand and taken down again then; suites and
    faults go there."""

    def testbed_command(word: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "testbed", "--variant", name, word]
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
        )

    stood = testbed_command("status").returncode == 0
    made = testbed_command("up")
    assert made.returncode == 0, made.stdout + made.stderr
    try:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv(variant.VARIABLE, name)
            yield testbed.describe(name)
    finally:
        if not stood:
            testbed_command("down")


@pytest.fixture(scope="module")
def bgp_bed(bed: testbed.Bed) -> Iterator[testbed.Bed]:
    """A bed with BGP and load balancer addresses, beside the other one."""
    with another_bed("bgp") as made:
        yield made


@pytest.fixture(scope="session")
def workers(bed: testbed.Bed) -> tuple[str, str]:
    """The bed's two worker nodes."""
    first, second = (node.name for node in bed.nodes if node.role == "worker")
    return first, second


@pytest.fixture
def replica(bed: testbed.Bed) -> tuple[str, str]:
    """A CoreDNS pod as NAMESPACE/NAME and its node; there is another one beside it. Of a Deployment
    that was restarted a moment ago the old pods, which are ending, do not count; a pod that the
    fault before made restart is waited for."""
    with Cluster.connect(bed.kubeconfig, bed.context) as cluster:
        ready = wait.until(
            lambda: [
                found
                for pod in cluster.list(resources.POD, "kube-system", labels="k8s-app=kube-dns")
                if (found := running_pod(pod))
            ],
            lambda found: len(found) > 1,
            timeout=RECOVERY,
        ).value
    assert len(ready) > 1, f"needs two CoreDNS replicas, {len(ready)} are ready"
    return f"kube-system/{ready[0].name}", ready[0].node


@pytest.fixture
def mended(bed: testbed.Bed) -> Iterator[None]:
    """Whatever a test breaks is mended after it, however it ends."""
    faults("clear")
    yield
    faults("clear")


@pytest.fixture(scope="module")
def assert_all_green(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """After the module's tests, with their faults cleared, everything that was red is green
    again."""
    yield
    faults("clear")
    chosen = ("suites/pods", "-k", f"{MESH} or other_nodes or itself")
    run_green(tmp_path_factory.mktemp("after"), *chosen)


def assert_red_is_exactly(suite_run: SuiteRun, wanted: set[str], family: Family | None) -> None:
    """These tests fail and no other, none is broken, and all that fail blame this family alone."""
    assert suite_run.cases(CaseOutcome.BROKEN) == (), suite_run.output[-3000:]
    assert set(suite_run.red()) == wanted, suite_run.output[-3000:]
    if family is not None:
        category = f"{family}-only failure"
        assert all(category in case.message for case in suite_run.red().values())


def assert_cells(
    suite_run: SuiteRun, test: str, dead: Callable[[Observation], bool], outcomes: set[Outcome]
) -> None:
    """The wrong cells of a test are exactly those that must be dead, and came to these outcomes."""
    cells = [o for m in suite_run.measured(test) for o in m.matrix.observations()]
    wanted = {(o.flow.family, str(o.flow)) for o in cells if dead(o)}
    wrong = suite_run.wrong_cells(test)
    seen = {(o.flow.family, str(o.flow)) for o in wrong}
    assert wanted, f"{test}: the fault reaches no cell"
    assert seen - wanted == set(), f"{test}: red without a cause: {sorted(seen - wanted)[:5]}"
    assert wanted - seen == set(), f"{test}: not found: {sorted(wanted - seen)[:5]}"
    assert {o.outcome for o in wrong} <= outcomes


def assert_quick_facts(suite_run: SuiteRun) -> None:
    """Reading nodes' facts took no longer than it may, where the machine is quiet."""
    if os.getloadavg()[0] > IDLE * (os.cpu_count() or 1):
        return
    environment = dict(suite_run.results.environment)
    # In a red run a daemon may hang that is asked before it; one that is blocked asks nobody.
    asked = [BEFORE] if suite_run.status == 0 else []
    asked += [AFTER] if suite_run.results.examination is not None else []
    at_failures = float(environment.get(AT_FAILURES, 0.0))
    for what in asked:
        more = at_failures if what == AFTER else 0.0
        said = f"{what}: {environment[what]}, and {more} at failures"
        assert float(environment[what]) + more <= QUICK[what], said


def assert_first_line(
    suite_run: SuiteRun, *words: str, families: Iterable[Family] = (), others: int = 0
) -> None:
    """The first line of the conclusion and what to do have these words, and the first line is at
    most two lines long; terminal and overview show both; no family but these is called
    broken, and both or neither of two. What was measured to be wrong is reported in one conclusion,
    plus `others` where one cannot hold it."""
    concluded = suite_run.conclusions
    recorder.CURRENT.expect(words, concluded.every[0].first_screen if concluded.every else "")
    assert concluded.every, suite_run.output[-3000:]
    first = concluded.every[0].headline
    headlines = [one.headline for one in concluded.every if one.measured]
    assert len(headlines) <= 1 + others, "\n".join(headlines)
    for word in words:
        assert word in concluded.every[0].first_screen, f"{first}\n{suite_run.output[-6000:]}"
    lines = textwrap.wrap(first, LINE, break_on_hyphens=False)
    assert len(lines) <= 2, "\n".join(lines)
    broken = {v.family for v in verdicts(suite_run.results) if v.accused}
    assert broken <= set(families), suite_run.output[-6000:]
    assert len(broken) != 1 or broken == set(families), suite_run.output[-6000:]
    sign = "!" if concluded.every[0].measured else "?"
    line = next(x for x in suite_run.output.splitlines() if x.startswith(f"  {sign} "))
    assert first.startswith(line.removeprefix(f"  {sign} ").strip())
    for line in (first, concluded.every[0].remedy):
        assert str(escape(line)) in suite_run.overview, f"the overview does not have: {line}"


def assert_green(suite_run: SuiteRun) -> None:
    """Nothing fails, and something passed."""
    assert suite_run.status == 0, suite_run.output[-3000:]
    assert suite_run.cases(CaseOutcome.PASSED)


def run_green(report_dir: Path, *arguments: str) -> SuiteRun:
    """Run suites on a bed without a fault, where nothing fails."""
    suite_run = run_suites(report_dir, *arguments)
    assert_green(suite_run)
    return suite_run


def crosses(observation: Observation) -> bool:
    """Whether a flow goes from one node to another."""
    return observation.flow.crosses_nodes


def touches(observation: Observation, node: str) -> bool:
    """Whether a flow starts or ends on a node."""
    return node in (observation.flow.source.node, observation.flow.destination.node)


__all__ = [
    "CaseOutcome",
    "Family",
    "Outcome",
    "SuiteRun",
    "assert_cells",
    "assert_first_line",
    "assert_green",
    "assert_red_is_exactly",
    "crosses",
    "faults",
    "run_green",
    "run_suites",
    "touches",
]
