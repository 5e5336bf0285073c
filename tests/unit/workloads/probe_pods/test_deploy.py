"""Covering nodes: what one node cannot do costs that node, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from sixproof import records
from sixproof.errors import NotReady, UsageError
from sixproof.kube.api import json_fields
from sixproof.kube.api.resources import Kind
from sixproof.model import ClusterFacts, NodeFacts
from sixproof.workloads.probe_pods import deploy, placement
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.placement import Placement
from sixproof.workloads.probe_pods.probe_pod import PodOptions, node_of
from sixproof.workloads.probe_pods.topology import ProbeTopology
from tests.unit.workloads.memory import Manifest, MemoryCluster

RUN = Run("abc")
NODES = ("good", "better", "arm")


class Nodes(MemoryCluster):
    """A cluster on some of whose nodes the pods of some namespaces never become ready."""

    def __init__(self, *bad: str, roles: str = "abc") -> None:
        super().__init__()
        self._bad = {(RUN.namespace(role), node) for role in roles for node in bad}

    def _completed(self, manifest: Manifest) -> Manifest:
        made = super()._completed(manifest)
        if made["kind"] != "Pod":
            return made
        node = node_of(made)
        made["spec"]["nodeName"] = node
        if (json_fields.namespace(made), node) in self._bad:
            ended = {
                "terminated": {"reason": "Error", "exitCode": 1, "message": "exec format error"}
            }
            made["status"] = {"containerStatuses": [{"name": "agent", "state": ended}]}
        return made

    def list(self, kind: Kind, namespace: str = "", **query: Any) -> tuple[Manifest, ...]:
        return () if kind.kind == "Event" else super().list(kind, namespace, **query)


def covered(cluster: MemoryCluster, where: Placement | None = None) -> ProbeTopology:
    where = where or Placement(NODES)
    wanted = deploy.plan(RUN, where, PodOptions("image"))
    deploy.open_namespaces(cluster, wanted)  # type: ignore[arg-type]
    return deploy.cover(
        cluster,  # type: ignore[arg-type]
        RUN,
        wanted,
        where,
        timeout=5,
        progress=lambda _: None,
    )


def test_every_pod_that_runs_makes_the_mesh() -> None:
    """Three pods and one host agent a node, nobody left out."""
    topology = covered(Nodes())
    assert (len(topology.pods), len(topology.hosts), topology.failed) == (9, 3, ())


@pytest.mark.parametrize("roles", ["a", "abc"])
def test_further_nodes_have_one_pod_and_one_host_agent(roles: str) -> None:
    """One of them that cannot run them is named like any other; zones are known of all."""
    where = Placement(("good",), further=("better", "arm"), zones=(("arm", "b"), ("good", "a")))
    topology = covered(Nodes("arm", roles=roles), where)
    assert (len(topology.pods), len(topology.hosts)) == (3, 1)
    assert [(p.name, p.zone) for p in topology.further_pods] == [("a@better", "")]
    assert [h.name for h in topology.further_hosts] == ["host@better"]
    assert {e.zone for e in (*topology.pods, *topology.hosts)} == {"a"}
    assert [node for node, _ in topology.failed] == ["arm"]
    assert topology.nodes == ("good",)
    assert records.from_json(ProbeTopology, records.to_json(topology)) == topology


@pytest.mark.parametrize("roles", ["a", "abc"])
def test_a_node_that_cannot_run_a_probe_is_named_and_the_rest_is_measured(roles: str) -> None:
    """One pod that never becomes ready costs its node; the reason is given; the others stay."""
    topology = covered(Nodes("arm", roles=roles))
    assert set(topology.nodes) == {"good", "better"}
    assert (len(topology.pods), len(topology.hosts)) == (6, 2)
    ((node, why),) = topology.failed
    assert node == "arm"
    assert "exec format error" in why
    assert records.from_json(ProbeTopology, records.to_json(topology)) == topology


class Injecting(Nodes):
    """A cluster whose service mesh adds containers to pods of one namespace."""

    def _completed(self, manifest: Manifest) -> Manifest:
        made = super()._completed(manifest)
        if made["kind"] == "Pod" and json_fields.namespace(made) == RUN.namespace("b"):
            made["spec"]["initContainers"] = [{"name": "mesh-init"}]
            made["spec"]["containers"].append({"name": "mesh-proxy"})
        return made


def test_containers_that_were_added_to_probe_pods_are_known() -> None:
    """Those that run first among them; the pods are measured all the same."""
    topology = covered(Injecting())
    names = ("mesh-init", "mesh-proxy")
    assert {(i.namespace, i.names) for i in topology.injected} == {(RUN.namespace("b"), names)}
    assert {i.node for i in topology.injected} == set(NODES)
    assert len(topology.pods) == 9
    assert records.from_json(ProbeTopology, records.to_json(topology)) == topology
    assert covered(Nodes()).injected == ()


def test_probe_pods_opt_out_of_service_meshes() -> None:
    """Sidecars and Istio's ambient mode; every pod of a run is made this way."""
    cluster = Nodes()
    covered(cluster)
    pods = [manifest for (kind, _, _), manifest in cluster.objects.items() if kind == "Pod"]
    assert pods
    for pod in pods:
        labels, annotations = json_fields.labels(pod), pod["metadata"]["annotations"]
        assert labels["sidecar.istio.io/inject"] == "false"
        assert labels["istio.io/dataplane-mode"] == "none"
        assert labels["kuma.io/sidecar-injection"] == "disabled"
        assert annotations["linkerd.io/inject"] == "disabled"
        assert annotations["consul.hashicorp.com/connect-inject"] == "false"


