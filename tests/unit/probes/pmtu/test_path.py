"""Paths from routes and interfaces, interfaces against the expectation, counters as witnesses."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.agent.protocol import AddressSeen, Inspected, RouteSeen
from sixproof.errors import Subject
from sixproof.model import Family
from sixproof.probes.pmtu import interfaces
from sixproof.probes.pmtu.counters import trace
from sixproof.probes.pmtu.path import Overhead, PathTopology, path, questions
from tests.unit.model.places import place
from tests.unit.probes.pmtu.samples import (
    HERE,
    HOPS,
    NODES,
    THERE,
    host,
    inspected,
    path_result,
    path_run,
)

TARGET, BACK = THERE.addresses[1], HERE.addresses[1]
POD = inspected(eth0=1430, lo=65536)
TUNNELS = {"vxlan-v6.calico": Overhead("VXLAN over IPv6", 70, Family.IPV6)}
NODE = Inspected(
    {"eth0": 1500, "vxlan-v6.calico": 1430, "vxlan.calico": 1450, "cali1": 1430}, [], {}, "", {}
)


def path_topology(**changes: RouteSeen) -> PathTopology:
    """All agents asked; `onward` and `outer` replace the first node's answers."""
    outer = NODES["w2"].addresses[1]
    routes = {
        (HERE.name, TARGET): RouteSeen(str(TARGET), "eth0"),
        (THERE.name, BACK): RouteSeen(str(BACK), "eth0"),
        ("host@w1", TARGET): changes.get("onward", RouteSeen(str(TARGET), "vxlan-v6.calico")),
        ("host@w1", outer): changes.get("outer", RouteSeen(str(outer), "eth0")),
        ("host@w2", TARGET): RouteSeen(str(TARGET), "cali1"),
    }
    seen = {HERE.name: POD, THERE.name: POD, "host@w1": NODE, "host@w2": NODE}
    return PathTopology(seen, routes, NODES, TUNNELS)


def test_a_path_has_every_hop_in_the_packets_order() -> None:
    """Pod, tunnel, what carries it, the far node's interface, pod."""
    found = path(HERE, THERE, Family.IPV6, path_topology())
    assert found.hops == HOPS
    assert found.promised == 1430
    assert found.overfull == ()
    assert str(found).startswith("eth0 of a@w1 1430 -> vxlan-v6.calico of w1 1430")


def test_a_route_of_a_node_makes_a_hop_narrower() -> None:
    """One that was set, not one that was learnt."""
    fixed = RouteSeen(str(TARGET), "vxlan-v6.calico", mtu=1350)
    learnt = RouteSeen(str(TARGET), "vxlan-v6.calico", mtu=1350, expires=500.0)
    narrow = path(HERE, THERE, Family.IPV6, path_topology(onward=fixed))
    assert narrow.promised == 1350
    assert narrow.narrowest is not None
    assert str(narrow.narrowest) == f"vxlan-v6.calico of w1 1350 (route to {TARGET})"
    assert path(HERE, THERE, Family.IPV6, path_topology(onward=learnt)).promised == 1430


def test_a_routes_own_mtu_stands_before_its_interfaces() -> None:
    """The kernel goes by the route also where that is wider, and both are reported; what a node
    forwards over IPv6 must fit the interface, unless the route's MTU is locked."""
    wide = RouteSeen(str(TARGET), "vxlan-v6.calico", mtu=1450, locked=True)
    hop = path(HERE, THERE, Family.IPV6, path_topology(onward=wide)).hops[1]
    assert hop.mtu == 1450
    assert hop.why == f"route to {TARGET}; the interface has 1430"
    free = dataclasses.replace(wide, locked=False)
    forwarded = path(HERE, THERE, Family.IPV6, path_topology(onward=free))
    assert forwarded.promised == 1430
    assert forwarded.hops[1].why == f"the interface's own: the route to {TARGET} has 1450"
    sent = path_topology(onward=free).hop(NODES["w1"], "w1", TARGET)
    assert [hop.mtu for hop in sent] == [1450], "a node's own packets go by the route"
    same = RouteSeen(str(TARGET), "vxlan-v6.calico", mtu=1430)
    assert path(HERE, THERE, Family.IPV6, path_topology(onward=same)).hops == HOPS


