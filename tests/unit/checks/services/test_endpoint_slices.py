"""EndpointSlices that do not list what they must: which entries, by whom, and of which family."""

from __future__ import annotations

import ipaddress
from typing import Any, cast

import pytest

from sixproof.checks.services.endpoint_slices import SlicesOf
from sixproof.errors import VerdictError
from sixproof.kube.api.client import Cluster
from sixproof.model import Family, Protocol
from sixproof.workloads.services.manifests import Service, ServicePort
from tests.unit.workloads.memory import MemoryCluster

WEB = Service(
    name="web", namespace="shop", kind="ClusterIP", policy="RequireDualStack",
    families=(Family.IPV4, Family.IPV6),
    cluster_ips=(ipaddress.ip_address("10.96.0.9"), ipaddress.ip_address("fd00:10:96::9")),
    ports=(ServicePort("http", Protocol.TCP, 80, "8080"),), selector=(("app", "web"),),
)  # fmt: skip
V4, V6, STRAY = "10.244.1.5", "fd00:10:244:1::5", "fd00:10:244:1::bad"


def behind(family: Family, *addresses: str) -> dict[str, Any]:
    """An EndpointSlice of the service."""
    labels = {
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"web-{family.lower()}", "namespace": "shop", "labels": labels},
        "addressType": family.value,
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
        "endpoints": [{"addresses": [a]} for a in addresses],
    }


def cluster(*slices: dict[str, Any]) -> SlicesOf:
    """A cluster with one ready pod of both families, and these slices."""
    made = MemoryCluster()
    for manifest in slices:
        made.apply(manifest)
    pod = {"metadata": {"name": "w", "namespace": "shop", "labels": {"app": "web"}}, "spec": {}}
    made.apply({"apiVersion": "v1", "kind": "Pod", **pod})
    return SlicesOf(cast(Cluster, made), settle=0.02)


def test_slices_that_list_the_ready_pods_are_right() -> None:
    """Each family in its own."""
    slices = cluster(behind(Family.IPV4, V4), behind(Family.IPV6, V6))
    slices.must_list_the_ready_pods(WEB)
    assert {str(entry) for entry in slices.listed(WEB)} == {
        f"IPv4 TCP {V4} port 8080", f"IPv6 TCP {V6} port 8080",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("six", "lines"),
    [
        (
            (V6, STRAY),
            [f"IPv6 TCP {STRAY} port 8080 is listed by EndpointSlice web-ipv6 "
             "(endpointslice-controller.k8s.io), no ready pod has it"],
        ),
        ((), [f"IPv6 TCP {V6} port 8080 is listed nowhere, though its pod is ready"]),
    ],
    ids=["a stray", "a missing one"],
)  # fmt: skip
def test_a_wrong_entry_of_one_family_is_that_family_s(
    six: tuple[str, ...], lines: list[str]
) -> None:
    """The slice that lists it is named, and who keeps it."""
    with pytest.raises(VerdictError) as caught:
        cluster(behind(Family.IPV4, V4), behind(Family.IPV6, *six)).must_list_the_ready_pods(WEB)
    text = str(caught.value).splitlines()
    assert text[0] == "EndpointSlices of web do not list its ready pods and nothing else:"
    assert [line.strip() for line in text[1:2]] == lines
    assert caught.value.families == {"IPv6"}
    assert caught.value.categories == {"IPv6-only failure"}


def test_wrong_entries_of_both_families_are_no_family_s() -> None:
    """Nothing is listed at all."""
    with pytest.raises(VerdictError) as caught:
        cluster().must_list_the_ready_pods(WEB)
    assert caught.value.categories == {"Connectivity failure"}
    assert str(caught.value).count("is listed nowhere") == 2
