"""Why a pod does not run: recorded pods and events of a real cluster, one a failure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sixproof.errors import ApiError, NotReady
from sixproof.kube.api.client import Cluster
from sixproof.kube.facts import events, pods
from tests.unit.kube.server import FakeApi, Reply, listed, refused

RECORDED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "recorded" / "pods.json").read_text()
)
BY_NAME = {entry["pod"]["metadata"]["name"]: entry for entry in RECORDED}

WANTED = {
    "no-image": ("ErrImagePull", "--six-image-registry"),
    "no-tag": ("ErrImageNeverPull", "--six-image"),
    "bad-name": ("InvalidImageName", "correct --six-image"),
    "no-node": ("not scheduled: 0/3 nodes", "--six-nodes or --six-node-selector"),
    "taint": ("untolerated taint", "--six-tolerations"),
    "big": ("Insufficient cpu", "free the node"),
    "bad-pool": ('no network: Calico says: error parsing pool "nope"', "check the IPPools"),
    "sysctl": ("SysctlForbidden", "sysctl"),
    "no-cmd": ("no such file or directory", ""),
    "crash": ("exit status 3", ""),
    "crash-never": ("exit status 4", ""),
    "no-cm": ('configmap "absent" not found', "never made"),
    "cp-name": ("refused by its node: NodeAffinity", "--six-nodes"),
}


@pytest.mark.parametrize("name", WANTED)
def test_recorded_failure(name: str) -> None:
    cause = events.diagnose(BY_NAME[name]["pod"], BY_NAME[name]["events"])
    what, remedy = WANTED[name]
    assert what in cause.what
    assert remedy in cause.remedy
    assert "\n" not in str(cause)


def test_recorded_failures_that_waiting_does_not_mend() -> None:
    final = {n for n, e in BY_NAME.items() if events.diagnose(e["pod"], ()).final}
    assert final == {"no-tag", "bad-name", "sysctl", "crash-never", "cp-name"}


def test_scheduler_afterthoughts_are_left_out() -> None:
    assert "preemption" not in str(events.diagnose(BY_NAME["big"]["pod"], ()))


def test_pod_that_waits_without_a_word() -> None:
    assert str(events.diagnose({"status": {"phase": "Pending"}}, ())) == (
        "the pod is Pending; no events"
    )


def test_a_host_port_that_is_taken_is_another_run() -> None:
    """Agents on the host network listen on it; nothing else of a run asks the scheduler for one."""
    message = (
        "0/3 nodes are available: 1 node(s) didn't have free ports for the requested pod ports, "
        "2 node(s) didn't satisfy plugin(s) [NodeAffinity]."
    )
    condition = {"type": "PodScheduled", "status": "False", "message": message}
    cause = events.diagnose({"status": {"phase": "Pending", "conditions": [condition]}}, ())
    assert "another run" in cause.remedy
    assert "--six-cleanup" in cause.remedy


def test_pod_that_was_refused_by_its_quota() -> None:
    event = {
        "type": "Warning",
        "reason": "FailedCreate",
        "message": 'pods "x" is forbidden: exceeded quota: q',
    }
    assert "ResourceQuota" in str(events.diagnose(None, [event]))
    assert "does not exist" in str(events.diagnose(None, []))


def sandbox(message: str) -> str:
    event = {"type": "Warning", "reason": "FailedCreatePodSandBox", "message": message}
    return str(events.diagnose({"status": {"phase": "Pending"}}, [event]))


def test_cni_failures() -> None:
    failed = 'Failed to create pod sandbox: plugin type="calico" failed (add): '
    used_up = "failed to request IPv6 addresses: Assigned 0 out of 1 requested IPv6 addresses"
    assert "the pool is used up" in sandbox(failed + used_up)
    down = "stat /var/lib/calico/nodename: no such file or directory"
    assert "calico-node does not run" in sandbox(failed + down)
    assert "no sandbox: runc is ill" in sandbox("runc is ill")


def test_newest_event_counts() -> None:
    old = {"message": "old", "lastTimestamp": "2026-01-01T00:00:00Z"}
    new = {"message": "new", "eventTime": "2026-01-01T00:00:01.5Z"}
    warnings = [{"type": "Warning", "reason": "FailedMount", **event} for event in (old, new)]
    assert "new" in str(events.diagnose({"status": {"phase": "Pending"}}, warnings))


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ('pods "x" is forbidden: exceeded quota: q, requested: pods=1', "ResourceQuota"),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest"', "--six-raw=off"),
        ('admission webhook "x" denied the request: no', "admission policy"),
        ("something else", ""),
    ],
)
def test_refusals(message: str, remedy: str) -> None:
    assert remedy in events.explain_refusal(ApiError(message, status=403))


def test_explain_reads_pod_and_events(cluster: Cluster, api: FakeApi) -> None:
    entry = BY_NAME["no-cm"]
    api.on("GET", "/api/v1/namespaces/web/pods/no-cm", Reply(entry["pod"]))
    api.on("GET", "/api/v1/namespaces/web/events", listed(*entry["events"]))
    assert "absent" in events.explain(cluster, "web", "no-cm")
    assert api.seen[-1].query["fieldSelector"] == "involvedObject.name=no-cm"
    api.on("GET", "/api/v1/namespaces/web/events", refused(403, "Forbidden", "no events"))
    assert "cannot be read" in events.explain(cluster, "web", "no-cm")


class TestWaitReady:
    PODS = "/api/v1/namespaces/web/pods"
    READY = BY_NAME["ok"]["pod"]

    def test_ready_pods_have_both_addresses(self, cluster: Cluster, api: FakeApi) -> None:
        pending = {"metadata": {"name": "ok"}, "status": {"phase": "Pending"}}
        api.on("GET", self.PODS, listed(), listed(pending), listed(self.READY))
        found = pods.wait_ready(cluster, "web", "app=x", ["ok"], timeout=5)["ok"]
        assert [a.version for a in found.addresses] == [4, 6]
        assert api.seen[-1].query["labelSelector"] == "app=x"

    def test_pod_that_is_being_deleted_is_not_ready(self) -> None:
        going = {**self.READY, "metadata": {"name": "ok", "deletionTimestamp": "now"}}
        assert pods.running_pod(self.READY)
        assert pods.running_pod(going) is None

    def test_hopeless_pod_ends_the_wait_and_is_reported_first(
        self, cluster: Cluster, api: FakeApi
    ) -> None:
        slow = {"metadata": {"name": "a-slow"}, "status": {"phase": "Pending"}}
        bad = BY_NAME["bad-name"]["pod"]
        api.on("GET", self.PODS, listed(slow, bad))
        api.on("GET", f"{self.PODS}/a-slow", Reply(slow))
        api.on("GET", f"{self.PODS}/bad-name", Reply(bad))
        api.on("GET", "/api/v1/namespaces/web/events", listed())
        with pytest.raises(NotReady) as caught:
            pods.wait_ready(cluster, "web", "app=x", ["a-slow", "bad-name"], timeout=30)
        message = str(caught.value)
        assert message.startswith("2 of 2 pods in web not ready after 0.")
        assert message.index("bad-name") < message.index("a-slow")
        assert "--six-image" in message

    def test_many_pods_with_one_reason_are_reported_once(
        self, cluster: Cluster, api: FakeApi
    ) -> None:
        api.on("GET", self.PODS, listed())
        api.on("GET", "/api/v1/namespaces/web/events", listed())
        with pytest.raises(NotReady, match=r"p0, p1, p2: the pod does not exist.*and 2 more"):
            pods.wait_ready(cluster, "web", "app=x", [f"p{i}" for i in range(5)], timeout=0.1)
