"""Where crafted packets go, and what is fired again."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import cast

import pytest

from sixproof.agent.wire import Seal
from sixproof.checks.crafted import firing, path_learning, targets
from sixproof.checks.crafted.crafted_results import CLUSTER_IP, NODE_PORT, POD
from sixproof.checks.crafted.firing import fire
from sixproof.checks.crafted.targets import CraftedTargets, Frontends
from sixproof.errors import NotAsked
from sixproof.model import Endpoint, EndpointKind, Family, Flow, Protocol
from sixproof.policy import ServiceSnapshot
from sixproof.probes.connect.probe import AgentClient
from sixproof.probes.crafted import shapes
from sixproof.probes.crafted.probe import CraftedPacket, CraftedResult, CraftedStatus
from sixproof.probes.crafted.spoofed_ptb import SpoofedPtb
from sixproof.workloads.probe_pods.ports import UDP
from sixproof.workloads.probe_pods.topology import flows
from sixproof.workloads.services.manifests import Service, ServicePort

SEAL = Seal(b"a key")
PORT = UDP.port or 0


def end(name: str, number: int, node: str, kind: EndpointKind = EndpointKind.POD) -> Endpoint:
    """A dual-stack endpoint."""
    texts = (f"192.0.2.{number}", f"2001:db8::{number}")
    return Endpoint(name, kind, tuple(map(ipaddress.ip_address, texts)), "team", name, node)


ONE, TWO = end("raw@n1", 1, "n1"), end("raw@n2", 2, "n2")
FRONT = end("host@n3", 93, "n3", EndpointKind.HOST)


def service(number: int, *, ports: Sequence[int] = (30001, 30001)) -> Service:
    """A dual-stack service with one NodePort for both protocols."""
    protocols = zip((Protocol.TCP, Protocol.UDP), ports, strict=True)
    return Service(
        f"raw-{number}",
        "team",
        "NodePort",
        "PreferDualStack",
        tuple(Family),
        tuple(map(ipaddress.ip_address, (f"203.0.113.{number}", f"2001:db8:a::{number}"))),
        tuple(ServicePort("", p, PORT, str(PORT), port) for p, port in protocols),
    )


def made(
    pairs: Sequence[Flow], closed: frozenset[Family] = frozenset(), *, through: bool = True
) -> CraftedTargets:
    """The targets of these pairs, where a policy closes families: what goes through a service too,
    or that alone."""

    def closes(flow: Flow, before: ServiceSnapshot | None) -> str:
        shut = flow.family in closed and (through or before is not None)
        return "GlobalNetworkPolicy x" if shut else ""

    frontends = Frontends({TWO.name: service(2)}, lambda _: FRONT)
    return targets.of(pairs, frontends, SEAL, closes)


PAIRS = flows([ONE], [TWO], tuple(Family), [UDP])


def test_each_way_leads_to_an_address_of_the_family() -> None:
    """The pod's own, the service's, a third node's with the NodePort; what it serves is kept."""
    found = made(PAIRS)
    assert {
        way: [(str(t.address), t.port, t.own_port) for t in there]
        for way, there in found.open.items()
    } == {
        POD: [("192.0.2.2", PORT, PORT), ("2001:db8::2", PORT, PORT)],
        CLUSTER_IP: [("203.0.113.2", PORT, PORT), ("2001:db8:a::2", PORT, PORT)],
        NODE_PORT: [("192.0.2.93", 30001, PORT), ("2001:db8::93", 30001, PORT)],
    }
    assert len(found.flows) == 6
    assert {(str(f.address), f.port) for f in found.flows} >= {("2001:db8::93", 30001)}


def test_ways_that_a_policy_closes_are_left_out_and_named() -> None:
    """Over one family, or only behind a service."""
    found = made(PAIRS, frozenset({Family.IPV6}))
    assert all(t.family is Family.IPV4 for there in found.open.values() for t in there)
    shut = {way: [by for _, by in flows_of] for way, flows_of in found.closed.items()}
    assert shut == {way: ["GlobalNetworkPolicy x"] for way in (POD, CLUSTER_IP, NODE_PORT)}
    assert all(flow.family is Family.IPV4 for flow in found.flows)
    behind = made(PAIRS, frozenset(Family), through=False)
    assert [len(behind.open[way]) for way in (POD, CLUSTER_IP, NODE_PORT)] == [2, 0, 0]


