"""Crafted packets: what both ends must have seen before a result says anything."""

from __future__ import annotations

import base64
import dataclasses
import ipaddress
from collections.abc import Callable, Iterable

import pytest

from sixproof.agent import protocol
from sixproof.agent.wire import Seal
from sixproof.model import Endpoint, EndpointKind, Family, Outcome
from sixproof.probes.connect.fake_agents import FakeAgents
from sixproof.probes.crafted import matrix as crafted_matrix
from sixproof.probes.crafted import probe as crafted
from sixproof.probes.crafted import shapes
from sixproof.probes.crafted.capture import CapturedPacket
from sixproof.probes.crafted.probe import (
    CraftedBatch,
    CraftedPacket,
    CraftedResult,
    CraftedStatus,
    CraftedTarget,
)


def pod(name: str, number: int) -> Endpoint:
    """A pod of the raw tier."""
    address = ipaddress.ip_address(f"2001:db8::{number}")
    return Endpoint(name, EndpointKind.POD, (address,), "team", name, name)


SEAL = Seal(b"a key")
CLIENT, SERVER = pod("client", 1), pod("server", 2)
OPEN = CraftedTarget(CLIENT, SERVER, SERVER.addresses[0], 8080, SEAL)
SHUT = CraftedTarget(CLIENT, SERVER, SERVER.addresses[0], 8081, SEAL)


class Wire:
    """Two agents and what passes between them; every knob is one thing that may go wrong."""

    def __init__(self, passes: Callable[[bytes], bool] = lambda _: True) -> None:
        self.passes = passes
        self.knobs: dict[str, object] = {}
        self.sent: list[bytes] = []
        self.arrive: set[str] = set()

    def client(self, request: object) -> object:
        """Sends and captures what leaves."""
        if isinstance(request, protocol.SendRaw):
            self.sent += [base64.b64decode(p.packet) for p in request.packets]
            error = str(self.knobs.get("refused", ""))
            results = [protocol.RawResult(error) for _ in request.packets]
            return protocol.SentRaw(results, float(str(self.knobs.get("lag", 0.0))))
        return self._capture(request, True, [] if self.knobs.get("nothing_left") else self.sent)

    def server(self, request: object) -> object:
        """Captures what comes and reports arrivals."""
        if isinstance(request, protocol.Evidence):
            heard = protocol.Event.SILENT if "deaf" in self.knobs else protocol.Event.ECHOED
            controls = [
                protocol.ControlResult(c.protocol, c.address, c.port, heard)
                for c in request.controls
            ]
            found = [
                protocol.Arrival(n, "udp", "", 0, "", 0, 0.0)
                for n in request.nonces
                if n in self.arrive
            ]
            return protocol.EvidenceFound(found, [], controls, 0.0, 60.0)
        return self._capture(request, False, filter(self.passes, self.sent))

    def _capture(self, request: object, outgoing: bool, packets: Iterable[bytes]) -> object:
        if isinstance(request, protocol.StartCapture):
            return protocol.CaptureStarted(request.name)
        frames = [protocol.Frame(0.0, outgoing, base64.b64encode(p).decode()) for p in packets]
        whole = not self.knobs.get("cut_off")
        return protocol.Captured(frames, int(bool(self.knobs.get("lost"))), whole, 0.0)


def fire(
    wire: Wire, crafted_packets: list[CraftedPacket], *arriving: CraftedPacket
) -> dict[str, CraftedResult]:
    """What became of crafted packets of which these arrive."""
    wire.arrive = {s.nonce for s in arriving}
    agents = FakeAgents({"client": wire.client, "server": wire.server})
    return {x.crafted_packet.shape: x for x in CraftedBatch(agents, 0.01).fire(crafted_packets)}


def some() -> tuple[CraftedPacket, CraftedPacket, CraftedPacket]:
    """A baseline, one that must arrive, one that must not."""
    row = {s.shape: s for s in shapes.fragmented(OPEN, "pod")}
    return shapes.baseline(OPEN, "pod"), row["in order"], row["overlapping"]


def test_what_is_as_it_must_be_has_no_complaint() -> None:
    """Arrived where it must, absent where it must not."""
    plain, good, bad = some()
    found = fire(Wire(), [plain, good, bad], plain, good)
    assert [x.status for x in found.values()] == [
        CraftedStatus.ARRIVED,
        CraftedStatus.ARRIVED,
        CraftedStatus.ABSENT,
    ]
    assert [crafted.violation(x) for x in found.values()] == ["", "", ""]
    assert len(found["in order"].came) == len(good.packets)


def test_the_opposite_is_complained_of_with_its_source() -> None:
    """The expectation and both interfaces are in the message."""
    plain, good, bad = some()
    found = fire(Wire(lambda p: p in plain.packets), [plain, good, bad], plain, bad)
    lost, leaked = (crafted.violation(found[n]) for n in ("in order", "overlapping"))
    assert "10 of 10 packets left, 0 reached the server's interface" in lost
    assert "wanted it to arrive: RFC 8200 section 4.5" in lost
    assert "wanted it to be dropped: RFC 5722 section 4" in leaked


