"""The API server at its service: in a family that it has, and what policies leave of it."""

from __future__ import annotations

from typing import Any

import pytest

from sixproof.checks.services import kubernetes_api
from sixproof.errors import NotAsked
from sixproof.kube.api.resources import Kind
from sixproof.model import Family, Flow, Outcome, Protocol
from tests.unit.workloads.existing.existing import DENY_ALL, existing, mesh_pod

SERVICE = {
    "metadata": {"name": "kubernetes", "namespace": "default"},
    "spec": {
        "type": "ClusterIP",
        "ipFamilyPolicy": "SingleStack",
        "ipFamilies": ["IPv6"],
        "clusterIP": "fd00:96::1",
        "clusterIPs": ["fd00:96::1"],
        "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443}],
    },
}
SLICE = {
    "metadata": {"name": "kubernetes", "namespace": "default"},
    "addressType": "IPv6",
    "ports": [{"name": "https", "protocol": "TCP", "port": 6443}],
    "endpoints": [{"addresses": ["2001:db8::1"], "conditions": {"ready": True}}],
}


class Api:
    """Has the service and its EndpointSlice."""

    def get(self, _kind: Kind, _name: str, _namespace: str) -> dict[str, Any]:
        """The service."""
        return SERVICE

    def list(self, _kind: Kind, _namespace: str, *, labels: str) -> tuple[dict[str, Any], ...]:
        """The slice."""
        assert labels == "kubernetes.io/service-name=kubernetes"
        return (SLICE,)


API: Any = Api()


def to_the_api() -> Flow:
    """From a pod, to the API server's service."""
    endpoint = kubernetes_api.endpoint(API, Family.IPV6)
    address = endpoint.address(Family.IPV6)
    assert address is not None
    return Flow(mesh_pod("a", "n1"), endpoint, address, Protocol.TCP, 443)


def test_it_has_an_address_of_one_family() -> None:
    assert kubernetes_api.endpoint(API, Family.IPV6).name == "kubernetes.default"
    why = "kubernetes.default has no IPv4 clusterIP, it is SingleStack IPv6"
    with pytest.raises(NotAsked, match=why):
        kubernetes_api.endpoint(API, Family.IPV4)


def test_it_must_answer_unless_a_policy_of_the_owner_forbids_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allowed, _ = existing(monkeypatch)
    expected = kubernetes_api.answers(API, allowed)(to_the_api())
    assert expected.outcomes == {Outcome.ALLOWED}
    assert expected.because == "kubernetes.default is the service of the API server"
    denied, _ = existing(monkeypatch, DENY_ALL)
    assert kubernetes_api.answers(API, denied)(to_the_api()).by_policy
