"""A run in miniature: a conftest that calls reporting as the plugin must, and a few tests.

`python -m tests.unit.reporting.sample_run DIRECTORY [healthy|broken]` leaves a whole report there,
to look at.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]

CONFTEST = """
import os
from pathlib import Path
import pytest
from sixproof.model import Family, Finding, Severity
from sixproof.reporting.allure import steps as allure
from sixproof.reporting.results.report_files import ALLURE_RESULTS, PARTS, write_bundle
from sixproof.reporting.results.environment import environment, executor
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.part_files import PartFiles, PartWriter
from sixproof.reporting.results.test_record import Case, CaseOutcome, Convergence, RunRecord
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.pages.summary import summary_lines
from sixproof.reporting.matrix.svg import matrix_svgs
from sixproof.reporting.pages.styled_text import rendered
from tests.unit.reporting.samples import facts

REPORT = Path(os.environ["SAMPLE_REPORT"])

def pytest_configure(config):
    config.addinivalue_line("markers", "covers(*codes): rows of the guide")
    config.cases = {}

@pytest.fixture
def record(request):
    writer = PartWriter(REPORT / PARTS, os.environ.get("PYTEST_XDIST_WORKER", "main"))
    return writer.write

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item):
    feature = item.path.stem.removeprefix("test_").replace("_", " ")
    allure.label(feature=FEATURES.get(feature, feature), story=STORIES.get(item.originalname, ""),
                 severity="blocker" if feature == "preflight" else "critical")
    yield

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    allure.label(epic="", title=title(item), description=item.function.__doc__ or "")
    yield

def title(item):
    params = getattr(item, "callspec", None)
    words = item.originalname.removeprefix("test_").replace("_", " ")
    words = words[0].upper() + words[1:]
    return f"{words} [{params.id}]" if params else words

FEATURES = {"pods": "Pod to pod", "policy": "NetworkPolicy", "dns": "DNS", "mtu": "Path MTU",
            "preflight": "Preflight"}
STORIES = {"test_every_pod_reaches_every_pod": "all nodes, all ports"}

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    cases = item.config.cases
    mark = item.get_closest_marker("covers")
    params = getattr(item, "callspec", None)
    family = params.params.get("ip_family") if params else None
    common = dict(nodeid=item.nodeid, title=title(item), covers=mark.args if mark else (),
                  family=family)
    if report.skipped:
        reason, _, enable = str(call.excinfo.value).partition(" -- enable: ")
        cases[item.nodeid] = Case(outcome=CaseOutcome.SKIPPED, reason=reason, enable=enable,
                                  **common)
    elif report.failed:
        verdict = isinstance(call.excinfo.value, AssertionError)
        outcome = CaseOutcome.FAILED if verdict else CaseOutcome.BROKEN
        cases[item.nodeid] = Case(outcome=outcome, seconds=report.duration,
                                  message=str(call.excinfo.value), **common)
    elif report.when == "call":
        cases[item.nodeid] = Case(outcome=CaseOutcome.PASSED, seconds=report.duration, **common)

def pytest_sessionfinish(session, exitstatus):
    config = session.config
    env = environment(facts(), run_id="six-4f2a91", harness="0.1.0", image="python:3.12-slim",
                      image_source="pull")
    run = RunRecord("six-4f2a91", "2026-11-23T02:00:00Z", "2026-11-23T02:01:12Z", 72.0, "0.1.0",
              int(exitstatus))
    results = Results.of(run, PartFiles.read(REPORT / PARTS), environment=env, facts=facts(),
                         cases=config.cases.values())
    _, config.paths = write_bundle(REPORT, results)
    config.results = results
    allure.write_metadata(REPORT / ALLURE_RESULTS, env, executor({}, run_id=run.id))
    for measured in results.matrices:
        if measured.headline:
            for name, picture in matrix_svgs(measured.matrix, measured.expected):
                allure.attach_to_run(name, picture, "svg")
    allure.attach_to_run("Summary", (REPORT / "summary.txt").read_text(), "text")

def pytest_terminal_summary(terminalreporter, config):
    terminalreporter.section("sixproof")
    lines = summary_lines(config.results, reports=config.paths)
    config.get_terminal_writer().write(rendered(lines, colour=False))
