"""The diagnostics of a run against a simulated cluster: written, judged, attached, and never in the
way of anything else."""

from __future__ import annotations

import html
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.listening import listening
from tests.plugin.conftest import ROOT
from tests.plugin.simulated.cluster import SimulatedCluster
from tests.plugin.simulated.network import Sent
from tests.plugin.simulated.objects import Manifest, Where
from tests.plugin.test_simulated import QUICK, run
from tests.unit.kube.server import Reply, Seen, kubeconfig, refused, serve
from tests.unit.reporting.bundle.unpacked import unpacked

PREFLIGHT, PODS = "suites/preflight", "suites/pods/test_reachability.py"
ON = {
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv6/conf/all/disable_ipv6": "0",
}
SECRET = "hunter2-plugh"
STORE = "/apis/crd.projectcalico.org/v1"


@pytest.fixture
def simulated() -> SimulatedCluster:
    """A cluster whose nodes report their settings and have blocks, and whose components run."""
    cluster = SimulatedCluster()
    cluster.network.sysctls.update(ON)
    for number, name in enumerate(("six-control-plane", "six-worker", "six-worker2")):
        for component in ("calico-node", "kube-proxy"):
            pod = {
                "metadata": {"name": f"{component}-{name}", "labels": {"k8s-app": component}},
                "spec": {"nodeName": name, "containers": [{"env": [SECRET]}]},
            }
            cluster.objects.keep(
                Where("/api/v1", "pods", "kube-system", f"{component}-{name}"), pod
            )
        for cidr in (f"10.244.{number}.0/26", f"fd00:10:244:{number}::/122"):
            named = f"{name}-{number}-{len(cidr)}"
            spec = {"cidr": cidr, "node": name, "state": "confirmed", "deleted": "false"}
            cluster.objects.keep(Where(STORE, "blockaffinities", "", named), {"spec": spec})
    return cluster


def bundle(home: Path) -> dict[str, str]:
    """The files of the last run's diagnostics."""
    return unpacked((home / "reports/latest/diagnostics.tar.gz").read_bytes())


def states(files: dict[str, str]) -> dict[str, str]:
    """How each item of the check-list is."""
    return {one["code"]: one["state"] for one in json.loads(files["check-list.json"])}


def test_a_green_run_leaves_its_diagnostics(simulated: SimulatedCluster, tmp_path: Path) -> None:
    """In the report's directory, linked from the overview, listed, and attached to Allure's run."""
    where = Where("/api/v1", "events", "kube-system", "e1")
    event = {"type": "Warning", "message": f"password={SECRET}", "reason": "Failed"}
    simulated.objects.keep(where, event)
    ran = run(simulated, tmp_path, PREFLIGHT)
    assert (ran.status, ran.bad) == (0, set()), ran.text
    assert "diagnostics.tar.gz" in ran.text.partition("Reports\n")[2]
    files = bundle(tmp_path)
    assert states(files) == {
        **dict.fromkeys(
            ("ipv6-enabled", "forwarding", "accept-ra", "node-addresses", "components"), "ok"
        ),
        **dict.fromkeys(("pod-addresses", "felix-ipv6", "pools", "blocks"), "ok"),
        "packet-filter": "not seen",
        "bgp-sessions": "not used",
    }
    assert len(json.loads(files["nodes.json"])) == 3
    assert len(json.loads(files["run/pods.json"])) == 8, "they were there while this was read"
    assert "events.json" in files
    assert [path for path, text in files.items() if SECRET in text] == []
    latest = tmp_path / "reports/latest"
    assert 'href="diagnostics.tar.gz"' in (latest / "overview.html").read_text()
    attached = "".join(p.read_text() for p in (latest / "allure-results").glob("*-globals.json"))
    assert '"diagnostics"' in attached
    assert len(list((latest / "allure-results").glob("*-attachment.tar.gz"))) == 1
    assert "Seconds to read diagnostics" in ran.results["environment"]


