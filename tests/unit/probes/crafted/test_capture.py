"""Packets as bytes: what is made is read back as it was meant."""

from __future__ import annotations

import ipaddress
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixproof.model import Family
from sixproof.probes.crafted import capture, shapes
from sixproof.probes.crafted.capture import CapturedPacket, Cut, Ends

ENDS = {
    Family.IPV4: Ends(ipaddress.ip_address("192.0.2.1"), ipaddress.ip_address("192.0.2.2")),
    Family.IPV6: Ends(ipaddress.ip_address("2001:db8::1"), ipaddress.ip_address("2001:db8::2")),
}
V6 = ENDS[Family.IPV6]
families = pytest.mark.parametrize("ip_family", Family, ids=str)


def seen(raw: bytes) -> CapturedPacket:
    """What a packet is read as."""
    found = capture.dissect(raw)
    assert found is not None
    return found


@families
def test_a_datagram_is_read_back(ip_family: Family) -> None:
    """Ends, ports and data, in either family."""
    ends = ENDS[ip_family]
    found = seen(capture.packet(ends, capture.segment(ends, 20001, 8080, b"hello")))
    assert (found.source, found.destination) == (ends.source, ends.destination)
    assert (found.ports, found.data, found.protocol) == ((20001, 8080), b"hello", 17)
    assert (found.fragment, found.extensions, found.error) == (None, (), None)


@families
def test_only_the_first_fragment_has_ports(ip_family: Family) -> None:
    """Identification, place and whether more follow are in each."""
    ends = ENDS[ip_family]
    body = capture.segment(ends, 20001, 8080, bytes(600))
    found = [seen(capture.fragment(ends, body, c, 77)) for c in capture.cuts(len(body), 256)]
    assert [f.fragment for f in found] == [(77, 0, True), (77, 256, True), (77, 512, False)]
    assert [f.ports for f in found] == [(20001, 8080), None, None]


@pytest.mark.parametrize(
    ("raw", "extensions"),
    [
        (capture.with_hop_by_hop(V6, capture.segment(V6, 1, 2, b"x")), ("hop-by-hop options",)),
        (
            capture.with_destination_options(V6, capture.segment(V6, 1, 2, b"x")),
            ("destination options",),
        ),
        (
            capture.source_routed(V6, V6.source, 1, capture.segment(V6, 1, 2, b"x")),
            ("routing",),
        ),
    ],
    ids=["hop-by-hop", "destination", "routing"],
)
def test_ports_are_found_behind_extension_headers(raw: bytes, extensions: tuple[str, ...]) -> None:
    """Each header is named, and what it hides is read."""
    assert (seen(raw).extensions, seen(raw).ports) == (extensions, (1, 2))


def test_packet_too_big_quotes_what_fits() -> None:
    """1280 bytes in all (RFC 4443 section 3.2)."""
    quoted = capture.echo_request(V6, 7, bytes(1400))
    found = seen(capture.packet_too_big(V6, 1300, quoted))
    assert (found.error, found.mtu, found.length) == ((2, 0), 1300, 1280)
    assert found.quoted == quoted[:1232]


def test_an_echo_is_no_error_and_tcp_has_flags() -> None:
    """Only types below 128 are errors (RFC 4443 section 2.1)."""
    assert seen(capture.echo_request(V6, 7, b"x")).error is None
    found = seen(capture.tcp_segment(V6, 5, 6, b""))
    assert (found.ports, found.flags, found.mss) == ((5, 6), "A", 0)


@given(st.binary(max_size=120))
def test_no_bytes_crash_the_reader(raw: bytes) -> None:
    """Whatever a pod captures."""
    capture.dissect(raw)
    capture.dissect(b"\x60" + raw)
    capture.dissect(b"\x45" + raw)


@pytest.mark.parametrize("size", [0, 7, -8])
def test_fragments_have_sizes_that_can_be(size: int) -> None:
    """All but the last are a multiple of 8."""
    with pytest.raises(ValueError, match="multiple of 8"):
        capture.cuts(100, size)


def holes(cuts: list[Cut], length: int) -> list[int]:
    """The bytes that no fragment carries."""
    covered = {at for c in cuts for at in range(c.offset, min(c.offset + c.size, length))}
    return sorted(set(range(length)) - covered)


@pytest.mark.parametrize("name", shapes.FRAGMENTS)
def test_every_shape_carries_the_whole_datagram(name: str) -> None:
    """Also the one that overlaps: only the overlap may keep it from arriving."""
    cuts = list(shapes.FRAGMENTS[name].pieces(1035))
    assert holes(cuts, 1035) == []
    assert all(c.offset % 8 == 0 for c in cuts)
    assert all((min(c.offset + c.size, 1035) - c.offset) % 8 == 0 for c in cuts if c.more)
    assert sum(not c.more for c in cuts) == (2 if name == "duplicated" else 1)


@pytest.mark.parametrize("name", shapes.FRAGMENTS)
def test_only_what_must_vanish_overlaps(name: str) -> None:
    """Exact duplicates aside (RFC 8200 section 4.5)."""
    cuts = sorted(set(shapes.FRAGMENTS[name].pieces(1035)), key=lambda c: c.offset)
    pairs = itertools.pairwise(cuts)
    overlaps = any(a.offset + a.size > b.offset for a, b in pairs)
    assert overlaps is not shapes.FRAGMENTS[name].arrives