def test_a_carrier_that_holds_less_promises_nothing_and_is_named() -> None:
    """The tunnel is set to more than fits: what it promises stands, and the carrier is overfull."""
    outer = NODES["w2"].addresses[1]
    found = path(
        HERE, THERE, Family.IPV6, path_topology(outer=RouteSeen(str(outer), "eth0", mtu=1400))
    )
    assert found.promised == 1430
    assert [hop.mtu for hop in found.overfull] == [1330]
    assert found.narrowest is not None
    assert found.narrowest.mtu == 1330


def test_no_agent_no_hop() -> None:
    """What nobody could know is left out, not guessed."""
    found = path(HERE, THERE, Family.IPV6, PathTopology({}, {}, {}))
    assert (found.hops, found.promised, found.narrowest) == ((), None, None)
    assert str(found) == "no hop is known"
    only = place("only4", 9, "w1", "4")
    assert path(HERE, only, Family.IPV6, path_topology()).hops == ()
    assert questions(HERE, only, Family.IPV6, NODES) == ()


def test_same_node_asks_one_node_and_no_tunnel() -> None:
    """A neighbour is reached over the node's own interfaces."""
    beside = place("b@w1", 3, "w1")
    asked = questions(HERE, beside, Family.IPV6, NODES)
    assert {name for name, _ in asked} == {HERE.name, beside.name, "host@w1"}


def test_a_path_through_another_nodes_port_goes_there_first() -> None:
    """Pod, its node's way to the frontend, the frontend's tunnel and carrier, the far node, pod."""
    frontend = host("w3", 3)
    front, outer = frontend.addresses[1], NODES["w2"].addresses[1]
    base = path_topology()
    routes = {
        **base.routes,
        (HERE.name, front): RouteSeen(str(front), "eth0"),
        ("host@w1", front): RouteSeen(str(front), "eth0"),
        (frontend.name, TARGET): RouteSeen(str(TARGET), "vxlan-v6.calico", mtu=1350),
        (frontend.name, outer): RouteSeen(str(outer), "eth0"),
    }
    seen = {**base.inspected, frontend.name: NODE}
    through = PathTopology(seen, routes, {**NODES, "w3": frontend}, TUNNELS)
    found = path(HERE, THERE, Family.IPV6, through, frontend)
    assert [(hop.where, hop.mtu) for hop in found.hops] == [
        (HERE.name, 1430),
        ("w1", 1500),
        ("w3", 1430),
        ("w3", 1350),
        ("w3", 1430),
        ("w2", 1430),
        (THERE.name, 1430),
    ]
    asked = questions(HERE, THERE, Family.IPV6, {**NODES, "w3": frontend}, frontend)
    assert {
        (HERE.name, front),
        ("host@w1", front),
        (frontend.name, TARGET),
        (frontend.name, outer),
    } <= {*asked}


def test_a_path_through_the_far_nodes_own_port_has_no_tunnel() -> None:
    """The node that is dialled has the pod itself."""
    frontend = NODES["w2"]
    front = frontend.addresses[1]
    base = path_topology()
    routes = {**base.routes, (HERE.name, front): RouteSeen(str(front), "eth0")}
    through = PathTopology(base.inspected, routes, NODES, TUNNELS)
    found = path(HERE, THERE, Family.IPV6, through, frontend)
    devices = [(hop.where, hop.device) for hop in found.hops]
    assert devices == [
        (HERE.name, "eth0"),
        ("w1", "eth0"),
        ("w2", "cali1"),
        (THERE.name, "eth0"),
    ]