def errors_in_allure(report: Path) -> list[str]:
    """What Allure's first page calls wrong, in the order of the file, of which there is one."""
    files = [json.loads(p.read_text()) for p in report.glob("allure-results/*-globals.json")]
    (errors,) = (one["errors"] for one in files if one.get("errors"))
    return [error["message"] for error in errors]


def first_lines_of_the_overview(report: Path) -> list[str]:
    """The bold lines that its first sections begin with."""
    page = (report / "overview.html").read_text()
    found = re.findall(r'<div class="fault[^>]*><p><b>(.*?)</b></p>', page, re.DOTALL)
    return [html.unescape(line) for line in found]


def first_lines_of_the_summary(report: Path) -> list[str]:
    """What follows its marks, unfolded."""
    text = (report / "summary.txt").read_text().partition("\nVerdict\n")[0]
    found = re.findall(r"^  [!?] (.*(?:\n    \S.*)*)", text, re.MULTILINE)
    return [re.sub(r"\n *", " ", line) for line in found]


def crosses_nodes_over_ipv6(sent: Sent, met: Manifest) -> bool:
    """What a node that does not forward IPv6 loses."""
    return sent.family == "IPv6" and sent.source["spec"]["nodeName"] != met["spec"]["nodeName"]


def is_udp_of_one_port(sent: Sent, _: Manifest) -> bool:
    """A second fault, for which nothing that is examined is the cause."""
    return sent.family == "IPv4" and sent.protocol == "udp" and sent.port == 8081


def test_a_red_run_s_have_what_was_examined(simulated: SimulatedCluster, tmp_path: Path) -> None:
    """Judged by what nodes said after the failure; the check-list's own test is red too. Terminal,
    overview and Allure begin with the same lines, in the same order."""
    simulated.network.sysctls["net/ipv6/conf/all/forwarding"] = "0"
    simulated.network.faults += [crosses_nodes_over_ipv6, is_udp_of_one_port]
    ran = run(simulated, tmp_path, PREFLIGHT, PODS, only="other_nodes or check_list")
    assert ran.status == 1
    assert "test_the_check_list_of_ipv6_holds[forwarding]" in ran.of("failed")
    assert not [n for n in ran.bad if "check_list" in n and "forwarding" not in n], ran.text
    files = bundle(tmp_path)
    assert states(files)["forwarding"] == "not ok"
    assert "six-worker: net.ipv6.conf.all.forwarding is 0" in files["index.md"]
    assert "What nodes say of themselves here was read after the last test." in files["index.md"]
    assert "run/examination.json" in files
    assert ran.results["examination"]
    seconds = sum(reading["seconds"] for reading in ran.results["failures"])
    figure = ran.results["environment"]["Seconds to read nodes at failures"]
    assert float(figure) == pytest.approx(seconds, abs=0.01)
    assert all(
        case["started"].endswith("Z")
        for case in ran.results["tests"]
        if case["outcome"] == "failed"
    )
    report = tmp_path / "reports/latest"
    *errors, left = errors_in_allure(report)
    assert len(errors) > 1
    errors = [error.partition("\n")[0] for error in errors]  # what to do follows
    assert first_lines_of_the_overview(report) == errors
    summary = first_lines_of_the_summary(report)
    assert len(summary) == len(errors)
    assert all(line.startswith(said) for line, said in zip(summary, errors, strict=True)), summary
    assert re.fullmatch(r"none of these causes explains \d+ tests?(: \S+)?", left)
    assert all(left in (report / file).read_text() for file in ("summary.txt", "overview.html"))


