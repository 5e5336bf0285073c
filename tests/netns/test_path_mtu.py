"""Path MTU on real links: a bottleneck that says so, and one that does not."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import time
from collections.abc import Iterator

import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.model import Endpoint, EndpointKind, Family, Flow, Protocol
from sixproof.probes.pmtu import judge as rules
from sixproof.probes.pmtu import signals as pmtu_signals
from sixproof.probes.pmtu.counters import trace
from sixproof.probes.pmtu.judge import ViolationKind
from sixproof.probes.pmtu.path_run import PathResult, PathRun
from sixproof.probes.pmtu.probe import PathProbe
from sixproof.reporting.matrix import path_text
from tests.netns.laboratory import scenes
from tests.netns.laboratory.lab import CLIENT, Lab
from tests.netns.laboratory.links import FAR, NEAR
from tests.netns.laboratory.scenes import MAIN, NARROW, NARROW_MTU

pytestmark = [pytest.mark.netns, pytest.mark.parametrize("ip_family", Family, ids=str)]

PATIENCE = 1.0
"""Seconds for a datagram; what an agent that stood still missed is tried again for two."""

EATEN = {
    Family.IPV6: "icmpv6 type packet-too-big drop",
    Family.IPV4: "icmp type destination-unreachable icmp code frag-needed drop",
}


@contextlib.contextmanager
def behind(
    lab: Lab, family: Family, link: str, number: int, options: str = ""
) -> Iterator[Endpoint]:
    """A server address behind a link that nobody has sent to yet; the router's route to it has
    these options."""
    base = {Family.IPV4: "198.51.100.0", Family.IPV6: "2001:db8:2::"}[family]
    address = ipaddress.ip_address(base) + number
    lab.server.ip([f"address add {address} dev lo"])
    lab.client.ip([f"route add {address} via {NEAR[MAIN].address(family, 1)}"])
    lab.router.ip([f"route add {address} via {FAR[link].address(family, 2)} {options}"])
    try:
        yield Endpoint("far", EndpointKind.POD, (address,), "lab", "server", "server")
    finally:
        lab.router.ip([f"route del {address}"])
        lab.client.ip([f"route del {address}"])
        lab.server.ip([f"address del {address} dev lo"])


@contextlib.contextmanager
def mute(lab: Lab, family: Family) -> Iterator[None]:
    """The router's ICMP errors about size are dropped."""
    chain = "type filter hook output priority 0; policy accept"
    lab.router.nft(
        f"table inet path_mtu_mute {{\nchain output {{\n{chain}\n{EATEN[family]}\n}}\n}}\n"
    )
    try:
        yield
    finally:
        lab.router.nft("delete table inet path_mtu_mute")


def explore(lab: Lab, family: Family, server: Endpoint) -> tuple[PathResult, PathRun]:
    """The way from the client to it, with an agent on the router as that of the client's node."""
    with lab.agent(lab.router, "router"):
        near = ipaddress.ip_address(NEAR[MAIN].address(family, 1))
        router = Endpoint("router", EndpointKind.HOST, (near,), "lab", "router", CLIENT.node)
        probe = PathProbe(lab.agents, patience=PATIENCE, tcp_timeout=3.0)
        flow = Flow(CLIENT, server, server.addresses[0], Protocol.UDP, scenes.OPEN)
        seen = probe.explore([flow], hosts=[router])
    return seen.path_results[0], seen


def test_a_sound_path(lab: Lab, ip_family: Family) -> None:
    """Full size passes at the first try, a byte more is refused at home, nothing is learnt."""
    with behind(lab, ip_family, MAIN, 200) as server:
        found, _ = explore(lab, ip_family, server)
    assert (found.path.promised, found.first.size) == (1500, 1500)
    assert [rule(found) for rule in (rules.first_try, rules.one_byte_more)] == [None, None]
    assert [rule(found) for rule in (rules.nothing_learnt, rules.segments)] == [None, None]
    assert found.bulk.segment == (1428 if ip_family is Family.IPV6 else 1448)
    assert rules.fragments_arrive(found) is None


def test_a_bottleneck_that_says_so_is_honoured(lab: Lab, ip_family: Family) -> None:
    """Who said which MTU is known, the socket and TCP work with it, and the route remembers."""
    with behind(lab, ip_family, NARROW, 201) as server:
        found, seen = explore(lab, ip_family, server)
    signals = rules.signals(found)
    assert {s.mtu for s in signals} == {NARROW_MTU}
    router = ipaddress.ip_address(NEAR[MAIN].address(ip_family, 1))
    assert {ipaddress.ip_address(s.sender) for s in signals} == {router}
    assert all(s.error.too_big for s in signals)
    assert found.path.promised == NARROW_MTU  # the router's own link says so
    assert found.first.event == Event.ECHOED
    assert [s.event for s in found.pattern] == [Event.TOO_BIG] + [Event.ECHOED] * 3
    assert rules.signals_are_honoured(found) is None
    assert rules.signals_are_exact(found) is None
    assert rules.bulk_in_time(found) is None
    assert found.bulk.segment == NARROW_MTU - (72 if ip_family is Family.IPV6 else 52)
    assert {s.mtu for who, s in found.learnt if who == CLIENT.name} == {NARROW_MTU}
    assert rules.nothing_learnt(found) is None
    assert trace(found, seen).came >= 1
    assert pmtu_signals.made(seen)(found) is None
    assert pmtu_signals.delivered(found) is None
    assert pmtu_signals.kept(found) is None


