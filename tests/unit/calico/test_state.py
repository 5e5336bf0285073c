"""Reading Calico's state: recorded answers of a real cluster, whole and partly readable."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from sixproof.calico import audit, mtu, state
from sixproof.kube.api.client import Cluster
from sixproof.kube.facts.discovery import discover
from sixproof.model import Family
from tests.unit.kube.recordings import bed, play
from tests.unit.kube.server import FakeApi, Reply, kubeconfig, serve

IPV4, IPV6 = Family


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def cluster(api: FakeApi, tmp_path: Path) -> Iterator[Cluster]:
    with (
        serve(api) as url,
        Cluster.connect(kubeconfig(tmp_path / "k", url), patience=0.0) as cluster,
    ):
        yield cluster


def test_recorded_cluster(cluster: Cluster, api: FakeApi) -> None:
    play(api, bed())
    facts = discover(cluster)
    found = state.read(cluster, facts)
    assert found
    assert found.api == "projectcalico.org/v3"
    assert [(p.name, p.block_size, p.encapsulation) for p in found.pools] == [
        ("default-ipv4-ippool", 26, "VXLAN"),
        ("default-ipv6-ippool", 122, "VXLAN"),
    ]
    assert (found.backend, found.bgp.enabled, found.cni_mtu) == ("vxlan", False, None)
    assert found.assigns == (IPV4, IPV6)
    assert found.autodetection == ((IPV4, "first-found"), (IPV6, "first-found"))
    assert all(n.device(IPV6) == "eth0" and len(n.tunnels) == 2 for n in found.nodes)
    assert mtu.expected(found).mtu == 1430
    assert audit.audit(found, facts, underlay=1500) == ()


def test_what_may_not_be_read_is_noted(cluster: Cluster, api: FakeApi) -> None:
    play(api, bed(), forbidden=("bgppeers", "felixconfigurations"))
    facts = discover(cluster)
    found = state.read(cluster, facts)
    assert found
    assert len(found.unknown) == 2
    assert {f.code for f in audit.audit(found, facts)} == {"calico-unknown"}


def test_store_is_read_where_the_api_is_silent(cluster: Cluster, api: FakeApi) -> None:
    answers = bed()
    for plural in ("ippools", "felixconfigurations", "bgpconfigurations", "bgppeers"):
        path = f"/apis/projectcalico.org/v3/{plural}"
        answers[path.replace("projectcalico.org/v3", "crd.projectcalico.org/v1")] = answers[path]
    play(api, answers)
    facts = discover(cluster)
    api.on("GET", "/apis/projectcalico.org/v3/ippools", Reply(hang_up=True))
    found = state.read(cluster, facts)
    assert found
    assert (found.api, len(found.pools)) == ("crd.projectcalico.org/v1", 2)
    assert "no answer" in found.no_answer, "the API server's own, for all we know"
    api.on("GET", "/apis/projectcalico.org/v3/ippools", Reply(status=503))
    refused = state.read(cluster, facts)
    assert refused
    assert (refused.api, refused.no_answer) == ("crd.projectcalico.org/v1", "")
    assert "is served, but does not answer: " in refused.why_not_v3


def test_other_cnis_have_no_calico_state(cluster: Cluster, api: FakeApi) -> None:
    play(api, bed())
    facts = dataclasses.replace(discover(cluster), cni="Cilium")
    assert state.read(cluster, facts) is None


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ('{"ipam": {"type": "calico-ipam"}, "mtu": __CNI_MTU__}', (IPV4,)),
        ('{"type":"calico-ipam","assign_ipv4":"false","assign_ipv6": "true"}', (IPV6,)),
        ('{"ipam": {"type": "host-local"}}', ()),
        ("", ()),
    ],
)
def test_families_that_calico_ipam_assigns(template: str, wanted: tuple[Family, ...]) -> None:
    assert state._assigns(template) == wanted
