"""External IPs: which addresses a service gets, and who is expected to answer at them."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from sixproof.errors import ApiError, NotAsked
from sixproof.kube.api import resources
from sixproof.model import Family, Outcome
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.topology import ProbeTopology
from sixproof.workloads.services import external_ips
from sixproof.workloads.services.kube_proxy import KubeProxy
from sixproof.workloads.services.manifests import Service
from sixproof.workloads.services.routing import FrontendType, flows_to
from tests.unit.workloads.memory import MemoryCluster
from tests.unit.workloads.two_nodes import A1, A2, HOST1, HOST2, WEB1, networks

MANIFESTS = Path(__file__).parents[4] / "manifests" / "services"
MESH = ProbeTopology(Run("abc123"), (A1, A2), (HOST1, HOST2))
RANGES = networks("10.109.57.0/24", "fd00:10:109:57::/112")


class Refusing(MemoryCluster):
    """A cluster that answers requests to create or list services with this status."""

    def __init__(self, status: int, *, lists: bool = True) -> None:
        super().__init__()
        self._status = status
        self._lists = lists

    def apply(self, manifest: Any) -> Any:
        raise ApiError(f"{manifest['metadata']['name']}: denied", status=self._status)

    def list(self, kind: Any, *args: Any, **options: Any) -> Any:
        if not self._lists:
            raise ApiError("forbidden", status=self._status)
        return super().list(kind, *args, **options)


def stood(cluster: Any, ranges: Any = RANGES, mesh: ProbeTopology = MESH) -> Service:
    return external_ips.create(cluster, mesh, MANIFESTS, ranges)


def test_one_address_of_each_family_out_of_the_ranges() -> None:
    """The one service is of the run; workers that ask again find it."""
    cluster = MemoryCluster()
    made = stood(cluster)
    four, six = made.external_ips
    assert four in RANGES[0]
    assert six in RANGES[1]
    assert made.families == tuple(Family)
    assert stood(cluster) == made
    assert len(cluster.list(resources.SERVICE)) == 1


def test_addresses_that_a_service_has_are_left_alone() -> None:
    """Another run of the same cluster, and a range that is used up."""
    cluster = MemoryCluster()
    first = stood(cluster)
    other = ProbeTopology(Run("abc123x"), (A1, A2), (HOST1, HOST2))
    assert not set(stood(cluster, mesh=other).external_ips) & set(first.external_ips)
    narrow = [*(ipaddress.ip_network(f"{a}/{a.max_prefixlen}") for a in first.external_ips)]
    third = ProbeTopology(Run("third"), (A1, A2), (HOST1, HOST2))
    with pytest.raises(NotAsked, match=f"no address of {narrow[0]} is free"):
        stood(cluster, narrow, third)


def test_a_family_without_a_range_is_not_asked() -> None:
    """The range of the other one is not enough."""
    with pytest.raises(NotAsked, match="advertises no range of IPv6 external IPs"):
        stood(MemoryCluster(), RANGES[:1])


def test_an_owner_who_refuses_them_is_not_asked() -> None:
    """Admission may refuse them, and RBAC the list; any other error is one."""
    with pytest.raises(NotAsked, match="external IPs are refused"):
        stood(Refusing(403))
    with pytest.raises(NotAsked, match="services cannot be listed"):
        stood(Refusing(403, lists=False))
    with pytest.raises(ApiError):
        stood(Refusing(500))


def test_every_backend_is_behind_each_address() -> None:
    """As the frontend of its own name, over both families and every port."""
    made = stood(MemoryCluster())
    (target,) = external_ips.at_external_ips(made, [WEB1], KubeProxy("iptables"))
    assert target.frontend is FrontendType.EXTERNAL_IP
    assert target.endpoint.addresses == made.external_ips
    expected = target.expectation(A2)
    assert expected.outcomes == {Outcome.ALLOWED}
    assert "behind the external IP of external-ips" in expected.because
    assert len(flows_to([A1], [target], Family)) == 4