@pytest.mark.parametrize("lock", ["", "lock "], ids=["unlocked", "locked"])
def test_a_route_with_a_larger_mtu_than_its_device(lab: Lab, ip_family: Family, lock: str) -> None:
    """What the kernel says to the sender is what the path promises: the route's MTU, but for IPv6
    packets the device's, unless the route's is locked."""
    number = 210 + len(lock)
    with behind(lab, ip_family, NARROW, number, f"mtu {lock}{NARROW_MTU + 50}") as server:
        found, _ = explore(lab, ip_family, server)
    by_device = ip_family is Family.IPV6 and not lock
    assert found.path.promised == (NARROW_MTU if by_device else NARROW_MTU + 50)
    assert {signal.mtu for signal in rules.signals(found)} == {found.path.promised}
    lost = rules.plain_socket_converges(found)
    assert (lost is None) is by_device, "what fits the route and not its device is lost"


def test_a_bottleneck_that_says_nothing_is_a_black_hole(lab: Lab, ip_family: Family) -> None:
    """Small passes, large stalls over UDP and TCP, and the router's counters give it away."""
    with behind(lab, ip_family, NARROW, 202) as server, mute(lab, ip_family):
        found, seen = explore(lab, ip_family, server)
    silent = [rules.plain_socket_converges(found), rules.one_byte_more(found)]
    assert [c.kind for c in silent if c] == [ViolationKind.BLACK_HOLE] * 2
    bulk = rules.bulk_in_time(found)
    assert bulk is not None
    assert bulk.kind is ViolationKind.BLACK_HOLE
    assert found.learnt == ()
    assert trace(found, seen).place == CLIENT.node
    assert pmtu_signals.made(seen)(found) is None
    missing = pmtu_signals.delivered(found)
    assert missing is not None
    assert missing.kind is ViolationKind.BLACK_HOLE
    text = str(path_text.verdict("bulk", [bulk], seen, rules.bulk_in_time))
    assert "class: MTU black hole" in text
    assert f"narrowest hop: six17 of {CLIENT.node} {NARROW_MTU}" in text.replace("rsix", "six")
    assert f"lost on {CLIENT.node}" in text


@contextlib.contextmanager
def swallow(lab: Lab) -> Iterator[None]:
    """The router loses what is too big before it looks at the size."""
    chain = "type filter hook prerouting priority -450; policy accept"
    rule = f"iifname {NEAR[MAIN].beyond} meta length > {NARROW_MTU} drop"
    lab.router.nft(f"table inet path_mtu_swallow {{\nchain in {{\n{chain}\n{rule}\n}}\n}}\n")
    try:
        yield
    finally:
        lab.router.nft("delete table inet path_mtu_swallow")


def test_a_packet_too_big_that_nobody_makes(lab: Lab, ip_family: Family) -> None:
    """The first of the three steps is the one that breaks, and it is a black hole."""
    with behind(lab, ip_family, NARROW, 205) as server, swallow(lab):
        found, seen = explore(lab, ip_family, server)
    missing = pmtu_signals.made(seen)(found)
    assert missing is not None
    assert missing.kind is ViolationKind.BLACK_HOLE
    assert not pmtu_signals.emitted(seen, found)
    said = str(path_text.verdict("made", [missing], seen, pmtu_signals.made(seen)))
    assert "no node of the path made a" in said


def test_a_learnt_mtu_that_is_forgotten_too_soon(lab: Lab, ip_family: Family) -> None:
    """What is kept for a minute is complained about; once its time is up it is gone."""
    name = f"net.{'ipv6' if ip_family is Family.IPV6 else 'ipv4'}.route.mtu_expires"
    lab.client.sysctl({name: "3"})
    try:
        with behind(lab, ip_family, NARROW, 206) as server:
            found, _ = explore(lab, ip_family, server)
            soon = pmtu_signals.kept(found)
            time.sleep(4)
            ask = protocol.RouteGet([str(server.addresses[0])])
            later = lab.agents.ask(CLIENT, ask, protocol.RoutesSeen, 10).result().routes
    finally:
        lab.client.sysctl({name: "600"})
    assert rules.signals_are_honoured(found) is None
    assert soon is not None
    assert "wanted 300 to 600 s" in soon.said
    assert [(route.mtu, route.expires) for route in later] == [(0, None)]


def test_a_bottleneck_that_nobody_knows_fails_the_first_full_size_packet(
    lab: Lab, ip_family: Family
) -> None:
    """Where no agent can look, the first packet finds it, with an error or in silence."""
    for number, quiet, kind in (
        (203, False, ViolationKind.NARROW),
        (204, True, ViolationKind.BLACK_HOLE),
    ):
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(behind(lab, ip_family, NARROW, number))
            if quiet:
                stack.enter_context(mute(lab, ip_family))
            far = dataclasses.replace(server, node="")
            flow = Flow(CLIENT, far, far.addresses[0], Protocol.UDP, scenes.OPEN)
            probe = PathProbe(lab.agents, patience=PATIENCE, tcp_timeout=3.0)
            found = probe.explore([flow]).path_results[0]
        violation = rules.first_try(found)
        assert violation is not None
        assert violation.kind is kind, violation.said
        learnt = rules.nothing_learnt(found)
        assert (learnt is None) is quiet