def test_pods_of_a_node_that_is_not_covered_are_deleted() -> None:
    """None of them can become ready later and join a service or a policy."""
    cluster = Nodes("arm", roles="a")
    covered(cluster)
    left = {node_of(m) for (kind, _, _), m in cluster.objects.items() if kind == "Pod"}
    assert left == {"good", "better"}


def test_where_no_node_runs_a_probe_nothing_is_measured() -> None:
    """A probe topology without a pod would be green by absence."""
    with pytest.raises(NotReady, match=r"good: pod a-good: .*exec format error"):
        covered(Nodes(*NODES))


def facts(*nodes: NodeFacts, unknown: str = "") -> ClusterFacts:
    return ClusterFacts("https://api", "v1.34.1", nodes, extra=(("unknown", unknown),))


LINUX, WINDOWS = NodeFacts("lin", (), os="linux"), NodeFacts("win", (), os="windows")


def test_a_node_of_another_system_is_never_asked() -> None:
    """It is left out with what it says it is; one that says nothing is taken."""
    where = placement.choose(facts(WINDOWS, LINUX, NodeFacts("mute", ())))
    assert where.nodes == ("lin", "mute")
    assert where.left_out == (("win", "runs windows; probe pods need linux"),)


def test_what_only_looks_like_a_node_is_never_asked() -> None:
    """Also where it is named: its pods are machines of their own, without a host network."""
    fargate = NodeFacts("far", (), os="linux", virtual="AWS Fargate")
    where = placement.choose(facts(fargate, LINUX))
    assert where.nodes == ("lin",)
    ((node, why),) = where.left_out
    assert (node, why.partition(":")[0]) == ("far", "AWS Fargate")
    with pytest.raises(UsageError, match="AWS Fargate"):
        placement.choose(facts(fargate, LINUX), names=("far",))


def test_nodes_that_are_left_out_are_grouped_by_their_reason() -> None:
    many = [(f"n{i}", "tainted") for i in range(8)]
    assert list(placement.grouped([*many, ("win", "runs windows")])) == [
        ("nodes n0, n1, n2, n3, n4, n5 and 2 more", "tainted"),
        ("node win", "runs windows"),
    ]


def test_nodes_beyond_the_limit_are_further_ones_up_to_their_own_limit() -> None:
    """The rest is left out, with both ways to cover it; names choose all by themselves."""
    named = facts(*(NodeFacts(f"n{i}", (), zone=f"z{i}" * (i < 2)) for i in range(4)))
    where = placement.choose(named, limit=1, further=2)
    assert (where.nodes, where.further) == (("n0",), ("n1", "n2"))
    assert where.zones == (("n0", "z0"), ("n1", "z1"))
    ((node, why),) = where.left_out
    assert node == "n3"
    assert "--six-nodes" in why
    assert "--six-further-nodes" in why
    chosen = placement.choose(named, names=("n3",), further=2)
    assert (chosen.nodes, chosen.further) == (("n3",), ())
    assert placement.choose(named, limit=1).further == ()


def test_naming_a_node_of_another_system_is_a_mistake() -> None:
    """Who names it wants it covered, and it cannot be."""
    with pytest.raises(UsageError, match="--six-nodes: win runs windows"):
        placement.choose(facts(WINDOWS, LINUX), names=("win", "lin"))


def test_a_node_named_twice_gets_its_pods_once() -> None:
    """However the names came in."""
    assert placement.choose(facts(LINUX), names=("lin", "lin")).nodes == ("lin",)


def test_nodes_that_cannot_be_read_are_distinguished_from_none() -> None:
    """The reason is the missing permission, not an empty cluster."""
    with pytest.raises(UsageError, match=r"no node can be seen: list nodes \(not allowed\)"):
        placement.choose(facts(unknown="list nodes (not allowed)"))
    with pytest.raises(UsageError, match="the cluster has no node"):
        placement.choose(facts())