@pytest.mark.parametrize(
    ("knob", "doubt"),
    [
        ("refused", "the source's kernel refused a packet"),
        ("nothing_left", "not every packet left the source"),
        ("lost", "the capture is not complete"),
        ("cut_off", "the capture is not complete"),
        ("deaf", "server fails its own control"),
        ("lag", "an agent was stalled"),
    ],
)
def test_an_absence_without_evidence_is_unknown(knob: str, doubt: str) -> None:
    """Silence counts only where everything else was seen to work."""
    plain, _, bad = some()
    value: object = {"refused": "EPERM", "lag": 1.0}.get(knob, True)
    wire = Wire()
    wire.knobs = {knob: value}
    found = fire(wire, [plain, bad], plain)["overlapping"]
    assert found.status is CraftedStatus.UNKNOWN
    assert doubt in str(found)


def test_an_absence_without_its_baseline_is_unknown() -> None:
    """On a closed path everything vanishes."""
    plain, _, bad = some()
    found = fire(Wire(), [plain, bad])["overlapping"]
    assert (found.status, found.doubt) == (
        CraftedStatus.UNKNOWN,
        "a plain datagram did not arrive either",
    )


def test_an_absence_is_held_against_the_baseline_of_the_open_port() -> None:
    """A port that is shut has no baseline of its own."""
    plain = shapes.baseline(OPEN, "policy")
    crafted_packets = [plain, *shapes.forbidden(SHUT, OPEN, "denied")]
    shut = [s.shape for s in crafted_packets if not s.baseline]
    closed = fire(Wire(), [s for s in crafted_packets if s.shape != "whole" or s.baseline])
    assert all(x.status is CraftedStatus.UNKNOWN for n, x in closed.items() if n in shut)
    found = fire(
        Wire(lambda p: p in plain.packets), crafted_packets[:1] + crafted_packets[1:4], plain
    )
    assert [crafted.violation(x) for x in found.values()] == [""] * 4


def test_one_fragment_at_the_interface_of_a_shut_port_is_enough() -> None:
    """Even where nothing arrives: it passed the policy."""
    plain = shapes.baseline(OPEN, "policy")
    crafted_packets = {s.shape: s for s in shapes.forbidden(SHUT, OPEN, "denied")}
    alone = crafted_packets["later fragments alone"]
    leak = alone.packets[1]
    wire = Wire(lambda p: p in plain.packets or p == leak)
    found = fire(wire, [plain, alone], plain)["later fragments alone"]
    assert (found.status, len(found.came)) == (CraftedStatus.ABSENT, 1)
    assert "wanted none of it to reach the server" in crafted.violation(found)


def test_a_source_route_is_watched_for_at_its_end() -> None:
    """Dialled is the pod in between; the arrival that must not be is that of the last."""
    last = pod("last", 3)
    first, routed = shapes.source_routed(OPEN, last, "pod")
    assert (first.target.server, first.arrives) == (SERVER, True)
    assert (routed.target.server, routed.target.address) == (last, SERVER.addresses[0])
    assert routed.against == CraftedTarget(CLIENT, last, last.addresses[0], 8080, SEAL)
    assert list(shapes.source_routed(OPEN, Endpoint("x", EndpointKind.POD, ()), "pod")) == []


def test_ipv4_has_no_extension_headers() -> None:
    """Nor a rule about overlaps."""
    ends = [
        Endpoint(n, EndpointKind.POD, (ipaddress.ip_address(f"192.0.2.{i}"),), "team", n, n)
        for i, n in enumerate(("client", "server"), 1)
    ]
    there = CraftedTarget(ends[0], ends[1], ends[1].addresses[0], 8080, SEAL)
    assert there.family is Family.IPV4
    assert list(shapes.behind_headers(there, "pod")) == []
    assert {s.shape for s in shapes.fragmented(there, "pod")} == {
        "in order",
        "reversed",
        "duplicated",
        "tiny",
    }


NODE = ipaddress.ip_address("2001:db8::99")


def icmp_error(
    mtu: int, quoted: bytes, kind: tuple[int, int] = (2, 0), length: int = 1280
) -> CapturedPacket:
    """An ICMPv6 error as it was captured."""
    return CapturedPacket(NODE, CLIENT.addresses[0], length, 58, error=kind, mtu=mtu, quoted=quoted)


def landed(status: CraftedStatus, *errors: CapturedPacket) -> CraftedResult:
    """A crafted packet that fills its link, and what came of it."""
    return CraftedResult(shapes.full_size(OPEN, 1430, "pod"), status, 2, (), errors)


def test_a_shot_of_full_size_has_that_size() -> None:
    """To the byte."""
    assert {len(p) for p in shapes.full_size(OPEN, 1430, "pod").packets} == {1430}


def test_a_full_size_packet_arrives_or_packet_too_big_comes_back() -> None:
    """By a message that quotes it as it was sent."""
    whole = landed(CraftedStatus.ABSENT)
    quoted = whole.crafted_packet.packets[0][:1232]
    said = dataclasses.replace(whole, errors=(icmp_error(1350, quoted),))
    assert crafted.misquoted(landed(CraftedStatus.ARRIVED), 1350) == ""
    assert crafted.misquoted(said, 1350) == ""
    assert crafted.misquoted(said, None) == ""
    assert "it was lost, and no Packet Too Big came back" in crafted.misquoted(whole, 1350)