def test_a_node_without_an_address_of_the_family_has_no_node_port_there() -> None:
    bare = Endpoint("host@n3", EndpointKind.HOST, FRONT.addresses[:1], node="n3")
    frontends = Frontends({TWO.name: service(2)}, lambda _: bare)
    found = targets.of(PAIRS, frontends, SEAL, lambda *_: "")
    assert [t.family for t in found.open[NODE_PORT]] == [Family.IPV4]


def test_node_ports_that_differ_are_no_way() -> None:
    frontends = Frontends({TWO.name: service(2, ports=(30001, 30002))}, lambda _: FRONT)
    with pytest.raises(NotAsked, match="wanted one for both"):
        targets.of(PAIRS, frontends, SEAL, lambda *_: "")


def packets() -> tuple[CraftedPacket, ...]:
    """One to each target of the pod's own address."""
    return tuple(shapes.baseline(t, POD) for t in made(PAIRS).open[POD])


class Batches:
    """Stands for `CraftedBatch`: what each batch of packets comes to, in order."""

    def __init__(self, *statuses: CraftedStatus) -> None:
        self.statuses: Iterator[CraftedStatus] = iter(statuses)
        self.silences: list[float] = []

    def __call__(self, _: AgentClient, silence: float) -> Batches:
        self.silences.append(silence)
        return self

    def fire(self, those: Sequence[CraftedPacket]) -> tuple[CraftedResult, ...]:
        status = next(self.statuses)
        return tuple(CraftedResult(packet, status, 1, ()) for packet in those)


@pytest.mark.parametrize(
    ("statuses", "silences", "wanted"),
    [
        ([CraftedStatus.ARRIVED], [2.0], CraftedStatus.ARRIVED),
        ([CraftedStatus.UNKNOWN, CraftedStatus.ABSENT], [2.0, 6.0], CraftedStatus.ABSENT),
        ([CraftedStatus.UNKNOWN, CraftedStatus.UNKNOWN], [2.0, 6.0], CraftedStatus.UNKNOWN),
    ],
)
def test_what_could_not_be_measured_is_fired_once_more_with_patience(
    monkeypatch: pytest.MonkeyPatch,
    statuses: Sequence[CraftedStatus],
    silences: Sequence[float],
    wanted: CraftedStatus,
) -> None:
    batches = Batches(*statuses)
    monkeypatch.setattr(firing, "CraftedBatch", batches)
    results = fire([lambda: (), packets], cast(AgentClient, None), 2.0)
    assert [result.status for result in results] == [wanted] * len(packets())
    assert batches.silences == silences


def test_spoofed_messages_are_about_the_path_to_the_next_pod() -> None:
    """Over IPv6, and to nobody about itself."""
    three = end("raw@n3", 3, "n3")
    paths = path_learning.paths_to_spoof([ONE, TWO, three])
    assert [(f.source.name, f.destination.name, f.family) for f in paths] == [
        ("raw@n1", "raw@n2", Family.IPV6),
        ("raw@n2", "raw@n3", Family.IPV6),
        ("raw@n3", "raw@n1", Family.IPV6),
    ]
    assert path_learning.paths_to_spoof([ONE]) == ()


@pytest.mark.parametrize("holds", [True, False])
def test_a_pod_that_believes_nothing_at_all_shows_nothing(
    monkeypatch: pytest.MonkeyPatch, holds: bool
) -> None:
    """What it ignores counts only beside what it takes."""

    class Tried:
        def __init__(self, victim: Endpoint, peer: Endpoint, forger: Endpoint) -> None:
            self.who = (victim.name, peer.name, forger.name)
            self.control_holds = holds and victim is ONE

    def try_all(_: AgentClient, *those: object) -> SpoofedPtb:
        return cast(SpoofedPtb, Tried(*those[:3]))  # type: ignore[arg-type]

    monkeypatch.setattr("sixproof.probes.crafted.spoofed_ptb.try_all", try_all)
    forgers = {"n1": end("f1", 11, "n1"), "n2": end("f2", 12, "n2")}
    asked = path_learning.paths_to_spoof([ONE, TWO])
    if not holds:
        with pytest.raises(NotAsked, match="what it ignores is not shown"):
            path_learning.send_spoofed_ptbs(cast(AgentClient, None), asked, forgers, 1.0)
        return
    (one,) = path_learning.send_spoofed_ptbs(cast(AgentClient, None), asked, forgers, 1.0)
    assert cast(Tried, one).who == ("raw@n1", "raw@n2", "f1")
