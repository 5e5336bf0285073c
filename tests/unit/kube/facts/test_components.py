"""The cluster's own pods and settings, as far as they may be read."""

from __future__ import annotations

from typing import Any

import pytest

from sixproof.kube.api.client import Cluster
from sixproof.kube.facts import components
from tests.unit.kube.server import FakeApi, Reply, listed, refused

POD: dict[str, Any] = {
    "metadata": {"name": "kube-proxy-x", "namespace": "kube-system", "labels": {}},
    "spec": {"nodeName": "worker"},
    "status": {
        "startTime": "2026-11-28T10:00:00Z",
        "podIPs": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}],
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"restartCount": 2}, {"restartCount": 1}],
    },
}
PODS = "/api/v1/namespaces/{}/pods"
MAPS = "/api/v1/namespaces/kube-system/configmaps/{}"


def labelled(value: str) -> dict[str, object]:
    """The pod of a component."""
    metadata = {**POD["metadata"], "labels": {"k8s-app": value}}
    return {**POD, "metadata": metadata}


def test_pods_are_reported_by_component(cluster: Cluster, api: FakeApi) -> None:
    """Of kube-system and of the CNI's namespace; where one may not be read, the other is."""
    api.on("GET", PODS.format("kube-system"), Reply(body=listed(labelled("kube-proxy")).body))
    api.on("GET", PODS.format("calico-system"), refused(403, "Forbidden", "no"))
    found, problems = components.pods(cluster, "calico-system")
    (pod,) = found
    assert (pod.component, pod.name, pod.node, pod.ready) == (
        "kube-proxy",
        "kube-proxy-x",
        "worker",
        True,
    )
    assert (pod.restarts, pod.addresses) == (3, ["192.0.2.1", "2001:db8::1"])
    assert pod.started == "2026-11-28T10:00:00Z"
    (problem,) = problems
    assert problem.startswith("pods of calico-system: ")


USUAL = [(8080, "/health", False), (8181, "/ready", False)]


@pytest.mark.parametrize(
    ("probes", "asked"),
    [
        ({}, USUAL),
        (
            {
                "livenessProbe": {"httpGet": {"path": "/health", "port": "liveness"}},
                "readinessProbe": {"httpGet": {"path": "ready", "port": 8182}},
            },
            [(8090, "/health", True), (8182, "/ready", True)],
        ),
        ({"livenessProbe": {"tcpSocket": {"port": 53}}}, USUAL),
        ({"livenessProbe": {"httpGet": {"path": "/health", "port": "nobody"}}}, USUAL),
        ({"livenessProbe": {"httpGet": {"port": 8090, "scheme": "HTTPS"}}}, USUAL),
        ({"livenessProbe": {"httpGet": {"port": 8090, "host": "192.0.2.9"}}}, USUAL),
        ({"livenessProbe": {"httpGet": {"port": 8090, "path": "/x\r\nHost: y"}}}, USUAL),
        ({"livenessProbe": {"httpGet": {"port": 70000, "path": "/x"}}}, USUAL),
    ],
    ids=["none", "declared", "no HTTP", "unknown name", "HTTPS", "elsewhere", "no path", "no port"],
)
def test_where_coredns_says_how_it_is(
    cluster: Cluster,
    api: FakeApi,
    probes: dict[str, Any],
    asked: list[tuple[int, str, bool]],
) -> None:
    """As its probes ask over HTTP, else where its plugins usually answer; a container beside it has
    no probe."""
    container = {"ports": [{"name": "liveness", "containerPort": 8090}], **probes}
    pod = labelled("kube-dns")
    pod = {**pod, "spec": {"nodeName": "worker", "containers": [{"name": "beside"}, container]}}
    api.on("GET", PODS.format("kube-system"), listed(pod, labelled("kube-proxy")))
    api.on("GET", PODS.format("calico-system"), listed())
    (core, proxy), _ = components.pods(cluster)
    assert core.component == "CoreDNS"
    assert [(c.port, c.path, c.declared) for c in core.checks] == asked
    assert proxy.checks == []


