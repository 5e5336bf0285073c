"""Pods that are asked how they are, each by the agent of its own node."""

from __future__ import annotations

import concurrent.futures

from sixproof.agent import protocol
from sixproof.errors import ChannelLost
from sixproof.kube.facts.components import ComponentPod, HealthCheck
from sixproof.model import Endpoint
from sixproof.probes.connect.fake_agents import A, FakeAgents, Script
from sixproof.probes.nodes.pod_health import PATIENCE, AskedPods
from tests.unit.reporting.conclusion.cluster import hosts

READY = HealthCheck(8181, "/ready")
HEALTH = HealthCheck(8080, "/health", declared=False)
LOST = "the stream ended"


def replica(name: str, node: str, *addresses: str) -> ComponentPod:
    """A CoreDNS pod."""
    checks = [HEALTH, READY]
    return ComponentPod(
        "CoreDNS", "kube-system", name, node, True, addresses=[*addresses], checks=checks
    )


PODS = [
    replica("coredns-x", "worker", "10.244.0.5", "fd00:244::5"),
    replica("coredns-y", "worker2", "10.244.1.5"),
    replica("coredns-z", "elsewhere", "10.244.2.5"),
    ComponentPod("kube-proxy", "kube-system", "kube-proxy-x", "control", True, addresses=["::1"]),
]


def said(request: object) -> object:
    """Alive, and not ready."""
    assert isinstance(request, protocol.AskServers)
    return protocol.ServersAsked(
        [
            protocol.HealthSeen("", 200, "OK")
            if server.path == "health"
            else protocol.HealthSeen("", 503, "kubernetes,\r\n\x1b[1m" + "x" * 400)
            for server in request.servers
        ]
    )


def lost(_: object) -> object:
    """An agent that is gone."""
    raise ChannelLost(LOST)


def agents(**scripts: Script) -> FakeAgents:
    """Those of the hosts."""
    return FakeAgents({host.name: said for host in hosts()} | scripts)


def test_each_pod_is_asked_at_each_address_by_its_own_node() -> None:
    """Both checks; a node without an agent, and pods without checks, are not asked."""
    asked = agents()
    found, unread = AskedPods(asked, hosts(), PODS).answers()
    assert unread == {}
    assert [name for name, _ in asked.asked] == ["host@worker", "host@worker2"]
    assert [(one.name, one.address, one.check, one.status) for one in found] == [
        ("coredns-x", "10.244.0.5", HEALTH, 200),
        ("coredns-x", "10.244.0.5", READY, 503),
        ("coredns-x", "fd00:244::5", HEALTH, 200),
        ("coredns-x", "fd00:244::5", READY, 503),
        ("coredns-y", "10.244.1.5", HEALTH, 200),
        ("coredns-y", "10.244.1.5", READY, 503),
    ]
    servers = [one for _, request in asked.asked for one in _servers(request)]
    assert {(one.port, one.path) for one in servers} == {(8080, "health"), (8181, "ready")}


def _servers(request: object) -> list[protocol.ServerAsked]:
    assert isinstance(request, protocol.AskServers)
    return request.servers


def test_what_a_pod_says_is_one_short_line_that_a_terminal_can_show() -> None:
    """Whatever answers there."""
    found, _ = AskedPods(agents(), hosts(), PODS).answers()
    body = next(one.body for one in found if one.status == 503)
    assert body.startswith("kubernetes, ?[1mxxx")
    assert body.isprintable()
    assert len(body) <= 200


def test_a_node_whose_agent_does_not_answer_is_named() -> None:
    """The others are heard."""
    found, unread = AskedPods(agents(**{"host@worker": lost}), hosts(), PODS).answers()
    assert unread == {"worker": LOST}
    assert {one.node for one in found} == {"worker2"}


class Busy(FakeAgents):
    """Agents that have not answered yet; how long they may take is noted."""

    patience: float

    def ask(
        self, endpoint: Endpoint, request: object, answer: type[A], timeout: float
    ) -> concurrent.futures.Future[A]:
        """Nothing comes."""
        assert answer is protocol.ServersAsked
        self.asked.append((endpoint.name, request))
        self.patience = timeout
        return concurrent.futures.Future()


def test_an_agent_is_waited_for_as_long_as_there_is_time() -> None:
    """Four seconds at most."""
    busy = Busy({})
    found, unread = AskedPods(busy, hosts(), PODS, 0.05).answers()
    assert (found, busy.patience) == ([], 0.05)
    assert set(unread) == {"worker", "worker2"}
    AskedPods(busy, hosts(), PODS, 60.0)
    assert busy.patience == PATIENCE
