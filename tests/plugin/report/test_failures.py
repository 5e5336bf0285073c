"""A failing live test shows its sentence, its evidence and its source line, nothing of ours."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.report.failures import asked_for_more
from tests.plugin.conftest import ROOT

LIVE = '''
from sixproof.errors import NotReady
from sixproof.model import Family
from sixproof.reporting.allure import steps as allure
from sixproof.reporting.diagnosis.evidence import require
from tests.unit.reporting.samples import all_open, topology, v6_tunnel_broken


def test_pods_reach_pods(pods, request):
    """Pods reach pods."""
    matrix = topology(v6_tunnel_broken)
    with allure.step("Then every cell is as expected"):
        require(matrix, all_open(matrix))


def test_addresses(pods):
    """Pods have addresses."""
    lacking = [pod.name for pod in pods[:2]]
    assert not lacking, "no address: " + ", ".join(lacking)


def test_prepared(broken):
    """What a test needs is there."""


def test_read(proxy):
    """What a fixture of the plugin asks the library for is there."""


def test_bug(pods):
    """A mistake of a test."""
    pods.missing()
'''
CONFTEST = """
import pytest
import fixtures.plan.selection
from sixproof.errors import ApiError, NotReady
from sixproof.model import ClusterFacts
from tests.unit.reporting.samples import pods as made

pytest_plugins = ("fixtures.plugin",)
fixtures.plan.selection.runs_live = lambda session: False

@pytest.fixture
def pods():
    return made()

class Forbidding:
    def find(self, *where):
        raise ApiError("get configmaps kube-proxy: 403", status=403)

@pytest.fixture(scope="session")
def cluster():
    return Forbidding()

@pytest.fixture(scope="session")
def facts():
    return ClusterFacts("https://api", "", ())

@pytest.fixture
def broken(pods):
    try:
        raise ApiError("the server said 500")
    except ApiError as error:
        raise NotReady("pod a@worker is not ready after 60 s: ImagePullBackOff") from error
"""
SENTENCE = "all IPv6 TCP and UDP flows from worker to worker2 and back are DROPPED (54 of 54 cells)"
EVIDENCE = "a@worker -> a@worker2 over IPv6 tcp/8080, tcp/8081, udp/8080: DROPPED, expected ALLOWED"


MORE = (("tbstyle", "long"), ("tbstyle", "native"), ("showlocals", True), ("fulltrace", True))
OURS = ("Mesh(", "Endpoint(", "Observation(", "Matrix(", "sixproof/", "IPv6Address(", "pods = ")


def live(project: Path, *options: str) -> str:
    """Run live tests that fail, each in a way of its own; what the terminal says."""
    suite = project / "suites" / "pods"
    suite.mkdir(parents=True)
    (suite / "test_live.py").write_text(LIVE, encoding="utf-8")
    (project / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (project / "pyproject.toml").write_text("[tool.pytest]\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "suites", "--import-mode=importlib", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "300"}
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tests ran, and left their reports."""
    return tmp_path_factory.mktemp("failing")


@pytest.fixture(scope="module")
def output(project: Path) -> str:
    """What the terminal says of it, without an option that asks for more."""
    return live(project, "-rf", "--junitxml=junit.xml", "--alluredir=allure")


def report_of(output: str, test: str) -> str:
    """What the terminal says of one failing test."""
    blocks = output.partition("short test summary")[0].split("\n____")
    return next(block for block in blocks if test in block.splitlines()[0])


def test_a_verdict_is_its_sentence_its_evidence_and_its_line(output: str) -> None:
    """Nothing of the harness is between the reader and what was seen."""
    text = report_of(output, "test_pods_reach_pods")
    assert "suites/pods/test_live.py:13: in test_pods_reach_pods" in text
    assert "    require(matrix, all_open(matrix))" in text
    assert f"E   {SENTENCE}" in text
    assert f"E     {EVIDENCE}" in text
    assert "E     class: IPv6-only failure" in text
    assert [word for word in OURS if word in text] == []


