"""Backends: probe pods with a gate and a port of the node, made, flipped and labelled."""

from __future__ import annotations

from typing import Any

import pytest

from sixproof.errors import NotReady
from sixproof.kube.api import json_fields, resources
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.probe_pod import NO_SIDECAR_LABELS, PodOptions
from sixproof.workloads.services import backends
from sixproof.workloads.services.backends import GATE, GROUP, Backend
from tests.unit.workloads.two_nodes import WEB1

RUN = Run("abc123")
OPTIONS = PodOptions("registry.example/python:3.13")


def test_an_ordinary_backend_is_a_probe_pod_of_its_group() -> None:
    made = Backend("web", "shop", "n1", labels=(("tier", "front"),)).manifest(RUN, OPTIONS)
    assert json_fields.name(made) == "web-n1"
    assert json_fields.labels(made) == {
        **RUN.labels,
        **NO_SIDECAR_LABELS,
        "sixproof.dev/role": "web-n1",
        GROUP: "web",
        "tier": "front",
    }
    assert "readinessGates" not in made["spec"]
    ports = made["spec"]["containers"][0]["ports"]
    assert all("hostPort" not in port for port in ports)


def test_a_gated_backend_waits_for_the_runner() -> None:
    made = Backend("spare", "shop", "n1", gated=True, serial="gw1").manifest(RUN, OPTIONS)
    assert json_fields.name(made) == "spare-gw1-n1"
    assert made["spec"]["readinessGates"] == [{"conditionType": GATE}]


def test_a_host_port_publishes_tcp_and_udp() -> None:
    made = Backend("published", "ports", "n1", host_port=28088).manifest(RUN, OPTIONS)
    published = [
        (port["protocol"], port["containerPort"])
        for port in made["spec"]["containers"][0]["ports"]
        if port.get("hostPort") == 28088
    ]
    assert published == [("TCP", 8080), ("UDP", 8080)]


class Api:
    """An API server that keeps what it is sent; its pods run once they were listed often enough."""

    def __init__(self, runs_after: int = 1) -> None:
        self.runs_after = runs_after
        self.looks = 0
        self.pods: list[dict[str, Any]] = []
        self.patches: list[tuple[Any, ...]] = []

    def gather(self, calls: Any) -> list[Any]:
        """One after the other."""
        return [call() for call in calls]

    def apply(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Keep the pod."""
        self.pods.append(manifest)
        return manifest

    def find(self, *_: object) -> None:
        """Nothing: what a reason would be read from."""

    def list(self, kind: object, *_: object, **__: object) -> list[dict[str, Any]]:
        """The pods, running or not yet."""
        if kind is not resources.POD:
            return []
        self.looks += 1
        status = {
            "conditions": [
                {"type": "ContainersReady", "status": "True"},
                {"type": "Ready", "status": "False"},  # its gate is shut
            ],
            "podIPs": [{"ip": "10.244.1.9"}, {"ip": "fd00:10:244:1::9"}],
        }
        running = self.looks >= self.runs_after
        return [{**pod, "status": status if running else {}} for pod in self.pods]

    def patch(self, *arguments: object, **options: object) -> dict[str, Any]:
        """Keep the change."""
        self.patches.append((*arguments, options))
        return {}


def made_by(api: Any) -> Any:
    """One gated backend."""
    wanted = [Backend("spare", "shop", "n1", gated=True)]
    return backends.create(api, RUN, wanted, OPTIONS, timeout=0.5)


def test_a_gated_backend_is_there_once_its_agent_runs() -> None:
    (made,) = made_by(Api(runs_after=2))
    assert (made.name, made.pod, made.node) == ("spare@n1", "spare-n1", "n1")
    assert [str(a) for a in made.addresses] == ["10.244.1.9", "fd00:10:244:1::9"]


def test_a_backend_that_never_runs_says_why() -> None:
    with pytest.raises(NotReady, match=r"backends spare-n1 do not run after 0\.\d s: the pod does"):
        made_by(Api(runs_after=10**6))


def test_the_gate_is_a_condition_merged_by_type() -> None:
    api: Any = Api()
    backends.set_ready(api, [WEB1], ready=False)
    kind, name, change, namespace, options = api.patches[0]
    assert (kind, name, namespace) == (resources.POD, WEB1.pod, "shop")
    assert change == {"status": {"conditions": [{"type": GATE, "status": "False"}]}}
    assert options == {"subresource": "status", "strategic": True}


def test_labels_come_and_go() -> None:
    api: Any = Api()
    backends.label(api, [WEB1], {"sixproof.dev/serves": None})
    assert api.patches[0][2] == {"metadata": {"labels": {"sixproof.dev/serves": None}}}
