"""What translates addresses is read from Calico's settings, and from nodes where there is none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import AddressHeld
from sixproof.calico.pools import Pool
from sixproof.calico.state import CalicoState
from sixproof.checks.services import translation
from sixproof.model import ClusterFacts
from sixproof.probes.connect.fake_agents import FakeAgents
from sixproof.workloads.services.kube_proxy import KubeProxy
from tests.unit.reporting.conclusion.cluster import node
from tests.unit.reporting.samples import NODES as NAMES
from tests.unit.workloads.two_nodes import NODES, POOLS, addresses, host

PROXY = KubeProxy("iptables", "ClusterCIDR", POOLS)
FACTS = ClusterFacts("https://api", "v1.36.0", tuple(NODES.values()))
HOSTS = tuple(map(host, NODES))


def cluster(**spec: str) -> Any:
    """With such a FelixConfiguration."""
    return SimpleNamespace(find=lambda *_: {"spec": spec})


def calico() -> CalicoState:
    """Two pools, of which the IPv4 one has natOutgoing."""
    four, six = POOLS
    return CalicoState("v3", (Pool("four", four, 26, nat_outgoing=True), Pool("six", six, 122)))


def test_without_calico_nodes_are_asked_for_the_gateways_of_their_pods() -> None:
    held = [AddressHeld("cni0", text, 24, []) for text in ("10.9.1.1", "10.9.2.1", "fd00:9:0:1::1")]

    def answer(request: object) -> object:
        assert isinstance(request, protocol.ReadNode)
        return node(NAMES[0], addresses=held)

    agents = FakeAgents(dict.fromkeys([h.name for h in HOSTS], answer))
    found = translation.read(cluster(), FACTS, PROXY, None, agents, HOSTS)
    assert found.own["n1"] == {*NODES["n1"].addresses, *addresses("10.9.1.1", "fd00:9:0:1::1")}
    assert found.own["n2"] == {*NODES["n2"].addresses, *addresses("10.9.2.1")}
    assert found.outgoing.masqueraded is None


@pytest.mark.parametrize(
    ("spec", "hosts_too"), [({}, True), ({"natOutgoingExclusions": "IPPoolsAndHostIPs"}, False)]
)
def test_with_calico_no_node_is_asked(spec: dict[str, str], hosts_too: bool) -> None:
    found = translation.read(cluster(**spec), FACTS, PROXY, calico(), FakeAgents({}), HOSTS)
    assert (found.outgoing.pools, found.outgoing.masqueraded) == (POOLS, POOLS[:1])
    assert (found.proxy, found.outgoing.hosts_too) == (PROXY, hosts_too)


def test_calico_s_ebpf_dataplane_leaves_nothing_to_kube_proxy() -> None:
    facts = ClusterFacts("https://api", "v1.36.0", tuple(NODES.values()), dataplane="eBPF")
    found = translation.read(cluster(), facts, PROXY, calico(), FakeAgents({}), HOSTS)
    assert not found.proxy.known
