"""Clusters that cannot run the probe pods: one clear cause, and nothing else runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import testbed
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.api.resources import Kind
from sixproof.kube.runs import ownership
from sixproof.reporting.results.test_record import CaseOutcome
from tests.faults.conftest import SuiteRun, run_suites

pytestmark = pytest.mark.bed
NAME = "six-fault-r11"
WORDS = "pods of tests need a change request"
API = "admissionregistration.k8s.io/v1"
POLICY = Kind(API, "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False)
BINDING = Kind(
    API, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", namespaced=False
)
REFUSING: tuple[Manifest, ...] = (
    {
        "apiVersion": API,
        "kind": POLICY.kind,
        "metadata": {"name": NAME},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["pods"],
                    }
                ]
            },
            "validations": [
                {
                    "expression": f"!('{ownership.RUN}' in object.metadata.?labels.orValue({{}}))",
                    "message": WORDS,
                }
            ],
        },
    },
    {
        "apiVersion": API,
        "kind": BINDING.kind,
        "metadata": {"name": NAME},
        "spec": {"policyName": NAME, "validationActions": ["Deny"]},
    },
)


def test_an_image_that_cannot_be_pulled_is_one_clear_cause(
    tmp_path: Path, bed: testbed.Bed
) -> None:
    """A wrong --six-image: the image, the registry's refusal and the option are named."""
    suite_run = run_suites(
        tmp_path, "suites", "--six-image", "localhost:1/nobody/none:1", "--six-ready-timeout", "40"
    )
    cause = only_cause(suite_run)
    assert "localhost:1/nobody/none:1" in cause
    assert "--six-image" in cause


def test_a_taint_that_is_not_tolerated_is_one_clear_cause(tmp_path: Path, bed: testbed.Bed) -> None:
    """Probe pods that nobody schedules: the taint and the option are named."""
    node = next(n.name for n in bed.nodes if n.role == "control-plane")
    words = ["--six-nodes", node, "--six-tolerations", "none", "--six-ready-timeout", "10"]
    suite_run = run_suites(tmp_path, "suites", *words)
    cause = only_cause(suite_run)
    assert "taint" in cause
    assert "--six-tolerations" in cause


def test_an_admission_policy_that_refuses_probe_pods_is_one_clear_cause(
    tmp_path: Path, bed: testbed.Bed, refused: str
) -> None:
    """R11: a rule of the cluster's owner; the API server's own words are quoted."""
    cause = only_cause(run_suites(tmp_path, "suites"))
    assert refused in cause


@pytest.fixture
def refused(bed: testbed.Bed) -> Iterator[str]:
    """A ValidatingAdmissionPolicy that refuses every pod of a run, in these words."""
    with Cluster.connect(bed.kubeconfig, bed.context) as cluster:
        try:
            for manifest in REFUSING:
                cluster.apply(manifest)
            yield WORDS
        finally:
            for kind in (BINDING, POLICY):
                cluster.delete(kind, NAME)


def only_cause(suite_run: SuiteRun) -> str:
    """The text of the one blocker; everything but the preflight was not run."""
    (blocker,) = (f for f in suite_run.results.findings if f.severity.value == "blocker")
    ran = [c for c in suite_run.results.cases if c.outcome is not CaseOutcome.NOT_RUN]
    assert all("suites/preflight" in case.nodeid for case in ran)
    (failed,) = suite_run.cases(CaseOutcome.FAILED)
    assert "probe" in failed.nodeid
    assert suite_run.cases(CaseOutcome.BROKEN) == ()
    assert len(suite_run.cases(CaseOutcome.NOT_RUN)) > 20
    assert suite_run.status == 1
    return str(blocker)