def test_a_message_that_is_wrong_is_reported_with_its_sender() -> None:
    """Its type, its number, its length, and whom it quotes."""
    crafted_packet = landed(CraftedStatus.ABSENT).crafted_packet
    fine = crafted_packet.packets[0][:1232]
    other = dataclasses.replace(OPEN, address=ipaddress.ip_address("2001:db8::77"))
    translated = shapes.full_size(other, 1430, "pod").packets[0][:1232]
    moved = shapes.full_size(dataclasses.replace(OPEN, port=9), 1430, "pod").packets[0][:1232]

    def violation(seen: CapturedPacket) -> str:
        return crafted.misquoted(
            CraftedResult(crafted_packet, CraftedStatus.ABSENT, 2, (), (seen,)), 1350
        )

    assert "2001:db8::99 gave an MTU of 1280, the narrowest hop has 1350" in violation(
        icmp_error(1280, fine)
    )
    assert "has 1430 bytes, at most 1280 may be" in violation(icmp_error(1350, fine, length=1430))
    said = "2001:db8::99 sent ICMPv6 Destination Unreachable: administratively prohibited"
    assert f"{said}, wanted a Packet Too Big" in violation(icmp_error(0, fine, (1, 1)))
    assert "it quotes 2001:db8::1 -> 2001:db8::77, sent was" in violation(
        icmp_error(1350, translated)
    )
    assert "it quotes ports" in violation(icmp_error(1350, moved))
    assert "it quotes nothing" in violation(icmp_error(1350, b""))


def test_a_target_behind_a_translation_is_named_by_the_address_that_is_dialled() -> None:
    """And asks the server for the port that it serves."""
    there = CraftedTarget(
        CLIENT, SERVER, ipaddress.ip_address("2001:db8::77"), 31000, SEAL, serves=8080
    )
    assert there.name == "client -> server over IPv6 udp/31000 at 2001:db8::77"
    assert (there.own_port, OPEN.own_port) == (8080, 8080)
    crafted_packet = shapes.baseline(there, "NodePort")
    found = fire(Wire(), [crafted_packet], crafted_packet)["whole"]
    assert (found.status, len(found.came)) == (CraftedStatus.ARRIVED, 2)


def test_every_shape_is_a_cell_with_its_status() -> None:
    """A leak is one also where only a part of it came through; what was not measured is UNKNOWN."""
    plain, good, bad = some()
    found = fire(Wire(), [plain, good, bad], plain)
    cells, expected = crafted_matrix.matrix("shapes", found.values(), crafted.violation)
    assert {o.flow.question: o.outcome for o in cells.observations()} == {
        plain.shape: Outcome.ALLOWED,
        good.shape: Outcome.DROPPED,
        bad.shape: Outcome.DROPPED,
    }
    (lost,) = cells.disagreements(expected)
    assert lost.expected.because == good.because

    def complains(_: CraftedResult) -> str:
        return "one part came through\nin detail"

    cells, expected = crafted_matrix.matrix("shapes", found.values(), complains)
    by_question = {o.flow.question: o for o in cells.observations()}
    assert by_question[plain.shape].outcome is Outcome.WRONG
    assert by_question[bad.shape].outcome is Outcome.ALLOWED
    assert by_question[bad.shape].reason == "one part came through"


def test_a_packet_that_is_rightly_too_big_is_as_expected() -> None:
    """What a test passes is no wrong cell, or a green run would come to a conclusion."""
    whole = landed(CraftedStatus.ABSENT)
    quoted = whole.crafted_packet.packets[0][:1232]
    said = dataclasses.replace(whole, errors=(icmp_error(1350, quoted),))

    def cell(result: CraftedResult) -> tuple[Outcome, bool]:
        cells, expected = crafted_matrix.matrix(
            "full size", [result], lambda seen: crafted.misquoted(seen, 1350)
        )
        (seen,) = cells.observations()
        return seen.outcome, not cells.disagreements(expected)

    assert cell(said) == (Outcome.TOO_BIG, True)
    assert cell(landed(CraftedStatus.ARRIVED)) == (Outcome.ALLOWED, True)
    assert cell(whole) == (Outcome.DROPPED, False)
    lied = dataclasses.replace(whole, errors=(icmp_error(1280, quoted),))
    assert cell(lied) == (Outcome.DROPPED, False)


def test_each_address_of_a_server_is_a_destination_of_its_own() -> None:
    """A service's and a node's are not the pod's."""
    elsewhere = dataclasses.replace(OPEN, address=ipaddress.ip_address("2001:db8::77"))
    packets = [shapes.baseline(t, "pod") for t in (OPEN, elsewhere)]
    found = CraftedBatch(FakeAgents({"client": Wire().client, "server": Wire().server}), 0.01).fire(
        packets
    )
    cells, _ = crafted_matrix.matrix("ways", found, crafted.violation)
    assert cells.destinations() == ("server", "server at 2001:db8::77")
