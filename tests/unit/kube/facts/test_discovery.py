"""Discovery: recorded answers of a real cluster, whole and with less and less of them readable."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sixproof import records
from sixproof.errors import ApiError
from sixproof.kube.api.client import Cluster
from sixproof.kube.facts.discovery import discover, kube_proxy_mode, node_facts
from sixproof.model import ClusterFacts, Family
from tests.unit.kube.recordings import bed, play
from tests.unit.kube.server import FakeApi, Reply, Seen, kubeconfig, serve

IPV4, IPV6 = Family


def network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text)


def test_recorded_cluster(cluster: Cluster, api: FakeApi) -> None:
    play(api, bed())
    facts = discover(cluster)
    assert [n.name for n in facts.nodes] == ["six-control-plane", "six-worker", "six-worker2"]
    assert all(n.families() == {IPV4, IPV6} and n.ready for n in facts.nodes)
    assert facts.nodes[0].taints == ("node-role.kubernetes.io/control-plane:NoSchedule",)
    assert facts.service_families == facts.pod_families == (IPV4, IPV6)
    assert facts.service_cidrs == (network("10.96.0.0/16"), network("fd00:10:96::/112"))
    assert facts.pod_cidrs == (network("10.244.0.0/16"), network("fd00:10:244::/56"))
    assert (facts.cni, facts.cni_version, facts.dataplane) == ("Calico", "v3.31.0", "iptables")
    assert facts.encapsulation == ((IPV4, "VXLAN"), (IPV6, "VXLAN"))
    assert (facts.pod_mtu, facts.kube_proxy_mode, facts.calico_api) == (None, "iptables", True)
    assert dict(facts.extra)["provider"] == "kind"
    assert "unknown" not in dict(facts.extra)
    assert records.from_json(ClusterFacts, records.to_json(facts)) == facts


def test_nothing_but_what_everybody_may_read(cluster: Cluster, api: FakeApi) -> None:
    play(api, bed(), forbidden=("",))
    facts = discover(cluster)
    assert facts.nodes == ()
    assert (facts.cni, facts.pod_families, facts.kube_proxy_mode) == ("", (), "")
    assert "list nodes (not allowed)" in dict(facts.extra)["unknown"]


def test_without_service_cidrs_kubeadm_config_is_used(cluster: Cluster, api: FakeApi) -> None:
    play(api, bed(), forbidden=("servicecidrs",))
    assert discover(cluster).service_families == (IPV4, IPV6)


def test_without_any_range_the_api_server_completes_a_service(
    cluster: Cluster, api: FakeApi
) -> None:
    play(api, bed(), forbidden=("servicecidrs", "kubeadm-config"))
    completed = {"spec": {"ipFamilies": ["IPv6", "IPv4", "odd"]}}
    api.on("POST", "/api/v1/namespaces/default/services", Reply(completed))
    facts = discover(cluster)
    assert facts.service_families == (IPV6, IPV4)
    assert facts.service_cidrs == ()
    assert api.requests("POST")[0].query["dryRun"] == "All"


def test_without_that_too_existing_services_are_used(cluster: Cluster, api: FakeApi) -> None:
    play(api, bed(), forbidden=("servicecidrs", "kubeadm-config"))
    assert discover(cluster).service_families == (IPV4, IPV6)  # kube-dns is dual stack here


def test_kubeadm_configuration_that_is_no_yaml(cluster: Cluster, api: FakeApi) -> None:
    answers = bed()
    answers["/api/v1/namespaces/kube-system/configmaps/kubeadm-config"]["data"] = {
        "ClusterConfiguration": "networking: ["
    }
    play(api, answers, forbidden=("servicecidrs", "ippools"))
    facts = discover(cluster)
    assert facts.service_cidrs == ()
    assert len(facts.pod_cidrs) == 6


def test_without_pools_kubeadm_gives_the_pods_ranges(cluster: Cluster, api: FakeApi) -> None:
    play(api, bed(), forbidden=("ippools",))
    facts = discover(cluster)
    assert facts.pod_cidrs == (network("10.244.0.0/16"), network("fd00:10:244::/56"))
    assert facts.encapsulation == ()


def test_without_kubeadm_the_nodes_do(cluster: Cluster, api: FakeApi) -> None:
    play(api, bed(), forbidden=("ippools", "kubeadm-config"))
    assert len(discover(cluster).pod_cidrs) == 6


def test_without_pods_the_ranges_give_their_families(cluster: Cluster, api: FakeApi) -> None:
    play(api, bed(), forbidden=("pods",))
    assert discover(cluster).pod_families == (IPV4, IPV6)


def test_pods_of_the_host_network_do_not_count(cluster: Cluster, api: FakeApi) -> None:
    answers = bed()
    host = {"spec": {"hostNetwork": True}, "status": {"podIPs": [{"ip": "fd00::1"}]}}
    pod: dict[str, Any] = {"spec": {}, "status": {"podIPs": [{"ip": "10.0.0.1"}]}}
    for key in ("/api/v1/pods", "/api/v1/namespaces/kube-system/pods?k8s-app=kube-dns"):
        answers[key] = {"items": [host, pod]}
    play(api, answers)
    assert discover(cluster).pod_families == (IPV4,)


def test_store_is_read_where_the_api_is_not_served(cluster: Cluster, api: FakeApi) -> None:
    answers = bed()
    for plural in ("ippools", "felixconfigurations"):
        answers[f"/apis/crd.projectcalico.org/v1/{plural}"] = answers.pop(
            f"/apis/projectcalico.org/v3/{plural}"
        )
    answers["/apis"]["groups"] = [
        g for g in answers["/apis"]["groups"] if g["name"] != "projectcalico.org"
    ]
    play(api, answers)
    facts = discover(cluster)
    assert not facts.calico_api
    assert facts.encapsulation == ((IPV4, "VXLAN"), (IPV6, "VXLAN"))


def test_extension_server_that_is_down_is_waited_for_only_a_moment(
    cluster: Cluster, api: FakeApi
) -> None:
    play(api, bed())
    api.on("GET", "/apis/projectcalico.org/v3/ippools", Reply("down", 503))
    facts = discover(cluster)
    assert "503" in dict(facts.extra)["unknown"]


def test_extension_server_that_is_silent_does_not_end_the_look_around(
    cluster: Cluster, api: FakeApi
) -> None:
    """It is reached over the cluster's own network, which may be what is broken."""
    answers = bed()
    pools = answers["/apis/projectcalico.org/v3/ippools"]
    answers["/apis/crd.projectcalico.org/v1/ippools"] = pools
    play(api, answers)
    api.on("GET", "/apis/projectcalico.org/v3/ippools", Reply(hang_up=True))
    facts = discover(cluster)
    assert facts.encapsulation == ((IPV4, "VXLAN"), (IPV6, "VXLAN"))
    assert "no answer" in dict(facts.extra)["unknown"]


