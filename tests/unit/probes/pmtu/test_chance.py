"""Which silent datagrams may have been lost by chance, and are sent again."""

from __future__ import annotations

import dataclasses
import ipaddress
import itertools

import pytest

from sixproof.agent.protocol import Event, Sized
from sixproof.model import Endpoint, EndpointKind, Flow, Protocol
from sixproof.probes.pmtu.chance import lost_by_chance

PODS = tuple(
    Endpoint(f"a@w{n}", EndpointKind.POD, (ipaddress.ip_address(f"fd00::{n + 1}"),), node=f"w{n}")
    for n in range(3)
)
FLOWS = tuple(
    Flow(a, b, b.addresses[0], Protocol.UDP, 8080) for a, b in itertools.permutations(PODS, 2)
)
STEPS = ("first", "small", "fragments", *(f"pattern {n}" for n in range(1, 4)))
Sent = dict[str, list[list[Sized]]]


@dataclasses.dataclass(frozen=True)
class Lost:
    """A datagram that is lost: of which flow, in which step."""

    flow: int
    step: str


def sent(*lost: Lost) -> Sent:
    """What every flow sent, all of it answered but for these."""
    rows: Sent = {
        "first": [[Sized(1430, Event.ECHOED)] for _ in FLOWS],
        "pattern": [[Sized(1430, Event.ECHOED) for _ in range(4)] for _ in FLOWS],
        "small": [[Sized(256, Event.ECHOED)] for _ in FLOWS],
        "fragments": [[Sized(3000, Event.ECHOED)] for _ in FLOWS],
    }
    for one in lost:
        step, _, place = one.step.partition(" ")
        row = rows[step][one.flow]
        at = int(place or 0)
        row[at] = dataclasses.replace(row[at], event=Event.SILENT)
    return rows


def again(*lost: Lost) -> set[Lost]:
    """Those of them that are sent again."""
    found = lost_by_chance(FLOWS, **sent(*lost))
    return {Lost(one.flow, one.step) for one in found}


def of_node(node: str) -> list[int]:
    """The flows that a node sends."""
    return [n for n, flow in enumerate(FLOWS) if flow.source.node == node]


@pytest.mark.parametrize("step", STEPS)
def test_one_datagram_is(step: str) -> None:
    assert again(Lost(3, step)) == {Lost(3, step)}


@pytest.mark.parametrize("step", STEPS)
def test_what_one_node_lost_at_the_same_time_is(step: str) -> None:
    """kube-proxy on a node deletes the connection tracking of all its flows to NodePorts at once:
    two of six paths (seen on a healthy bed at load 50)."""
    lost = [Lost(flow, step) for flow in of_node("w1")]
    assert len(lost) > len(FLOWS) * 0.25
    assert again(*lost) == set(lost)


def test_what_two_nodes_lost_is_not() -> None:
    first, second = of_node("w0")[0], of_node("w1")[0]
    assert again(Lost(first, "first"), Lost(second, "first")) == set()


def test_what_one_node_lost_twice_is_not() -> None:
    """A node that loses datagrams again and again has a fault."""
    one, other = of_node("w1")
    assert again(Lost(one, "first"), Lost(other, "small")) == set()


def test_several_losses_of_one_path_are() -> None:
    lost = {Lost(2, "first"), Lost(2, "pattern 3"), Lost(2, "fragments")}
    assert again(*lost) == lost


def test_a_path_that_carried_nothing_of_the_size_has_no_chance() -> None:
    rows = sent()
    rows["pattern"][0] = [Sized(1430, Event.SILENT)] * 4
    rows["first"][0] = [Sized(1430, Event.SILENT)]
    assert lost_by_chance(FLOWS, **rows) == []


def test_the_first_is_not_where_a_packet_too_big_followed() -> None:
    from sixproof.agent.protocol import IcmpSeen

    rows = sent(Lost(0, "first"))
    told = IcmpSeen(2, 0, "fd00::99", 1400)
    rows["pattern"][0][0] = dataclasses.replace(rows["pattern"][0][0], icmp=told)
    assert lost_by_chance(FLOWS, **rows) == []
