"""The owner's applications, as the API server lists them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from sixproof.errors import UsageError
from sixproof.kube.api import resources
from sixproof.kube.api.client import Cluster
from sixproof.model import EndpointKind, Family
from sixproof.workloads.existing import applications
from sixproof.workloads.existing.applications import Application

DUAL = ("10.0.0.7", "fd00::7")


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    """A dual-stack service of one TCP port, called http."""
    usual = {
        "type": "ClusterIP",
        "ipFamilyPolicy": "PreferDualStack",
        "ipFamilies": ["IPv4", "IPv6"],
        "clusterIPs": ["10.96.0.7", "fd00:96::7"],
        "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "web"}],
    }
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {**usual, **spec}}


def pod(name: str = "web-1", addresses: tuple[str, ...] = DUAL, **spec: Any) -> dict[str, Any]:
    """A pod that is ready."""
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": "web"}},
        "spec": {"nodeName": "worker", "serviceAccountName": "default", **spec},
        "status": {
            "podIPs": [{"ip": address} for address in addresses],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def slice_of(
    family: Family, address: str, name: str = "web-1", *, kind: str = "Pod", ready: bool = True
) -> dict[str, Any]:
    """An EndpointSlice of one endpoint of the service web."""
    return {
        "metadata": {"namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": str(family),
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [
            {
                "addresses": [address],
                "conditions": {"ready": ready},
                "targetRef": {"kind": kind, "name": name},
            }
        ],
    }


def one(*slices: dict[str, Any], pods: tuple[dict[str, Any], ...] = (pod(),)) -> Application:
    """The only application that they make."""
    (found,) = applications.of_namespace([service()], slices, pods)
    return found


def test_a_pod_behind_both_families_is_one_backend() -> None:
    found = one(slice_of(Family.IPV4, DUAL[0]), slice_of(Family.IPV6, DUAL[1]))
    (backend,) = found.backends
    assert (found.called, found.others) == ("shop/web", 0)
    assert backend.families == (Family.IPV4, Family.IPV6)
    assert (backend.port("http"), backend.port("other")) == (8080, None)
    end = backend.endpoint
    assert (end.name, end.kind, end.node) == ("shop/web-1", EndpointKind.POD, "worker")
    assert tuple(map(str, end.addresses)) == DUAL
    assert end.labels == (("app", "web"),)


def test_a_family_that_no_slice_lists_is_missing() -> None:
    (backend,) = one(slice_of(Family.IPV4, DUAL[0])).backends
    assert backend.families == (Family.IPV4,)


def test_pods_of_the_host_network_are_hosts_to_policies() -> None:
    (backend,) = one(slice_of(Family.IPV4, DUAL[0]), pods=(pod(hostNetwork=True),)).backends
    assert backend.endpoint.kind is EndpointKind.HOST


def test_what_is_not_ready_is_not_behind_it() -> None:
    """By its slice, or by its pod."""
    assert one(slice_of(Family.IPV4, DUAL[0], ready=False)).backends == ()
    away = pod()
    away["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    found = one(slice_of(Family.IPV4, DUAL[0]), pods=(away,))
    assert (found.backends, found.others) == ((), 1)


def test_endpoints_that_are_no_pods_are_counted_only() -> None:
    """Addresses outside the cluster, and names."""
    outside = slice_of(Family.IPV4, "192.0.2.1", kind="Node")
    named = {**outside, "addressType": "FQDN"}
    found = one(outside, named)
    assert (found.backends, found.others) == ((), 1)


def test_services_without_pods_of_their_own_are_left_out() -> None:
    """Names of other hosts, and the API server's, which has one family by design."""
    api = service("kubernetes")
    api["metadata"]["namespace"] = "default"
    named = service("far", type="ExternalName", clusterIPs=[])
    assert list(applications.of_namespace([named, api], [], [])) == []


def test_only_tcp_ports_tell_by_a_connection() -> None:
    ports = [{"name": "a", "port": 1, "protocol": "UDP"}, {"name": "b", "port": 2}]
    (found,) = applications.of_namespace([service(ports=ports)], [], [])
    assert [port.name for port in applications.tcp_ports(found.service)] == ["b"]


class Played:
    """A cluster of three namespaces, one of them a run's."""

    def list(self, kind: resources.Kind, namespace: str = "") -> Sequence[dict[str, Any]]:
        """Namespaces, or what is in one."""
        if kind == resources.NAMESPACE:
            labels = {"app.kubernetes.io/managed-by": "sixproof"}
            return (
                {"metadata": {"name": "shop"}},
                {"metadata": {"name": "kube-system"}},
                {"metadata": {"name": "six-1-a", "labels": labels}},
            )
        here = {
            resources.SERVICE: (service(),),
            resources.ENDPOINT_SLICE: (slice_of(Family.IPV4, DUAL[0]),),
            resources.POD: (pod(),),
        }
        return here[kind] if namespace == "shop" else ()

    def gather(self, calls: Any) -> Sequence[Any]:
        """One after the other."""
        return [call() for call in calls]


def test_all_namespaces_are_not_those_of_runs_nor_of_the_cluster_itself() -> None:
    cluster = cast(Cluster, Played())
    assert applications.namespaces(cluster, (), ()) == ("shop",)
    assert applications.namespaces(cluster, (), ("shop",)) == ()
    both = ("shop", "kube-system")
    assert applications.namespaces(cluster, both, ()) == ("kube-system", "shop")
    with pytest.raises(UsageError, match="there is no namespace blog, prod"):
        applications.namespaces(cluster, ("shop", "blog", "prod"), ())


def test_every_namespace_is_read() -> None:
    found = applications.read(cast(Cluster, Played()), ("kube-system", "shop"))
    assert [(one.called, len(one.backends)) for one in found] == [("shop/web", 1)]


def test_named_ports_and_traffic_that_stays_on_its_node_are_read() -> None:
    """For policies that name a port, and for what a clusterIP's answer tells."""
    ports = [{"name": "web", "containerPort": 8080}, {"containerPort": 1}, {"name": "odd",
             "containerPort": 2, "protocol": "?"}]  # fmt: skip
    made = pod(containers=[{"ports": ports}])
    slices = [slice_of(Family.IPV4, DUAL[0])]
    local = service(internalTrafficPolicy="Local")
    (found,) = applications.of_namespace([local], slices, [made])
    assert found.local
    assert not one(*slices).local
    (backend,) = found.backends
    assert [(n.name, n.protocol, n.number) for n in backend.named] == [("web", "TCP", 8080)]