WANTED = {"vxlan.calico": 1450, "vxlan-v6.calico": 1430}


def test_interfaces_of_pods() -> None:
    """Every one that is not the kernel's own, each named."""
    wrong = inspected(eth0=1500, net1=1430, lo=65536, tunl0=1480)
    assert interfaces.pods([(HERE, POD)], 1430) == {}
    ((said, subject),) = interfaces.pods([(HERE, wrong)], 1430).items()
    assert (subject.node, subject.part) == ("w1", "eth0")
    assert "a@w1" in said
    assert "expected 1430, seen 1500 on eth0" in said


@pytest.mark.parametrize(
    ("mtus", "said"),
    [
        ({"vxlan.calico": 1450, "vxlan-v6.calico": 1300}, ["seen 1300 on vxlan-v6.calico"]),
        ({"vxlan.calico": 1450}, ["seen no such device on vxlan-v6.calico"]),
        ({"vxlan.calico": 1450, "vxlan-v6.calico": 1430}, []),
    ],
)
def test_tunnels_of_nodes(mtus: dict[str, int], said: list[str]) -> None:
    """Each has its own expectation; one that is gone is wrong too."""
    found = interfaces.tunnels([(NODES["w1"], Inspected(mtus, [], {}, "", {}))], WANTED)
    assert len(found) == len(said)
    assert all(part in text and "w1" in text for part, text in zip(said, found, strict=True))
    assert all(about == Subject.of_node("w1", "vxlan-v6.calico") for about in found.values())


def test_ipv6_gone_from_a_small_interface() -> None:
    """The kernel takes IPv6 off below 1280 bytes; who lost it and where is reported."""
    address = AddressSeen("eth0", str(BACK), 128, [])
    here = Inspected({"eth0": 1430}, [address], {}, "", {})
    gone = inspected(eth0=1270)
    assert interfaces.without_ipv6([(HERE, here)]) == {}
    (said,) = interfaces.without_ipv6([(HERE, gone)])
    assert (
        said == f"a@w1: IPv6 is gone, no interface has {BACK}: eth0 has MTU 1270, IPv6 needs 1280"
    )
    ((bare, about),) = interfaces.without_ipv6([(HERE, POD)]).items()
    assert about == HERE.subject(str(BACK))
    assert bare == f"a@w1: IPv6 is gone, no interface has {BACK}"
    small = {"a@w1: eth0 has MTU 1270, IPv6 needs 1280": HERE.subject("eth0")}
    assert interfaces.too_small([(HERE, gone)]) == small
    assert interfaces.too_small([(place("v4", 1, "w1", "4"), gone)]) == {}


MADE, CAME, MET = "Icmp6OutPktTooBigs", "Icmp6InPktTooBigs", "Ip6InTooBigErrors"


@pytest.mark.parametrize(
    ("counted", "place_", "words"),
    [
        ({"w1": {MADE: 4}}, "w1", "lost on w1"),
        ({"w2": {MADE: 4}}, "w2", "lost behind w2"),
        ({"w1": {MET: 4}}, "w1", "w1 met 4 packets too big"),
        ({"w1": {MADE: 4}, "source": {CAME: 4}}, "", "the source received 4"),
        ({}, "", "no node of the path made a Packet Too Big"),
    ],
)
def test_counters_show_where_packet_too_big_went(
    counted: dict[str, dict[str, int]], place_: str, words: str
) -> None:
    """Made and not received: lost; on the source's own node there is only one place."""
    given = path_result()
    found = trace(given, path_run(given, **counted))
    assert found.place == place_
    assert words in str(found)


def test_counters_of_ipv4_have_other_names() -> None:
    """RFC 4293 counts them with the other unreachables."""
    given = path_result(Family.IPV4)
    found = str(trace(given, path_run(given, w1={"IpFragFails": 2, "IcmpMsgOutType3": 2})))
    assert "fragmentation needed: w1 made 2 (IcmpMsgOutType3)" in found
