"""Routes of a router outside: to every pod by its own node, to ranges of services by any node."""

from __future__ import annotations

import dataclasses
import ipaddress
from concurrent.futures import Future
from typing import Any, cast

import pytest

from sixproof.agent.protocol import RouteSeen, RoutesSeen
from sixproof.calico.bgp.configuration import Bgp
from sixproof.calico.nodes import CalicoNode
from sixproof.calico.state import CalicoState
from sixproof.checks.bgp.peer_routes import PeerRoutes
from sixproof.checks.calico import routes
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotAsked, VerdictError
from sixproof.model import Endpoint, EndpointKind, Family, Matrix
from sixproof.probes.connect.probe import AgentClient
from sixproof.workloads.probe_pods.topology import ProbeTopology

SIX = Family.IPV6
ROUTER = Endpoint("router", EndpointKind.OUTSIDE, (ipaddress.ip_address("2001:db8::99"),))
NODES = tuple(
    CalicoNode(name, chosen=(ipaddress.ip_interface(f"2001:db8::{number}/64"),))
    for number, name in enumerate(("n1", "n2"), 1)
)
PODS = tuple(
    Endpoint(f"a@{n.name}", EndpointKind.POD, (a,), "six-x-a", f"a-{n.name}", n.name)
    for n, a in zip(NODES, map(ipaddress.ip_address, ("fd00:7::1", "fd00:8::1")), strict=True)
)
RANGES = Bgp(
    True,
    cluster_ips=(ipaddress.ip_network("fd00:96::/112"),),
    load_balancer_ips=(ipaddress.ip_network("fd00:107::1/128"),),
)
STATE = CalicoState("projectcalico.org/v3", bgp=RANGES, nodes=NODES)


class Router:
    """An agent that knows these next hops by destination."""

    def __init__(self, hops: dict[str, str]) -> None:
        self.hops = hops

    def ask(self, endpoint: Endpoint, request: Any, *_: object) -> Future[RoutesSeen]:
        """What its kernel says."""
        assert endpoint is ROUTER
        done: Future[RoutesSeen] = Future()
        done.set_result(RoutesSeen([self._route(address) for address in request.addresses]))
        return done

    def _route(self, address: str) -> RouteSeen:
        hop = self.hops.get(address, "")
        if not hop:
            return RouteSeen(address, error="Network is unreachable")
        return RouteSeen(address, device="eth0", gateway=hop)


class Noted:
    """Keeps the matrix that is noted."""

    def matrix(self, matrix: Matrix, *_: object) -> None:
        """A matrix."""
        self.noted = matrix


RIGHT = {
    "fd00:7::1": "2001:db8::1",
    "fd00:8::1": "2001:db8::2",
    "fd00:96::1": "2001:db8::2",
    "fd00:107::1": "2001:db8::1",
}


def checks(
    hops: dict[str, str], state: CalicoState = STATE, recorder: Noted | None = None
) -> PeerRoutes:
    """The checks of a run whose router has these routes."""
    topology = cast(ProbeTopology, dataclasses.make_dataclass("T", ["pods"])(PODS))
    client = cast(AgentClient, Router(hops))
    return PeerRoutes(client, ROUTER, topology, state, cast(Recorder, recorder or Noted()), 0.0)


def test_every_route_leads_to_its_node() -> None:
    """And those of services to any."""
    checks(RIGHT).must_lead_to_pods(SIX)
    checks(RIGHT).must_lead_to_services(SIX)


def test_the_next_hop_is_a_fact_of_each_cell() -> None:
    """Causes compare it with nodes' addresses; where there is no route there is none."""
    recorder = Noted()
    with pytest.raises(VerdictError):
        checks({"fd00:7::1": "2001:db8::1"}, recorder=recorder).must_lead_to_pods(SIX)
    hops = {str(o.flow.address): o.next_hop for o in recorder.noted.observations()}
    assert hops == {"fd00:7::1": ipaddress.ip_address("2001:db8::1"), "fd00:8::1": None}


@pytest.mark.parametrize(
    ("hop", "words"),
    [
        ("", "has no route to fd00:8::1: Network is unreachable"),
        ("2001:db8::1", "via 2001:db8::1, wanted via 2001:db8::2 (n2's own address)"),
    ],
)
def test_a_pod_without_a_route_or_behind_another_node_is_named(hop: str, words: str) -> None:
    """As with a filter, or a node that announces what it does not have."""
    with pytest.raises(VerdictError) as caught:
        checks({**RIGHT, "fd00:8::1": hop}).must_lead_to_pods(SIX)
    assert words in str(caught.value)


def test_a_blackhole_route_is_named_as_such() -> None:
    """The kernel answers EINVAL where it drops packets."""
    seen = RouteSeen("fd00:8::1", error="EINVAL")
    assert routes.misled(seen, routes.ExpectedRoute()) == (
        "a blackhole route drops packets to fd00:8::1 (EINVAL)"
    )


def test_a_range_that_leads_to_no_node_is_named() -> None:
    """With the setting."""
    with pytest.raises(VerdictError) as caught:
        checks({**RIGHT, "fd00:96::1": "2001:db8::fe"}).must_lead_to_services(SIX)
    assert "fd00:96::/112 (serviceClusterIPs)" in str(caught.value)
    assert "wanted via 2001:db8::1 or 2001:db8::2" in str(caught.value)


def test_without_ranges_nothing_is_asked() -> None:
    """Nodes may advertise none."""
    with pytest.raises(NotAsked, match="no range of IPv6 service addresses"):
        checks(RIGHT, dataclasses.replace(STATE, bgp=Bgp(True))).must_lead_to_services(SIX)