"""

TESTS = {
    "test_preflight.py": '''
import pytest
from sixproof.model import Finding, Severity

@pytest.mark.covers("P1")
def test_nodes_forward_ipv6(record):
    """Every node forwards IPv6, so that pods on different nodes can talk."""
    record(Finding("P1", Severity.WARNING, "node worker2", "net.ipv6.conf.eth0.accept_ra is 1",
                   "2", "sysctl -w net.ipv6.conf.eth0.accept_ra=2"))

@pytest.mark.covers("P2", "P3")
def test_cluster_offers_both_families():
    """The API server, the nodes and the service ranges offer both families."""
''',
    "test_pods.py": '''
import os, pytest
from sixproof.model import Family, Outcome
from sixproof.reporting.allure import steps as allure
from sixproof.reporting.diagnosis.evidence import require
from sixproof.reporting.results.matrices.measured import Measured
from tests.unit.reporting.samples import all_open, topology, v6_tunnel_broken, works

BROKEN = os.environ["SAMPLE"] == "broken"

@pytest.mark.covers("L1", "F2/M3")
def test_every_pod_reaches_every_pod(record, request):
    """Every pod reaches every pod on every node, in each family, over TCP, UDP and ICMP echo.

    Why: RFC 4291 and the Kubernetes network model know no node boundary for pods.
    """
    with allure.step("Given nine pods on three nodes"):
        allure.parameter("run", "six-4f2a91")
    with allure.step("When every pod asks every pod in both families"):
        matrix = topology(v6_tunnel_broken if BROKEN else works)
        expected = all_open(matrix)
        record(Measured(matrix, expected, request.node.nodeid, headline=True))
    with allure.step("Then every flow is carried"):
        allure.attach_matrix(matrix, expected)
        require(matrix, expected)

@pytest.mark.parametrize("ip_family", list(Family), ids=str)
@pytest.mark.covers("S1")
def test_service_answers(record, request, ip_family):
    """A dual-stack service answers on its address of each family."""
    with allure.step(f"When clients dial the service over {ip_family}"):
        matrix = topology(works, families=[ip_family], title=f"Service over {ip_family}")
        record(Measured(matrix, all_open(matrix), request.node.nodeid))
        allure.attach_matrix(matrix, all_open(matrix))
    with allure.step("Then it answers"):
        require(matrix, all_open(matrix))
''',
    "test_policy.py": '''
import os, pytest
from sixproof.model import Family, Outcome
from sixproof.reporting.allure import steps as allure
from sixproof.reporting.diagnosis.evidence import require
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.test_record import Convergence
from tests.unit.reporting.samples import DENY, OPEN, topology, v6_tunnel_broken, works

BROKEN = os.environ["SAMPLE"] == "broken"
POLICY = """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny-all, namespace: six-x}
spec: {podSelector: {matchLabels: {role: a}}, policyTypes: [Ingress], ingress: []}
"""

def rule(flow):
    if flow.destination.name.startswith("a@"):
        leak = BROKEN and flow.family is Family.IPV6 and flow.destination.node == "worker"
        return Outcome.ALLOWED if leak else Outcome.DROPPED
    return v6_tunnel_broken(flow) if BROKEN else Outcome.ALLOWED

@pytest.mark.covers("N1")
@pytest.mark.parametrize("case", ["deny-all-ingress", "deny-all-egress"])
def test_policy_holds_in_both_families(record, request, case):
    """A policy without rules denies every flow to the pods that it selects, in both families."""
    with allure.step("Given the policy deny-all for pods with role=a"):
        allure.attach_yaml("policy as applied", POLICY)
    with allure.step("When it is applied and the matrix has settled"):
        matrix = topology(rule, title=f"Policy {case}")
        expected = {k: (DENY if k[1][1].startswith("a@") else OPEN) for k in matrix.cells}
        for family in Family:
            record(Convergence(f"apply {case}", 0.9 if family is Family.IPV4 else 1.3, family, 3))
        record(Measured(matrix, expected, request.node.nodeid))
    with allure.step("Then denied flows are dropped and all others carried"):
        allure.attach_matrix(matrix, expected)
        require(matrix, expected, context=["settled after 1.3 s, 3 rounds"])
''',
    "test_dns.py": '''
import os, pytest
from sixproof.reporting.diagnosis import evidence
from sixproof.reporting.diagnosis.category import Category

@pytest.mark.covers("D1/D1")
def test_service_has_aaaa():
    """The name of a dual-stack service has an AAAA record for each of its IPv6 addresses."""
    if os.environ["SAMPLE"] == "broken":
        raise evidence.wrong(
            "AAAA of echo.six-x.svc.cluster.local: NXDOMAIN from fd00:10:96::a over UDP, "
            "expected fd00:10:96::4f1a", (), Category.DNS)
''',
    "test_mtu.py": '''
import os, pytest
from sixproof.errors import ChannelLost
from sixproof.reporting.results.skip import Skip

@pytest.mark.covers("M5")
def test_packet_too_big_names_the_right_size():
    """A router that cannot forward a packet says so with the size of its next link."""
    pytest.skip(str(Skip("needs the raw tier (NET_RAW)", "--six-raw on")))

@pytest.mark.covers("M3")
def test_full_size_packet_passes():
    """A packet of the pod's MTU passes between every two nodes at the first try."""
    if os.environ["SAMPLE"] == "broken":
        raise ChannelLost("agent b@worker: exec stream closed after 12.1 s, last answer 3.0 s ago")
''',
}


def run_sample(directory: Path, kind: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the miniature suite; its report lands under ``directory/latest``."""
    suite = directory / "suite"
    suite.mkdir(parents=True)
    (suite / "conftest.py").write_text(CONFTEST)
    for name, text in TESTS.items():
        (suite / name).write_text(text)
    report = directory / "latest"
    files = [f"--alluredir={report / 'allure-results'}", f"--junitxml={report / 'junit.xml'}"]
    return run_pytest(suite, *files, *more, SAMPLE=kind, SAMPLE_REPORT=str(report))


def run_pytest(suite: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a directory's tests in a process of their own."""
    (suite / "pytest.ini").write_text("[pytest]\n")
    environ = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short"]
    return subprocess.run(
        [*command, *arguments],
        cwd=suite,
        env=environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    sys.stdout.write(run_sample(Path(sys.argv[1]), (sys.argv[2:] or ["broken"])[0]).stdout)
