"""A guarded host: never a control plane, never where somebody else's policy could close it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import pytest

from sixproof.calico.felix.settings import Failsafe, Felix, NodeFelix
from sixproof.calico.nodes import CalicoNode
from sixproof.errors import ApiError, NotAsked
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.resources import Kind
from sixproof.kube.runs import ownership
from sixproof.policy import ClusterSnapshot, Oracle
from sixproof.workloads.policy.guarded_host import GuardedHost, choose
from sixproof.workloads.probe_pods.identity import Run
from tests.unit.checks.calico.felixes import HOSTS

RUN = Run("abc123")
CONTROL_PLANE = (("node-role.kubernetes.io/control-plane", ""),)
NODES = (CalicoNode("worker", labels=CONTROL_PLANE), CalicoNode("worker2"))


def chosen(felix: Felix | None = None, nodes: Iterable[CalicoNode] = NODES) -> GuardedHost:
    return choose(RUN, HOSTS, tuple(nodes), felix or Felix())


class Store:
    """An API server that keeps objects, and refuses some kinds."""

    def __init__(self, *there: dict[str, Any], refuses: str = "", status: int = 403) -> None:
        self.there = list(there)
        self.said: list[str] = []
        self._refuses = refuses
        self._status = status

    def list(self, kind: Kind) -> tuple[dict[str, Any], ...]:
        """What there is of a kind."""
        return tuple(m for m in self.there if m["kind"] == kind.kind)

    def create(self, manifest: dict[str, Any]) -> None:
        """Keep it."""
        if manifest["kind"] == self._refuses:
            raise ApiError("refused", status=self._status)
        self.said.append(f"+{manifest['kind']}")
        self.there.append(manifest)

    def delete(self, kind: Kind, name: str) -> bool:
        """Forget it."""
        self.said.append(f"-{kind.kind}")
        self.there = [
            m for m in self.there if (m["kind"], m["metadata"]["name"]) != (kind.kind, name)
        ]
        return True


def policy(name: str, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    meta = {"name": name, "labels": labels or {}}
    return {"kind": "GlobalNetworkPolicy", "metadata": meta, "spec": spec}


def stand(store: Store) -> None:
    with chosen().standing(cast(Cluster, store)):
        assert {m["kind"] for m in store.there} >= {"HostEndpoint", "GlobalNetworkPolicy"}


def test_a_worker_is_guarded_and_asked_from_another_node() -> None:
    found = chosen()
    assert (found.host.node, found.peer.node) == ("worker2", "worker")
    assert (found.inbound, found.outbound, found.closed) == (6667, 6667, 6668)


def test_the_host_stays_open_but_for_ports_that_nobody_uses() -> None:
    """Its profile allows what no policy says, and the policy ends with allow, both ways."""
    made, endpoint = chosen().manifests()
    assert endpoint["spec"]["profiles"] == ["projectcalico-default-allow"]
    assert endpoint["spec"]["node"] == "worker2"
    assert endpoint["spec"]["expectedIPs"] == [str(a) for a in HOSTS[1].addresses]
    for rules in (made["spec"]["ingress"], made["spec"]["egress"]):
        deny, allow = rules
        assert deny == {
            "action": "Deny",
            "protocol": "TCP",
            "destination": {"ports": [6667, 6668]},
        }
        assert allow == {"action": "Allow"}
    for manifest in (made, endpoint):
        assert manifest["metadata"]["labels"].items() >= ownership.labels(RUN.id).items()
    label, _, value = made["spec"]["selector"].partition(" == ")
    assert endpoint["metadata"]["labels"][label] == value.strip("'")
    assert Oracle.of([made], ClusterSnapshot.of({}))


def test_ports_are_fail_safe_for_every_peer_and_not_in_use() -> None:
    own = (
        Failsafe("TCP", 22),
        Failsafe("UDP", 7000),
        Failsafe("TCP", 6668),
        Failsafe("TCP", 7001, "::/0"),
    )
    found = chosen(Felix(failsafe_inbound=own, failsafe_outbound=(Failsafe("TCP", 7002),)))
    assert (found.inbound, found.outbound, found.closed) == (6668, 7002, 6669)
    at_node = NodeFelix("worker2", felix=Felix(failsafe_inbound=(Failsafe("tcp", 9000),)))
    assert chosen(Felix(per_node=(at_node,))).inbound == 9000


@pytest.mark.parametrize(
    ("felix", "nodes", "why"),
    [
        (Felix(), [CalicoNode(n.name, labels=CONTROL_PLANE) for n in NODES], "control plane"),
        (Felix(), [], "control plane"),
        (Felix(rejects=True), NODES, "Felix refuses"),
        (Felix(failsafe_inbound=()), NODES, "failsafeInboundHostPorts"),
        (Felix(failsafe_outbound=(Failsafe("TCP", 22),)), NODES, "failsafeOutboundHostPorts"),
    ],
)
def test_where_it_would_not_be_safe_or_prove_nothing_it_is_not_asked(
    felix: Felix, nodes: list[CalicoNode], why: str
) -> None:
    with pytest.raises(NotAsked, match=why) as caught:
        chosen(felix, nodes)
    assert caught.value.enable


def test_one_node_alone_is_not_asked() -> None:
    with pytest.raises(NotAsked, match="from another node"):
        choose(RUN, HOSTS[1:], NODES, Felix())


def test_the_policy_is_there_before_the_endpoint_and_goes_after_it() -> None:
    store = Store()
    stand(store)
    assert store.there == []
    kinds = ("+GlobalNetworkPolicy", "+HostEndpoint", "-HostEndpoint", "-GlobalNetworkPolicy")
    assert store.said == list(kinds)


def test_nothing_is_left_where_the_test_is_interrupted() -> None:
    store = Store()
    with pytest.raises(KeyboardInterrupt), chosen().standing(cast(Cluster, store)):
        raise KeyboardInterrupt
    assert store.there == []


@pytest.mark.parametrize(
    ("there", "why"),
    [
        ({"kind": "HostEndpoint", "metadata": {"name": "x"}, "spec": {"node": "worker2"}},
         "has a host endpoint already"),
        (policy("deny-all", selector="all()"), "GlobalNetworkPolicy deny-all might select"),
        # a host has no namespace, so that its labels are "not in" any set
        (policy("theirs", namespaceSelector="name not in {'a'}"), "theirs might select"),
    ],
)  # fmt: skip
def test_what_somebody_else_has_there_keeps_it_away(there: dict[str, Any], why: str) -> None:
    store = Store(there)
    with pytest.raises(NotAsked, match=why):
        stand(store)
    assert store.said == []


def test_policies_that_select_no_host_are_no_obstacle() -> None:
    """Those of runs, which select pods of theirs."""
    labels = ownership.labels("other")
    store = Store(
        policy("ours", labels, selector="all()"),
        {"kind": "HostEndpoint", "metadata": {"name": "x"}, "spec": {"node": "worker"}},
    )
    stand(store)
    assert len(store.there) == 2


def test_without_permission_the_missing_rules_are_reported() -> None:
    store = Store(refuses="HostEndpoint")
    with pytest.raises(NotAsked, match="no host endpoint may be made") as caught:
        stand(store)
    assert "hostendpoints" in caught.value.enable
    assert store.there == []


def test_an_api_server_that_fails_is_an_error_and_leaves_nothing() -> None:
    store = Store(refuses="HostEndpoint", status=500)
    with pytest.raises(ApiError):
        stand(store)
    assert store.there == []