def test_api_server_that_goes_away_is_no_unknown_fact(cluster: Cluster, api: FakeApi) -> None:
    play(api, bed())
    api.on("GET", "/api/v1/nodes", Reply(hang_up=True))
    with pytest.raises(ApiError, match="no answer"):
        discover(cluster)


def test_api_server_that_answers_its_version_alone_is_given_up_once(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calico's API and its store were each waited for as well: three times the patience."""
    monkeypatch.setattr(api, "answer", functools.partial(_its_version_alone, api.answer))
    with (
        serve(api) as url,
        Cluster.connect(kubeconfig(tmp_path / "k", url), timeout=0.3, patience=1.0) as cluster,
        pytest.raises(ApiError, match=r"list API groups: .*silent for 0\.3 s"),
    ):
        discover(cluster)
    assert {s.path for s in api.seen} == {"/version", "/apis"}


def _its_version_alone(answer: Callable[[Seen], Reply], seen: Seen) -> Reply:
    reply = answer(seen)
    return reply if seen.path == "/version" else dataclasses.replace(reply, delay=60)


@pytest.mark.parametrize(
    ("labels", "taints", "virtual", "balanced"),
    [
        ({}, (), "", True),
        ({"eks.amazonaws.com/compute-type": "fargate"}, (), "AWS Fargate", True),
        ({"eks.amazonaws.com/compute-type": "ec2"}, (), "", True),
        ({"type": "virtual-kubelet"}, (), "virtual kubelet", True),
        ({}, ({"key": "virtual-kubelet.io/provider", "value": "azure"},), "virtual kubelet", True),
        ({"node.kubernetes.io/exclude-from-external-load-balancers": ""}, (), "", False),
    ],
    ids=["plain", "Fargate", "EC2", "label", "taint", "excluded"],
)
def test_labels_and_taints_say_what_a_node_is(
    labels: dict[str, str], taints: tuple[dict[str, str], ...], virtual: str, balanced: bool
) -> None:
    node = node_facts(
        {"metadata": {"name": "n", "labels": labels}, "spec": {"taints": list(taints)}}
    )
    assert (node.virtual, node.balanced) == (virtual, balanced)


@pytest.mark.parametrize(
    ("text", "daemons", "wanted"),
    [
        ("mode: nftables", ("kube-proxy",), "nftables"),
        ("mode: ''", ("kube-proxy",), "iptables"),
        ("mode: ipvs", (), "ipvs"),
        ("mode: [", ("kube-proxy",), ""),
        ("", ("cilium",), "none"),
        ("mode: iptables", ("calico-node",), "none"),
        ("", (), ""),
    ],
)
def test_kube_proxy_mode(text: str, daemons: tuple[str, ...], wanted: str) -> None:
    listed = tuple({"metadata": {"name": name}} for name in daemons)
    assert kube_proxy_mode({"data": {"config.conf": text}}, listed) == wanted
