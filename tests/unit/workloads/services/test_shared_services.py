"""The shared services: made once, found by whoever comes second, complete before anybody looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sixproof.errors import ApiError
from sixproof.kube.api import json_fields, resources
from sixproof.model import ClusterFacts, Family, NodeFacts
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.probe_pod import PodOptions
from sixproof.workloads.probe_pods.topology import ProbeTopology
from sixproof.workloads.services import slices
from sixproof.workloads.services.families import GRANTABLE, WISHES, FamilyPolicy, FamilyWish
from sixproof.workloads.services.shared_services import (
    PLAIN,
    SELECTING,
    SharedServices,
    create,
    mark,
)
from sixproof.workloads.services.slices import SERVICE_NAME
from tests.unit.workloads.memory import MemoryCluster
from tests.unit.workloads.two_nodes import A1, A2, HOST1, HOST2

MANIFESTS = Path(__file__).parents[4] / "manifests" / "services"
MESH = ProbeTopology(Run("abc123"), (A1, A2), (HOST1, HOST2))


@pytest.fixture
def cluster() -> MemoryCluster:
    """An empty cluster."""
    return MemoryCluster()


def stood(cluster: Any) -> SharedServices:
    """The set."""
    return create(cluster, MESH, facts(), PodOptions("image"), MANIFESTS, timeout=1)


def facts(*left_out: str) -> ClusterFacts:
    """A cluster of two nodes, of which load balancers leave out some."""
    nodes = tuple(NodeFacts(n, (), balanced=n not in left_out) for n in ("n1", "n2"))
    return ClusterFacts("", "v1.34.4", nodes)


def test_the_whole_set(cluster: MemoryCluster) -> None:
    made = stood(cluster)
    assert set(made.services) == {*PLAIN, "host-network", "node-port-ipv4", "node-port-ipv6"}
    assert set(SELECTING) <= set(made.services)
    assert [b.name for b in made.web] == ["web@n1", "web@n2"]
    assert (made.first, made.published.namespace) == (made.web[:1], "six-abc123-hostport")
    assert made.services["host-network"].namespace == "six-abc123-host"
    assert made.services["node-port-ipv6"].families == (Family.IPV6,)
    assert len(made.all_services()) == len(made.services) + len(GRANTABLE)


@pytest.mark.parametrize(
    ("left_out", "first"), [((), "n1"), (("n1",), "n2"), (("n1", "n2"), "n1")], ids=str
)
def test_local_services_have_their_backend_where_load_balancers_send(
    cluster: Any, left_out: tuple[str, ...], first: str
) -> None:
    made = create(cluster, MESH, facts(*left_out), PodOptions("image"), MANIFESTS, timeout=1)
    assert [b.node for b in made.first] == [first]
    assert {b.node for b in made.web} == {"n1", "n2"}


def test_wishes_are_granted_or_refused(cluster: MemoryCluster) -> None:
    made = stood(cluster)
    offered = tuple(Family)
    for wish in WISHES:
        wanted = wish.granted(offered)
        found = made.wishes[wish]
        served = found and (found.families, tuple(map(Family.of, found.cluster_ips)))
        assert served == (wanted and (wanted, wanted))
    assert made.every_family == made.wishes[FamilyWish(FamilyPolicy.PREFER)]


def test_local_services_select_the_first_backend_alone(cluster: MemoryCluster) -> None:
    made = stood(cluster)
    local = dict(made.services["internal-local"].selector)
    fitting = [b.name for b in made.web if local.items() <= dict(b.labels).items()]
    assert fitting == ["web@n1"]


def test_everything_is_the_run_s_own(cluster: MemoryCluster) -> None:
    stood(cluster)
    for (kind, _, name), found in cluster.objects.items():
        assert MESH.run.labels.items() <= json_fields.labels(found).items(), (kind, name)


def test_who_comes_second_finds_it(cluster: MemoryCluster) -> None:
    first = stood(cluster)
    log = list(cluster.log)
    second = stood(cluster)
    assert cluster.log == [*log]
    assert second.services == first.services
    assert second.web == first.web


def test_who_comes_second_at_the_same_time_is_refused_and_reads_it(
    cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stood(cluster)
    apply = cluster.apply

    def refuse(manifest: dict[str, Any]) -> dict[str, Any]:
        if manifest["kind"] == "Service":
            raise ApiError("families are not taken back", status=422)
        return apply(manifest)

    def blind(kind: Any, *arguments: Any, **options: Any) -> Any:
        return () if kind is resources.SERVICE else listing(kind, *arguments, **options)

    listing = cluster.list
    monkeypatch.setattr(cluster, "apply", refuse)
    monkeypatch.setattr(cluster, "list", blind)
    assert stood(cluster).wishes == first.wishes


def test_another_refusal_is_an_error(
    cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = cluster.apply

    def refuse(manifest: dict[str, Any]) -> dict[str, Any]:
        if manifest["kind"] == "Service":
            raise ApiError("quota", status=403)
        return apply(manifest)

    monkeypatch.setattr(cluster, "apply", refuse)
    with pytest.raises(ApiError, match="quota"):
        stood(cluster)


def test_the_marker_waits_for_the_slices_of_all_others(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stood(cluster)
    looks: list[int] = []

    def incomplete(_: object, services: tuple[object, ...]) -> tuple[str, ...]:
        looks.append(len(services))
        assert ("Service", "six-abc123-svc", "marker-gw0") not in cluster.objects
        return () if len(looks) == 3 else ("web-prefer-64",)

    monkeypatch.setattr(slices, "incomplete", incomplete)
    marker = mark(cluster, made, MESH, MANIFESTS, "gw0", timeout=5)
    assert looks == [len(made.all_services())] * 3
    assert (marker.name, marker.families) == ("marker-gw0", tuple(Family))


def test_incomplete_slices_are_named(cluster: Any) -> None:
    made = stood(cluster)
    names = {s.name for s in made.all_services() if s.selector and s.name != "no-endpoints"}
    unready = {"unready-published", "host-network"}  # no pod of the host network is here
    assert set(slices.incomplete(cluster, made.all_services())) >= names - unready
    for service in made.all_services():
        for family in service.families:
            listed = [b for b in slices.wanted(cluster, service) if b.family is family]
            ports = {(b.protocol, b.port) for b in listed}
            cluster.apply(
                {
                    "kind": "EndpointSlice",
                    "metadata": {
                        "name": f"{service.name}-{family}",
                        "namespace": service.namespace,
                        "labels": {SERVICE_NAME: service.name},
                    },
                    "addressType": family.value,
                    "endpoints": [{"addresses": [str(b.address)]} for b in listed],
                    "ports": [{"protocol": p.value, "port": n} for p, n in ports],
                }
            )
    assert slices.incomplete(cluster, made.all_services()) == ()