def test_a_plain_assertion_is_reported_in_the_same_way(output: str) -> None:
    """Its message and its line, without the values of the fixtures."""
    text = report_of(output, "test_addresses")
    assert 'assert not lacking, "no address: "' in text
    assert "E   no address: a@control-plane, b@control-plane" in text
    assert [word for word in OURS if word in text] == []


def test_what_could_not_be_prepared_names_the_fixture(output: str) -> None:
    """The last cause is shown; what led to it stands in its message."""
    text = report_of(output, "test_prepared")
    assert "in broken" in text
    assert "E   pod a@worker is not ready after 60 s: ImagePullBackOff" in text
    assert "the server said 500" not in text
    assert [word for word in OURS if word in text] == []


def test_what_the_library_refused_a_fixture_names_the_fixture(output: str) -> None:
    """Its line is shown, whichever folder of the plugin it lies in: neither the library's frames
    below it nor the hooks around it."""
    text = report_of(output, "test_read")
    place, frame = re.findall(r"^(\S+):\d+: in (\w+)$", text, re.MULTILINE)[0]
    assert frame == "proxy", text
    assert place.endswith("fixtures/services/shared.py")
    assert text.count(": in ") == 1
    assert "    return kube_proxy.read(cluster, facts.kube_proxy_mode)" in text
    assert "E   get configmaps kube-proxy: 403" in text


def test_a_mistake_keeps_its_traceback(output: str) -> None:
    """Whoever mends a test needs it."""
    text = report_of(output, "test_bug")
    assert "pods = (Endpoint(" in text
    assert "AttributeError" in text


def test_the_last_lines_say_the_sentence(output: str) -> None:
    """The short summary needs no class of ours before it."""
    last = [line for line in output.splitlines() if line.startswith("FAILED")]
    assert any(f"test_pods_reach_pods - {SENTENCE}" in line for line in last)


def test_junit_and_allure_say_the_same(output: str, project: Path) -> None:
    """Message and trace are the sentence, the evidence and the line there too."""
    assert output
    junit = (project / "junit.xml").read_text(encoding="utf-8")
    failure = junit.partition('name="test_pods_reach_pods"')[2].partition("</failure>")[0]
    assert f'message="{SENTENCE}' in failure
    results = (json.loads(path.read_text()) for path in (project / "allure").glob("*-result.json"))
    (shown,) = (r for r in results if r["fullName"].endswith("#test_pods_reach_pods"))
    details = shown["statusDetails"]
    (step,) = shown["steps"]
    assert SENTENCE in details["message"]
    for text in (failure.replace("&gt;", ">"), details["trace"], step["statusDetails"]["message"]):
        assert EVIDENCE in text
        assert [word for word in OURS if word in text] == []
    assert "trace" not in step["statusDetails"]


def test_workers_say_the_same(tmp_path: Path) -> None:
    """What xdist carries is the same text."""
    text = report_of(live(tmp_path, "-n", "1"), "test_pods_reach_pods")
    assert f"E   {SENTENCE}" in text
    assert [word for word in OURS if word in text] == []


def test_who_asks_for_more_gets_it(tmp_path: Path) -> None:
    """An explicit style shows what it shows of any test."""
    assert "Endpoint(" in report_of(live(tmp_path, "--tb=long"), "test_pods_reach_pods")


@pytest.mark.parametrize(
    ("option", "more"),
    [({}, False), *(({name: value}, True) for name, value in MORE)],
    ids=str,
)
def test_what_counts_as_asking_for_more(option: dict[str, Any], more: bool) -> None:
    """``--tb``, ``-l`` and ``--full-trace``."""
    given = {"tbstyle": "auto", "showlocals": False, "fulltrace": False, **option}
    assert asked_for_more(SimpleNamespace(**given)) is more
