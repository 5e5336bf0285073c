"""The policy that selects nobody: a change for Felix, and for no pod."""

from __future__ import annotations

from sixproof.kube.runs import ownership
from sixproof.policy import ClusterSnapshot, Oracle
from sixproof.workloads.policy.idle_policy import idle_policy
from sixproof.workloads.probe_pods.identity import Run


def test_each_form_differs_in_what_felix_compares_and_goes_with_the_run() -> None:
    run = Run("abc123")
    first, second = idle_policy(run, "gw0", 0), idle_policy(run, "gw0", 1)
    assert first["metadata"] == second["metadata"]
    assert first["spec"] != second["spec"]
    assert first["metadata"]["namespace"] == run.namespace("a")
    assert first["metadata"]["labels"].items() >= ownership.labels(run.id).items()
    assert idle_policy(run, "gw1", 0)["metadata"]["name"] != first["metadata"]["name"]


def test_it_is_one_that_the_oracle_reads() -> None:
    manifest = idle_policy(Run("abc123"), "gw0", 0)
    home = manifest["metadata"]["namespace"]
    assert Oracle.of([manifest], ClusterSnapshot.of({home: {}}))
