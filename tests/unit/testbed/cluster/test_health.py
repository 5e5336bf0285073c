from typing import Any

import pytest

from testbed.cluster import health


def deployment(ready: int, updated: int, observed: int = 3) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"name": "coredns", "generation": 3},
        "spec": {"replicas": 2},
        "status": {
            "readyReplicas": ready,
            "updatedReplicas": updated,
            "observedGeneration": observed,
        },
    }


@pytest.mark.parametrize(
    ("ready", "updated", "observed", "ok"),
    [(2, 2, 3, True), (1, 2, 3, False), (2, 1, 3, False), (2, 2, 2, False), (3, 2, 3, False)],
)
def test_a_deployment_is_whole_when_all_of_its_newest_pods_are_ready(
    ready: int, updated: int, observed: int, ok: bool
) -> None:
    check = health.workload_check(deployment(ready, updated, observed))
    assert (check.ok, check.seen) == (ok, f"{ready} of 2 ready")


def test_a_daemon_set_without_a_status_is_not_whole() -> None:
    item = {"kind": "DaemonSet", "metadata": {"name": "calico-node", "generation": 1}}
    assert not health.workload_check(item).ok


@pytest.mark.parametrize(("status", "ok"), [("True", True), ("False", False), ("Unknown", False)])
def test_a_node_counts_when_it_is_ready(status: str, ok: bool) -> None:
    node = {
        "metadata": {"name": "six-worker"},
        "spec": {"podCIDRs": ["10.244.1.0/24", "fd00:10:244:1::/64"]},
        "status": {"conditions": [{"type": "Ready", "status": status}]},
    }
    assert health.node_check(node).ok is ok


def test_calicos_api_counts_when_the_aggregator_reaches_it() -> None:
    served = {"status": {"conditions": [{"type": "Available", "status": "True"}]}}
    assert health.api_check(served).ok
    assert not health.api_check({"status": {}}).ok
