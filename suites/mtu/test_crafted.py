"""The raw tier: fragments and extension headers that plain sockets cannot send, and quoted packets.

Pods with NET_RAW send whole packets and capture what passes their interface (--six-raw). Arrival is
read from the server's log; a packet counts as lost only if the same datagram, unfragmented, arrived
beside it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sixproof.checks.crafted import crafted_results as results
from sixproof.checks.crafted import path_learning
from sixproof.checks.crafted.crafted_results import CraftedResults
from sixproof.checks.pmtu.path_results import slugs
from sixproof.checks.recorder import Recorder
from sixproof.model import Family
from sixproof.probes.crafted import probe as crafted
from sixproof.probes.crafted import shapes
from sixproof.probes.crafted.handshakes import Handshake
from sixproof.probes.crafted.probe import CraftedResult
from sixproof.probes.crafted.spoofed_ptb import SpoofedPtb

pytestmark = [pytest.mark.feature("Path MTU"), pytest.mark.story("crafted packets")]

ways = pytest.mark.parametrize("way", results.WAYS, ids=slugs(results.WAYS))


@ways
@pytest.mark.covers("F2/M11")
def test_fragments_are_put_together(
    crafted_results: CraftedResults, ip_family: Family, way: str
) -> None:
    """A fragmented datagram arrives, with fragments in order, reversed, duplicated, of 8 bytes or
    atomic; datagrams with overlapping fragments do not.

    Why: RFC 8200 section 4.5, RFC 5722; a node that translates or filters reassembles a datagram
    first and must fragment it again.
    """
    title = f"fragments {way}"
    crafted_results.must(title, way, ip_family, only=["whole", *shapes.FRAGMENTS])


@ways
@pytest.mark.covers("F2/M11")
@pytest.mark.parametrize("ip_family", [Family.IPV6], ids=str, indirect=True)
def test_extension_headers_are_no_obstacle(
    crafted_results: CraftedResults, ip_family: Family, way: str
) -> None:
    """Packets with hop-by-hop or destination options that contain only padding arrive; a first
    fragment without the UDP header is dropped.

    Why: RFC 9673, RFC 7045 section 2.1; RFC 7112 section 5.
    """
    title = f"extension headers {way}"
    crafted_results.must(title, way, ip_family, only=shapes.HEADERS)


@pytest.mark.covers("F2/M11")
@pytest.mark.parametrize("ip_family", [Family.IPV6], ids=str, indirect=True)
def test_a_source_route_leads_nowhere(crafted_results: CraftedResults, ip_family: Family) -> None:
    """A pod that receives a type 0 routing header does not forward the packet to the pod that the
    header names.

    Why: RFC 5095; it would carry packets past policies that check the source.
    """
    crafted_results.must("source routes", results.ROUTE, ip_family)


@pytest.mark.covers("F2/M11", "N1")
def test_no_shape_of_packet_reaches_a_denied_port(
    crafted_results: CraftedResults, ip_family: Family
) -> None:
    """No packet of a datagram to a port that a policy denies reaches the pod, however it is
    fragmented and whatever extension headers it has.

    Why: only the first fragment has a port; a filter must wait for the whole datagram.
    """
    crafted_results.must("shapes to a shut port", results.DENIED, ip_family)


@ways
@pytest.mark.covers("F2/M5", "F2/M12")
def test_packet_too_big_quotes_the_packet_that_was_sent(
    crafted_results: CraftedResults,
    narrowest: Callable[[CraftedResult], int | None],
    ip_family: Family,
    way: str,
) -> None:
    """A packet of its link's size arrives, or a Packet Too Big comes back with the MTU of the
    narrowest hop, and quotes the packet with the addresses and ports that its sender used.

    Why: RFC 4443 section 3.2; a node that translates addresses must translate the quoted packet
    back, or no socket accepts the message as its own.
    """
    crafted_results.must(
        f"full-size packets {way}",
        results.FULL + way,
        ip_family,
        wrong=lambda crafted_result: crafted.misquoted(crafted_result, narrowest(crafted_result)),
    )


@pytest.mark.covers("F2/M8")
def test_a_handshake_announces_what_its_link_leaves(
    syns: tuple[Handshake, ...], recorder: Recorder, ip_family: Family
) -> None:
    """The SYN of a connection announces its link's MTU less 60 bytes (IPv4: 40) as MSS, and arrives
    with the same value.

    Why: a device that lowers it on the way treats the path as narrower than it is, and hides that
    other protocols do not learn this.
    """
    path_learning.must_announce_its_link(syns, ip_family, recorder)


@pytest.mark.covers("F2/M14")
def test_a_spoofed_packet_too_big_is_ignored(
    spoofed_ptbs: tuple[SpoofedPtb, ...], recorder: Recorder
) -> None:
    """A pod ignores a Packet Too Big with an MTU below 1280 or about a connection that does not
    exist, and accepts one with 1280 about a packet that it really sent.

    Why: RFC 8201 section 4; an attacker who can shrink other hosts' packets at will can slow them
    down.
    """
    path_learning.must_ignore_spoofed_ptbs(spoofed_ptbs, recorder)
