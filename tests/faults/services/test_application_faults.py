"""Applications of the cluster's owner that do not work over IPv6: each defect is found and named,
and nothing is said of healthy ones.

The applications are real: TCP servers in namespaces that look like an owner's.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import testbed
from sixproof.kube.api import resources, wait
from sixproof.kube.api.client import Cluster
from sixproof.kube.facts.pods import wait_ready
from sixproof.reporting.diagnosis.verdicts import verdicts
from sixproof.reporting.results.application_record import Readiness
from sixproof.reporting.results.test_record import CaseOutcome
from tests.faults.conftest import run_suites

pytestmark = [pytest.mark.bed, pytest.mark.usefixtures("mended")]

APPLICATIONS = "suites/applications"
TEST = "test_your_applications_work_over_each_family"
SERVER = """
import socket, sys
six = ":" in sys.argv[1]
family = socket.AF_INET6 if six else socket.AF_INET
server = socket.create_server((sys.argv[1], 8080), family=family, dualstack_ipv6=six)
while True:
    server.accept()[0].close()
"""
"""Accepts connections at an address, and says nothing."""
SINGLE_STACK: dict[str, Any] = {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"]}
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 65534,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod(home: str, name: str, image: str, listens: str = "::") -> dict[str, Any]:
    """A pod with one server."""
    container = {
        "name": "server",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", SERVER, listens],
        "securityContext": RESTRICTED,
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    metadata = {"name": name, "namespace": home, "labels": {"app": name, "owner": "test"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def service(home: str, name: str, app: str, protocol: str = "TCP", **spec: Any) -> dict[str, Any]:
    """A service of one port in front of a pod."""
    port = {"name": "http", "port": 80, "targetPort": 8080, "protocol": protocol}
    whole = {"selector": {"app": app}, "ports": [port], "ipFamilyPolicy": "PreferDualStack", **spec}
    metadata = {"name": name, "namespace": home}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": whole}


def admits_ipv4(home: str, app: str) -> dict[str, Any]:
    """A policy that was written before there was IPv6."""
    block = {"ipBlock": {"cidr": "0.0.0.0/0"}}
    spec = {"podSelector": {"matchLabels": {"app": app}}, "ingress": [{"from": [block]}]}
    metadata = {"name": "before-ipv6", "namespace": home}
    api = "networking.k8s.io/v1"
    return {"apiVersion": api, "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


@pytest.fixture
def homes(bed: testbed.Bed) -> Iterator[tuple[str, str]]:
    """A namespace of healthy applications, and one of sick ones."""
    well, sick = (f"{word}-{uuid.uuid4().hex[:6]}" for word in ("well", "sick"))
    image = bed.probe_image
    made = [
        pod(well, "good", image),
        service(well, "good", "good", type="NodePort"),
        pod(sick, "good", image),
        pod(sick, "old", image, "0.0.0.0"),  # noqa: S104 - the defect
        pod(sick, "guarded", image),
        service(sick, "good", "good"),
        service(sick, "old", "old"),
        service(sick, "single", "good", type="NodePort", **SINGLE_STACK),
        service(sick, "guarded", "guarded"),
        service(sick, "nobody", "nobody"),
        service(sick, "voice", "good", "UDP"),
        admits_ipv4(sick, "guarded"),
    ]
    with Cluster.connect(bed.kubeconfig, bed.context) as cluster:
        try:
            for home in (well, sick):
                metadata = {"name": home}
                cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
            wait.until(  # pods are admitted once the account of their namespace is there
                lambda: [
                    cluster.find(resources.SERVICE_ACCOUNT, "default", h) for h in (well, sick)
                ],
                all,
                timeout=60,
            )
            for manifest in made:
                cluster.apply(manifest)
            wait_ready(cluster, well, "owner=test", ["good"], 120)
            wait_ready(cluster, sick, "owner=test", ["good", "old", "guarded"], 120)
            yield well, sick
        finally:
            for home in (well, sick):
                cluster.delete(resources.NAMESPACE, home)


def test_each_defect_is_named_and_healthy_applications_are_ready(
    tmp_path: Path, homes: tuple[str, str]
) -> None:
    """0.0.0.0, SingleStack, a policy of one family; no pod, and UDP, are not asked. No family is
    accused, and nobody looks for a fault of the network."""
    well, sick = homes
    suite_run = run_suites(tmp_path, APPLICATIONS, "--six-applications", f"{well},{sick}")
    assert set(suite_run.red()) == {TEST}, suite_run.output[-3000:]
    assert suite_run.cases(CaseOutcome.BROKEN) == ()
    assert not any(v.accused or v.doubtful for v in verdicts(suite_run.results))
    assert suite_run.results.examination is None
    assert suite_run.conclusions.every == ()
    rows = {(r.namespace, r.service): r for r in suite_run.results.applications}
    assert {name: row.readiness for (home, name), row in rows.items() if home == sick} == {
        "good": Readiness.READY,
        "old": Readiness.NOT_READY,
        "single": Readiness.NOT_READY,
        "guarded": Readiness.NOT_READY,
        "nobody": Readiness.NOT_ASKED,
        "voice": Readiness.NOT_ASKED,
    }
    assert "1 of 1 pods accept IPv4 and refuse IPv6" in rows[sick, "old"].problems[0]
    (single,) = rows[sick, "single"].problems
    assert "has IPv4 alone (ipFamilyPolicy SingleStack)" in single
    (admitted,) = rows[sick, "guarded"].problems
    assert "policies admit IPv4 and no IPv6 to 1 of 1 pods" in admitted
    assert "before-ipv6" in admitted
    assert rows[well, "good"].readiness is Readiness.READY
    assert f"{sick}: 1 of 4 ports ready, 2 not asked" in suite_run.output
    assert f"{well}: 1 of 1 ports ready" in suite_run.output
    assert f"<h3>{sick}: 1 of 4 ports ready, 2 not asked</h3>" in suite_run.overview


def test_nothing_is_said_of_healthy_applications(tmp_path: Path, homes: tuple[str, str]) -> None:
    """By the namespace alone, by leaving the sick ones out; the cluster's own DNS is well, too."""
    well, sick = homes
    alone = run_suites(tmp_path / "alone", APPLICATIONS, "--six-applications", well)
    spared = f"{sick},default"
    all_but = ("--six-applications", "all", "--six-applications-exclude", spared)
    every = run_suites(tmp_path / "every", APPLICATIONS, *all_but)
    system = run_suites(tmp_path / "system", APPLICATIONS, "--six-applications", "kube-system")
    for suite_run in (alone, every, system):
        assert suite_run.status == 0, suite_run.output[-3000:]
        ready = {r.readiness for r in suite_run.results.applications}
        assert Readiness.READY in ready
        assert not {Readiness.NOT_READY, Readiness.NO_ANSWER} & ready
        assert not [f for f in suite_run.results.findings if f.code.startswith("application-")]
