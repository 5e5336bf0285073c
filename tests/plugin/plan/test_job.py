"""`sixproof job`: what a cluster needs to measure itself."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.plugin.plan.test_plan import api, changes, printed
from tests.plugin.test_typed import typed
from tests.unit.kube.server import FakeApi, kubeconfig, serve

__all__ = ["api"]


def job(api: FakeApi, tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """``sixproof job WORDS`` on a cluster that is reached by a kubeconfig of this machine."""
    with serve(api) as url:
        config = kubeconfig(tmp_path / "kubeconfig", url)
        return typed(*words, "--six-kubeconfig", str(config), command="job", cwd=tmp_path)


def objects(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """What was printed, by kind."""
    assert done.returncode == 0, done.stdout + done.stderr
    return {value["kind"]: value for value in yaml.safe_load_all(done.stdout)}


def test_the_job_runs_what_was_asked_with_the_least_rights(api: FakeApi, tmp_path: Path) -> None:
    """The rules are those that the plan of the same tests prints."""
    made = objects(job(api, tmp_path, "img/six:1", "suites/preflight", "-n", "2", "--six-nodes=2"))
    asked = ("suites/preflight", "-n", "2", "--six-nodes=2")
    (role,) = printed(api, tmp_path, *asked).of("ClusterRole")

    assert list(made) == [
        "Namespace",
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "Job",
    ]
    assert made["ClusterRole"] == role
    assert made["ClusterRoleBinding"]["roleRef"]["name"] == role["metadata"]["name"]
    (container,) = made["Job"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "img/six:1"
    assert container["args"] == ["run", *asked, "--six-print-report"]
    assert list(changes(api)) == []


def test_its_pod_is_restricted_and_leaves_time_to_clean_up(api: FakeApi, tmp_path: Path) -> None:
    """By Pod Security's level `restricted`, which its namespace enforces; with a root file system
    that cannot be written."""
    made = objects(job(api, tmp_path, "img", "suites/preflight"))
    pod = made["Job"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    labels = made["Namespace"]["metadata"]["labels"]
    assert labels == {"pod-security.kubernetes.io/enforce": "restricted"}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert pod["terminationGracePeriodSeconds"] >= 60
    assert made["Job"]["spec"]["backoffLimit"] == 0


def test_reports_go_to_a_claim(api: FakeApi, tmp_path: Path) -> None:
    made = objects(job(api, tmp_path, "img", "--claim", "kept", "suites/preflight"))
    pod = made["Job"]["spec"]["template"]["spec"]

    assert pod["volumes"][0] == {
        "name": "reports",
        "persistentVolumeClaim": {"claimName": "kept"},
    }
    assert pod["containers"][0]["args"] == ["run", "suites/preflight"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "which image? sixproof job IMAGE"),
        (["--claim", "x"], "which image? sixproof job IMAGE"),
        (["img", "--claim"], "--claim: which PersistentVolumeClaim?"),
        (["no image!"], "'no image!' is no image"),
        (["img", "--claim=A_B"], "the name of a claim"),
        (["img", "suites/typo"], "suites/typo: there is no such suite"),
    ],
)
def test_a_slip_is_told(words: list[str], said: str, tmp_path: Path) -> None:
    done = typed(*words, command="job", cwd=tmp_path)
    assert done.returncode in (2, 4)
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