def test_what_may_not_be_read_is_a_line_of_the_index(
    simulated: SimulatedCluster, tmp_path: Path
) -> None:
    """It fails nothing; items that need it are not seen, and their tests are skipped."""
    for path in (f"{STORE}/blockaffinities", "/apis/apps/v1/namespaces/kube-system/daemonsets"):
        simulated.on("GET", path, refused(403, "Forbidden", "no"))
    ran = run(simulated, tmp_path, PREFLIGHT)
    assert (ran.status, ran.bad) == (0, set()), ran.text
    files = bundle(tmp_path)
    assert states(files)["blocks"] == "not seen"
    why = "blockaffinities.crd.projectcalico.org: not allowed; --six-plan prints the rules"
    assert files["index.md"].count(f"- {why}") == 1
    assert "daemonsets.apps of kube-system: not allowed" in files["index.md"]
    assert "test_the_check_list_of_ipv6_holds[blocks]" in ran.of("skipped")


def test_a_file_that_cannot_be_written_changes_nothing_else(
    simulated: SimulatedCluster, tmp_path: Path
) -> None:
    """One line, the same exit status, all other reports."""
    report = tmp_path / "mine"
    (report / "diagnostics.tar.gz.part").mkdir(parents=True)
    ran = run(simulated, tmp_path, PREFLIGHT, "--six-report-dir=mine", only="version", at="mine")
    assert ran.status == 0, ran.text
    assert "the diagnostics could not be written" in ran.text
    assert not (report / "diagnostics.tar.gz").exists()
    assert 'href="diagnostics' not in (report / "overview.html").read_text()
    assert "diagnostics " not in ran.text.partition("Reports\n")[2]


def test_a_blocked_run_has_diagnostics_too(simulated: SimulatedCluster, tmp_path: Path) -> None:
    """What keeps a run from beginning is what they are wanted for."""

    def review(seen: Seen) -> Reply:
        attributes = seen.body["spec"]["resourceAttributes"]
        return Reply({"status": {"allowed": attributes["resource"] != "leases"}})

    simulated.compute("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    ran = run(simulated, tmp_path, PREFLIGHT)
    assert ran.status == 1
    assert not [name for name in ran.bad if "check_list" in name], ran.text
    files = bundle(tmp_path)
    assert "| blocker | permissions | " in files["index.md"]
    assert states(files)["forwarding"] == "not seen"
    assert states(files)["components"] == "ok"


@pytest.mark.skipif(sys.platform != "linux", reason="signals as Linux has them")
def test_an_interrupted_run_waits_for_nothing_and_leaves_no_half_file(
    simulated: SimulatedCluster, tmp_path: Path
) -> None:
    """What it holds anyway is written; nothing is read, also where the API server would be slow."""
    (tmp_path / "suites/pods").mkdir(parents=True)
    sleeper = tmp_path / "suites/pods/test_long.py"
    sleeper.write_text(
        "import time\ndef test_long(topology):\n    print('x')\n    time.sleep(60)\n"
    )
    (tmp_path / "conftest.py").write_text('pytest_plugins = ("fixtures.plugin",)\n')
    with serve(simulated) as url:
        config = kubeconfig(tmp_path / "kubeconfig", url)
        command = listening("-m", "pytest", "-p", "no:cacheprovider", "-s", *QUICK)
        running: subprocess.Popen[str] = subprocess.Popen(
            [*command, str(sleeper), f"--rootdir={tmp_path}", "--six-kubeconfig", str(config)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert running.stdout is not None
        said = ""
        for line in running.stdout:
            said += line
            if line.strip().rpartition(" ")[2] == "x":
                break
        asked = len(simulated.seen)
        begun = time.monotonic()
        running.send_signal(signal.SIGINT)
        said += running.communicate(timeout=60)[0]
    assert running.returncode == 2, said
    assert time.monotonic() - begun < 30
    reads = [s.path for s in simulated.seen[asked:] if s.method == "GET"]
    assert not [path for path in reads if path.endswith(("/nodes", "/configmaps/coredns"))], reads
    (report,) = (tmp_path / "reports/runs").iterdir()
    assert not list(report.glob("*.part"))
    files: dict[str, Any] = unpacked((report / "diagnostics.tar.gz").read_bytes())
    assert "the run was to end at once" in files["index.md"]
    assert states(files)["forwarding"] == "ok", "nodes said so when the run began"
