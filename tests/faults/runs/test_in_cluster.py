"""A Job measures the cluster that it runs in, with the rights that `sixproof job` prints alone."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import testbed
from sixproof.kube.api import json_fields, resources, wait
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.resources import Kind
from sixproof.kube.runs import ownership
from testbed.build import own_image, rootfs
from testbed.host import paths
from testbed.host.engine import Engine
from tests.faults.injection import finished

pytestmark = pytest.mark.bed

JOB = Kind("batch/v1", "Job", "jobs")
HOME = "sixproof"
IN_IMAGE = (3, 11)
"""The release of Python on the bed's nodes."""
LONGEST = 900.0
"""Seconds that the Job may take on a busy machine."""


@pytest.fixture
def node(bed: testbed.Bed, tmp_path: Path) -> str:
    """A node of this bed that has an image of this checkout."""
    if sys.version_info[:2] != IN_IMAGE:
        pytest.skip(f"the bed's nodes have Python {IN_IMAGE}, and dependencies have compiled parts")
    if bed.image_mode != "build":
        pytest.skip("the bed's images were pulled: deploy/Dockerfile makes the image there")
    tools, _ = rootfs.build(paths.cache().layers, lambda _: None)
    made = own_image.write(tmp_path / "own.tar", tools)
    engine = Engine(bed.docker_host)
    name = next(machine.name for machine in bed.nodes if "control" not in machine.name)
    inside = "/root/sixproof.tar"
    engine.run("cp", made, f"{name}:{inside}")
    engine.run("exec", name, "ctr", "--namespace", "k8s.io", "images", "import", inside)
    engine.run("exec", name, "rm", inside)
    return name


@contextlib.contextmanager
def applied(cluster: Cluster, manifests: list[dict[str, Any]]) -> Iterator[None]:
    """The objects while they stand."""
    try:
        for manifest in manifests:
            cluster.apply(manifest)
        yield
    finally:
        for manifest in reversed(manifests):
            cluster.delete(*cluster.catalog.place(manifest))


def ended_as(job: dict[str, Any]) -> set[str]:
    """The conditions of a Job that hold."""
    conditions = json_fields.entries(job, "status", "conditions")
    return {str(one["type"]) for one in conditions if one.get("status") == "True"}


def test_a_job_measures_its_cluster_and_prints_its_report(
    cluster: Cluster, bed: testbed.Bed, node: str, tmp_path: Path
) -> None:
    """It succeeds, its rights suffice, its report comes out of its log, and nothing of the run is
    left."""
    six = (sys.executable, "-m", "sixproof")
    asked = ("suites/preflight", "suites/nodes", "-n", "2", "--six-image", bed.probe_image)
    from_here = ("--six-kubeconfig", str(bed.kubeconfig))
    printed = finished((*six, "job", own_image.REFERENCE, *asked, *from_here), timeout=120)
    assert printed.returncode == 0, printed.stdout[-2000:] + printed.stderr
    manifests = [value for value in yaml.safe_load_all(printed.stdout) if value]
    (job,) = [manifest for manifest in manifests if manifest["kind"] == "Job"]
    spec = job["spec"]["template"]["spec"]
    spec["nodeSelector"]["kubernetes.io/hostname"] = node

    with applied(cluster, manifests):
        ended = wait.until(
            lambda: cluster.get(JOB, HOME, HOME),
            lambda held: bool(ended_as(held) & {"Complete", "Failed"}),
            timeout=LONGEST,
        )
        (pod,) = cluster.list(resources.POD, HOME, labels=f"job-name={HOME}")
        log = cluster.log(json_fields.name(pod), HOME, lines=1_000_000)

    (tmp_path / "log").write_text(log, encoding="utf-8")
    assert "Complete" in ended_as(ended.value), log.partition("-----BEGIN")[0][-5000:]
    assert "not allowed" not in log
    taken = finished((*six, "unpack", str(tmp_path / "log"), str(tmp_path / "report")), timeout=60)
    assert taken.returncode == 0, taken.stderr
    results = json.loads((tmp_path / "report/results.json").read_text(encoding="utf-8"))
    assert {case["outcome"] for case in results["tests"]} <= {"passed", "skipped"}
    assert sum(case["outcome"] == "passed" for case in results["tests"]) > 5
    assert "<html" in (tmp_path / "report/overview.html").read_text(encoding="utf-8")
    assert not cluster.list(resources.NAMESPACE, labels=ownership.selector())
