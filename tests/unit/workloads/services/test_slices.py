"""EndpointSlices against ready pods."""

from __future__ import annotations

from typing import Any

import pytest

from sixproof.model import Family, Protocol
from sixproof.workloads.services import slices
from sixproof.workloads.services.manifests import Service, ServicePort
from sixproof.workloads.services.slices import Behind, ready
from tests.unit.workloads.two_nodes import addresses

V4, V6 = addresses("10.244.1.7", "fd00:10:244:1::7")


def a_slice(family: str, *entries: dict[str, Any]) -> dict[str, Any]:
    """An EndpointSlice with a TCP and a UDP port."""
    return {
        "addressType": family,
        "endpoints": list(entries),
        "ports": [{"port": 8080}, {"port": 8081, "protocol": "UDP"}],
    }


def test_ready_endpoints_with_each_port() -> None:
    listed = ready([a_slice("IPv6", {"addresses": [str(V6)], "conditions": {"ready": True}})])
    assert listed == {
        Behind(Family.IPV6, Protocol.TCP, 8080, V6),
        Behind(Family.IPV6, Protocol.UDP, 8081, V6),
    }
    assert sorted(map(str, listed))[0] == "IPv6 TCP fd00:10:244:1::7 port 8080"


@pytest.mark.parametrize(
    ("conditions", "counts"),
    [({}, True), ({"ready": None}, True), ({"ready": False, "serving": True}, False)],
)
def test_only_ready_counts(conditions: dict[str, Any], counts: bool) -> None:
    """`ready` that is left out means ready (EndpointConditions of discovery.k8s.io/v1)."""
    entry = {"addresses": [str(V4)], "conditions": conditions}
    assert bool(ready([a_slice("IPv4", entry)])) is counts


def test_names_are_no_family() -> None:
    assert ready([a_slice("FQDN", {"addresses": ["six.example"]})]) == frozenset()


def pod(**status: Any) -> dict[str, Any]:
    """A ready dual-stack pod with a named port."""
    port = {"name": "http", "containerPort": 8080, "protocol": "TCP"}
    return {
        "metadata": {"name": "web"},
        "spec": {"containers": [{"ports": [port]}]},
        "status": {
            "podIPs": [{"ip": str(V4)}, {"ip": str(V6)}],
            "conditions": [{"type": "Ready", "status": "True"}],
            **status,
        },
    }


UNREADY = {"conditions": [{"type": "Ready", "status": "False"}]}


class Pods:
    """An API server that knows pods."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods = pods

    def list(self, *_: object, **__: object) -> tuple[dict[str, Any], ...]:
        """Whatever is asked."""
        return self.pods


def wanted(found: dict[str, Any], target: str = "http", **fields: Any) -> set[str]:
    """What must stand behind a service that selects one pod."""
    service = Service(
        "web",
        "shop",
        "ClusterIP",
        "PreferDualStack",
        fields.pop("families", (Family.IPV4, Family.IPV6)),
        (),
        (ServicePort("http", Protocol.TCP, 80, target),),
        **fields,
    )
    cluster: Any = Pods(found)
    return {str(b) for b in slices.wanted(cluster, service)}


def test_a_ready_pod_in_the_service_s_families() -> None:
    assert wanted(pod()) == {f"IPv4 TCP {V4} port 8080", f"IPv6 TCP {V6} port 8080"}
    assert wanted(pod(), families=(Family.IPV6,)) == {f"IPv6 TCP {V6} port 8080"}
    assert wanted(pod(), target="9090", families=(Family.IPV4,)) == {f"IPv4 TCP {V4} port 9090"}
    assert wanted(pod(), target="nothing") == set()


def test_an_unready_pod_only_where_it_is_published() -> None:
    assert wanted(pod(**UNREADY)) == set()
    assert len(wanted(pod(**UNREADY), publishes_unready=True)) == 2
    ended = {**UNREADY, "phase": "Succeeded"}
    assert wanted(pod(**ended), publishes_unready=True) == set()


def test_a_pod_that_is_going_does_not_count() -> None:
    going = pod()
    going["metadata"]["deletionTimestamp"] = "2026-11-23T00:00:00Z"
    assert wanted(going, publishes_unready=True) == set()