def test_addresses_that_no_pod_has_are_reported_with_who_keeps_the_slice(
    cluster: Cluster, api: FakeApi
) -> None:
    """A slice made by hand beside the controller's; what is not ready gets no traffic."""
    labels = {"kubernetes.io/service-name": "web"}
    kept = {**labels, "endpointslice.kubernetes.io/managed-by": "endpointslice-controller"}
    home = "/apis/discovery.k8s.io/v1/namespaces/six-x-svc/endpointslices"
    slices = [
        {
            "metadata": {"name": "web-1", "namespace": "six-x-svc", "labels": kept},
            "endpoints": [{"addresses": ["192.0.2.1"]}, {"addresses": ["2001:db8::1"]}],
        },
        {
            "metadata": {"name": "by-hand", "namespace": "six-x-svc", "labels": labels},
            "endpoints": [
                {"addresses": ["2001:db8:bad::1"], "conditions": {"ready": True}},
                {"addresses": ["2001:db8:bad::2"], "conditions": {"ready": False}},
            ],
        },
    ]
    api.on("GET", "/api/v1/namespaces", listed({"metadata": {"name": "six-x-svc"}}))
    api.on("GET", home, listed(*slices))
    api.on("GET", PODS.format("six-x-svc"), listed(labelled("web")))
    found = components.of_run(cluster, "x")
    assert (found.problems, found.ended) == ([], [])
    assert found.strays == [
        components.StrayEndpoint("six-x-svc", "web", "by-hand", "2001:db8:bad::1", "")
    ]


def test_pods_of_the_run_that_ended_are_reported_with_how_and_when(
    cluster: Cluster, api: FakeApi
) -> None:
    """Killed, evicted, and one that runs."""
    killed = {
        "name": "agent",
        "state": {
            "terminated": {
                "exitCode": 137,
                "reason": "OOMKilled",
                "message": "serving tcp/[::]:8080",
                "finishedAt": "2026-11-28T10:05:00Z",
            }
        },
    }
    pods = [
        {
            "metadata": {"name": name, "namespace": "six-x-a"},
            "spec": {"nodeName": "worker"},
            "status": status,
        }
        for name, status in (
            ("killed", {"phase": "Failed", "containerStatuses": [killed]}),
            ("gone", {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}),
            ("well", {"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]}),
        )
    ]
    api.on("GET", "/api/v1/namespaces", listed({"metadata": {"name": "six-x-a"}}))
    home = "/apis/discovery.k8s.io/v1/namespaces/six-x-a/endpointslices"
    api.on("GET", home, listed())
    api.on("GET", PODS.format("six-x-a"), listed(*pods))
    assert components.of_run(cluster, "x").ended == [
        components.EndedPod(
            "six-x-a",
            "killed",
            "worker",
            "OOMKilled, exit status 137",
            "agent",
            "2026-11-28T10:05:00Z",
        ),
        components.EndedPod("six-x-a", "gone", "worker", "Evicted: low on memory"),
    ]
    api.on("GET", home, refused(403, "Forbidden", "no"))
    (problem,) = components.of_run(cluster, "x").problems
    assert problem.startswith("pods and EndpointSlices of the run: ")


def test_settings_are_reported_by_name(cluster: Cluster, api: FakeApi) -> None:
    """The Corefile is there, kube-proxy's configuration may not be read."""
    api.on("GET", MAPS.format("coredns"), Reply(body={"data": {"Corefile": ".:53 {}"}}))
    api.on("GET", MAPS.format("kube-proxy"), refused(403, "Forbidden", "no"))
    found, problems = components.settings(cluster)
    assert found == {"Corefile": ".:53 {}"}
    assert len(problems) == 1
    assert problems[0].startswith("settings of kube-proxy: ")
