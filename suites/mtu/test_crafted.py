"""The raw tier: fragments and extension headers that no plain socket sends, and quoted packets.

Pods with NET_RAW fire whole packets and capture what passes their interface (--six-raw). What
arrives is known by the server's log; what does not counts only where the same datagram in one piece
arrived beside it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fixtures import mtu_raw
from fixtures.mtu import NoneWrong, slugs
from fixtures.mtu_raw import Volley
from sixproof.model import Family
from sixproof.probes.crafted import handshakes, shapes, spoofed_ptb
from sixproof.probes.crafted import probe as crafted
from sixproof.probes.crafted.handshakes import Handshake
from sixproof.probes.crafted.probe import Landing
from sixproof.probes.crafted.spoofed_ptb import Forgery

pytestmark = [pytest.mark.feature("Path MTU"), pytest.mark.story("crafted packets")]

ways = pytest.mark.parametrize("way", mtu_raw.WAYS, ids=slugs(mtu_raw.WAYS))


@ways
@pytest.mark.covers("F2/M11")
def test_fragments_are_put_together(volley: Volley, ip_family: Family, way: str) -> None:
    """In order, reversed, twice, of 8 bytes, or one that is whole: a datagram in fragments arrives.
    Fragments that overlap do not, nor does anything that belongs to them.

    Why: RFC 8200 section 4.5, RFC 5722; a node that translates or filters puts them together first
    and must cut them again.
    """
    title = f"fragments {way}"
    volley.must(title, way, ip_family, only=["whole", *shapes.FRAGMENTS])


@ways
@pytest.mark.covers("F2/M11")
@pytest.mark.parametrize("ip_family", [Family.IPV6], ids=str, indirect=True)
def test_extension_headers_are_no_obstacle(volley: Volley, ip_family: Family, way: str) -> None:
    """Hop-by-hop and destination options that say nothing change nothing; a first fragment that
    does not reach the UDP header is dropped.

    Why: RFC 9673, RFC 7045 section 2.1; RFC 7112 section 5.
    """
    title = f"extension headers {way}"
    volley.must(title, way, ip_family, only=shapes.HEADERS)


@pytest.mark.covers("F2/M11")
@pytest.mark.parametrize("ip_family", [Family.IPV6], ids=str, indirect=True)
def test_a_source_route_leads_nowhere(volley: Volley, ip_family: Family) -> None:
    """A pod that gets a routing header of type 0 does not send on to the pod that it names.

    Why: RFC 5095; it would carry packets past policies that ask who sent them.
    """
    volley.must("source routes", mtu_raw.ROUTE, ip_family)


@pytest.mark.covers("F2/M11", "N1")
def test_no_shape_opens_a_shut_port(volley: Volley, ip_family: Family) -> None:
    """Of a datagram to a port that a policy shuts, in whatever fragments or behind whatever
    headers, not one packet reaches the pod.

    Why: all fragments but the first have no port; a filter must wait for the whole datagram.
    """
    volley.must("shapes to a shut port", mtu_raw.DENIED, ip_family)


@ways
@pytest.mark.covers("F2/M5", "F2/M12")
def test_who_says_too_big_quotes_what_was_sent(
    volley: Volley,
    narrowest: Callable[[Landing], int | None],
    ip_family: Family,
    way: str,
) -> None:
    """A packet of its link's size arrives, or a Packet Too Big comes back that tells the MTU of the
    narrowest hop and quotes the packet with the addresses and ports that its sender used.

    Why: RFC 4443 section 3.2; who translates addresses must translate the quoted packet back, or no
    socket takes the message for its own.
    """
    volley.must(
        f"full-size packets {way}",
        mtu_raw.FULL + way,
        ip_family,
        wrong=lambda landing: crafted.misquoted(landing, narrowest(landing)),
    )


@pytest.mark.covers("F2/M8")
def test_a_handshake_announces_what_its_link_leaves(
    syns: tuple[Handshake, ...], none_wrong: NoneWrong, ip_family: Family
) -> None:
    """The SYN of a connection names its link's MTU less 60 bytes (IPv4: 40) as segment size, and
    comes in with the same.

    Why: whoever lowers it on the way believes the path narrower than it is, and hides that others
    are not told.
    """
    mine = [shake for shake in syns if shake.flow.family is ip_family]
    mtu_raw.measured(map(handshakes.doubt, mine))
    none_wrong("RFC 9293 section 3.7.1", list(filter(None, map(handshakes.complaint, mine))))


@pytest.mark.covers("F2/M14")
def test_a_lie_about_the_path_is_not_believed(
    forgeries: tuple[Forgery, ...], none_wrong: NoneWrong
) -> None:
    """A Packet Too Big with an MTU below 1280, or about a connection that does not exist, teaches a
    pod nothing, while one with 1280 about what it really sent does.

    Why: RFC 8201 section 4; whoever can shrink others' packets at will can slow them down.
    """
    none_wrong("RFC 8201 section 4", list(filter(None, map(spoofed_ptb.complaint, forgeries))))
