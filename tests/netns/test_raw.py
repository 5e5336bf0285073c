"""Crafted packets on real links: what must arrive does, what must not is distinguished from what
was lost.

The server's own kernel puts fragments together here; nothing between does.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import ipaddress
from collections.abc import Iterator

import pytest

from sixproof.agent import protocol
from sixproof.errors import AgentError
from sixproof.model import Endpoint, EndpointKind, Family
from sixproof.probes.crafted import capture, shapes
from sixproof.probes.crafted import probe as crafted
from sixproof.probes.crafted.probe import (
    CraftedBatch,
    CraftedPacket,
    CraftedResult,
    CraftedStatus,
    CraftedTarget,
)
from tests.netns.laboratory import scenes
from tests.netns.laboratory.agents import SEAL
from tests.netns.laboratory.lab import CLIENT, Lab
from tests.netns.laboratory.links import FAR, NEAR
from tests.netns.laboratory.scenes import MAIN

pytestmark = pytest.mark.netns

SILENCE = 1.0
PORT = scenes.OPEN + 20
PORT_SPECS = (f"udp/{PORT}", f"udp/{PORT + 1}")


def raw(pod: str, place: str) -> Endpoint:
    """A raw agent's endpoint under the addresses of a host's link."""
    link = {"client": NEAR[MAIN], "server": FAR[MAIN]}[place]
    addresses = tuple(ipaddress.ip_address(link.address(family, 2)) for family in Family)
    return Endpoint(pod, EndpointKind.POD, addresses, "lab", pod, place)


@pytest.fixture(scope="module")
def ends(lab: Lab) -> Iterator[tuple[Endpoint, Endpoint]]:
    """A raw agent beside the client and one, with ports of its own, beside the server."""
    with (
        lab.agent(lab.client, "raw-client", capability="NET_RAW"),
        lab.agent(lab.server, "raw-server", PORT_SPECS, capability="NET_RAW"),
    ):
        yield raw("raw-client", "client"), raw("raw-server", "server")


def target(ends: tuple[Endpoint, Endpoint], family: Family) -> CraftedTarget:
    """From the one to the other."""
    address = ends[1].address(family)
    assert address is not None
    return CraftedTarget(ends[0], ends[1], address, PORT, SEAL)


def crafted_packets(there: CraftedTarget) -> list[CraftedPacket]:
    """Every shape that needs no policy and no service."""
    return [
        shapes.baseline(there, "pod"),
        *shapes.fragmented(there, "pod"),
        *shapes.behind_headers(there, "pod"),
    ]


@contextlib.contextmanager
def dropping(lab: Lab, rule: str) -> Iterator[None]:
    """The router drops what matches, before anything puts fragments together."""
    hook = "type filter hook prerouting priority -450; policy accept"
    lab.router.nft(f"table inet crafted {{\nchain c {{\n{hook}\n{rule}\n}}\n}}\n")
    try:
        yield
    finally:
        lab.router.nft("delete table inet crafted")


def wrong(crafted_results: tuple[CraftedResult, ...]) -> dict[str, str]:
    """What a test would complain of, by shape; all must be measured."""
    assert [str(x) for x in crafted_results if x.status is CraftedStatus.UNKNOWN] == []
    return {x.crafted_packet.shape: said for x in crafted_results if (said := crafted.violation(x))}


@pytest.mark.parametrize("ip_family", Family, ids=str)
def test_every_shape_has_the_wanted_status(
    lab: Lab, ends: tuple[Endpoint, Endpoint], ip_family: Family
) -> None:
    """Linux does what the standards demand, and both captures are complete."""
    found = CraftedBatch(lab.agents, SILENCE).fire(crafted_packets(target(ends, ip_family)))
    assert wrong(found) == {}
    assert [str(x) for x in found if x.left < len(x.crafted_packet.packets)] == []
    assert {bool(x.came) for x in found if x.crafted_packet.arrives} == {True}


FRAGMENTS = {Family.IPV6: "exthdr frag exists drop", Family.IPV4: "ip frag-off & 0x3fff != 0 drop"}


@pytest.mark.parametrize("ip_family", Family, ids=str)
def test_a_router_that_drops_fragments_is_found(
    lab: Lab, ends: tuple[Endpoint, Endpoint], ip_family: Family
) -> None:
    """Exactly the fragments are missing, lost before the server; the plain datagram passes."""
    there = target(ends, ip_family)
    with dropping(lab, FRAGMENTS[ip_family]):
        found = CraftedBatch(lab.agents, SILENCE).fire(crafted_packets(there))
    expected = {
        name
        for name, shape in shapes.FRAGMENTS.items()
        if shape.arrives and ip_family in shape.families
    }
    said = wrong(found)
    assert set(said) == expected
    assert "0 reached the server's interface" in said["in order"]


def test_a_router_that_drops_options_is_found(lab: Lab, ends: tuple[Endpoint, Endpoint]) -> None:
    """Hop-by-hop and destination options each have a shape of their own."""
    for rule, shape in (
        ("exthdr hbh exists drop", "hop-by-hop options"),
        ("exthdr dst exists drop", "destination options"),
    ):
        with dropping(lab, rule):
            found = CraftedBatch(lab.agents, SILENCE).fire(
                crafted_packets(target(ends, Family.IPV6))
            )
        assert set(wrong(found)) == {shape}


def test_nothing_is_proven_where_nothing_passes(lab: Lab, ends: tuple[Endpoint, Endpoint]) -> None:
    """That overlapping fragments vanish on a closed path proves nothing: not measured."""
    there = target(ends, Family.IPV6)
    with dropping(lab, f"ip6 daddr {there.address} udp dport {PORT} drop"):
        found = CraftedBatch(lab.agents, SILENCE).fire(crafted_packets(there))
    overlapping = [x for x in found if not x.crafted_packet.arrives]
    assert {x.status for x in overlapping} == {CraftedStatus.UNKNOWN}
    assert all("did not arrive either" in x.doubt for x in overlapping)


def towards_a_shut_port(lab: Lab, ends: tuple[Endpoint, Endpoint], family: Family) -> set[str]:
    """The shapes of which something reaches the server at a port that nothing may reach."""
    there = target(ends, family)
    shut = dataclasses.replace(there, port=PORT + 1)
    fired = [shapes.baseline(there, "denied"), *shapes.forbidden(shut, there, "denied")]
    return set(wrong(CraftedBatch(lab.agents, SILENCE).fire(fired)))


@pytest.mark.parametrize("ip_family", Family, ids=str)
def test_what_reaches_a_port_that_is_not_shut_is_reported(
    lab: Lab, ends: tuple[Endpoint, Endpoint], ip_family: Family
) -> None:
    """Without any filter, every shape that can be put together is named."""
    reached = towards_a_shut_port(lab, ends, ip_family)
    assert {"whole", "in order", "reversed", "duplicated", "tiny"} <= reached
    assert ("destination options" in reached) is (ip_family is Family.IPV6)


def test_a_filter_that_looks_for_the_port_in_the_first_fragment_is_found(
    lab: Lab, ends: tuple[Endpoint, Endpoint]
) -> None:
    """It misses the port where options fill that fragment; all other shapes it stops."""
    with dropping(lab, f"udp dport {PORT + 1} drop"):
        reached = towards_a_shut_port(lab, ends, Family.IPV6)
    assert reached == {"headers split over fragments"}


def test_a_first_packet_is_read_back_as_it_was_sent(
    lab: Lab, ends: tuple[Endpoint, Endpoint]
) -> None:
    """What was captured at the far end is what was sent, hop limit apart."""
    sender, catcher = ends
    there = target(ends, Family.IPV6)
    source = sender.address(Family.IPV6)
    assert source is not None
    sent = capture.packet(capture.Ends(source, there.address), b"", 59)
    ask = lab.agents.ask
    ask(catcher, protocol.StartCapture("one", 10.0), protocol.CaptureStarted, 10).result()
    packet = protocol.RawPacket(str(there.address), base64.b64encode(sent).decode())
    answer = ask(sender, protocol.SendRaw([packet]), protocol.SentRaw, 10).result()
    assert [r.error for r in answer.results] == [""]
    crafted_packet = shapes.baseline(there, "pod")
    CraftedBatch(lab.agents, 0.3).fire(
        [crafted_packet]
    )  # two captures side by side, and time to arrive
    caught = ask(catcher, protocol.EndCapture("one"), protocol.Captured, 10).result()
    assert (caught.lost, caught.complete) == (0, True)
    frames = [base64.b64decode(f.packet) for f in caught.frames if not f.outgoing]
    assert sent[:7] + bytes([sent[7] - 1]) + sent[8:] in frames


def test_too_large_a_packet_is_an_answer_and_a_small_one_follows(
    lab: Lab, ends: tuple[Endpoint, Endpoint]
) -> None:
    """EMSGSIZE is reported for the packet that met it, and stops no other."""
    there = target(ends, Family.IPV6)
    source = ends[0].address(Family.IPV6)
    assert source is not None
    way = capture.Ends(source, there.address)
    packets = [
        protocol.RawPacket(str(there.address), base64.b64encode(p).decode())
        for p in (capture.packet(way, bytes(3000), 59), capture.packet(way, b"", 59))
    ]
    answer = lab.agents.ask(ends[0], protocol.SendRaw(packets), protocol.SentRaw, 10).result()
    assert [r.error for r in answer.results] == ["EMSGSIZE", ""]


def test_an_agent_without_the_capability_says_so_and_goes_on(lab: Lab) -> None:
    """EPERM is an answer; the next request is carried out."""
    with pytest.raises(AgentError, match="Operation not permitted"):
        lab.agents.ask(
            CLIENT, protocol.StartCapture("no", 1.0), protocol.CaptureStarted, 10
        ).result()
    assert lab.agents.ask(CLIENT, protocol.Hello(), protocol.Welcome, 10).result().host
