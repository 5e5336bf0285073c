"""Shapes: a probe datagram as fragments, with extension headers, and as no node may accept it."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence

from sixproof.agent.wire import payload
from sixproof.model import Endpoint, Family
from sixproof.probes.connect.payload import largest_udp_payload, new_nonce
from sixproof.probes.crafted import capture
from sixproof.probes.crafted.capture import Cut, Ends
from sixproof.probes.crafted.probe import CraftedPacket, CraftedTarget

PIECE, UPLOAD, SMALL_PIECE = 256, 1000, 8
TIMES = 2
"""How often each crafted packet is fired: one lost packet is no verdict."""
V6, BOTH = (Family.IPV6,), tuple(Family)

Pieces = Callable[[int], Sequence[Cut]]
"""From the length of a body to the fragments that carry it, in the order in which they leave."""


def in_order(length: int) -> Sequence[Cut]:
    """As a sender makes them."""
    return capture.cuts(length, PIECE)


def reversed_(length: int) -> Sequence[Cut]:
    """The last first."""
    return in_order(length)[::-1]


def duplicated(length: int) -> Sequence[Cut]:
    """Each twice."""
    return [cut for cut in in_order(length) for _ in range(2)]


def tiny(length: int) -> Sequence[Cut]:
    """8 bytes each: the first holds the UDP header and nothing else."""
    return capture.cuts(length, SMALL_PIECE)


def overlapping(length: int) -> Sequence[Cut]:
    """The second covers the end of the first and the start of the third, with the same bytes."""
    head, *rest = in_order(length)
    return [head, Cut(PIECE // 2, PIECE, True), *rest]


def overlapping_late(length: int) -> Sequence[Cut]:
    """All but the last come, then one that covers the end of these and the start of the last."""
    *most, last = in_order(length)
    return [*most, Cut(last.offset - PIECE // 2, PIECE // 2 + 8, True), last]


def atomic(length: int) -> Sequence[Cut]:
    """One fragment that is the whole datagram."""
    return [Cut(0, length, False)]


def without_the_first(length: int) -> Sequence[Cut]:
    """Only what has no port number in it."""
    return in_order(length)[1:]


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """How a datagram is fragmented, whether it must arrive, and which source says so."""

    pieces: Pieces
    arrives: bool
    because: str
    families: tuple[Family, ...] = BOTH
    upload: int = UPLOAD


REASSEMBLY = "RFC 8200 section 4.5 and RFC 791 section 3.2: a destination puts fragments together"
FRAGMENTS: Mapping[str, Shape] = {
    "in order": Shape(in_order, True, REASSEMBLY),
    "reversed": Shape(reversed_, True, f"{REASSEMBLY}, in whatever order they come"),
    "duplicated": Shape(
        duplicated,
        True,
        "RFC 8200 section 4.5: exact duplicates may be dropped, Linux keeps the rest",
    ),
    "tiny": Shape(tiny, True, f"{REASSEMBLY}; no size is too small", upload=0),
    "atomic": Shape(
        atomic, True, "RFC 6946 section 4, RFC 8200 section 4.5: a fragment that is whole", V6
    ),
    "overlapping": Shape(
        overlapping, False, "RFC 5722 section 4, RFC 8200 section 4.5: all of it is discarded", V6
    ),
    "overlapping late": Shape(
        overlapping_late, False, "RFC 5722 section 4: also those that came before", V6
    ),
}
HOP_BY_HOP, OPTIONS = "hop-by-hop options", "destination options"
SPLIT = "headers split over fragments"
HEADERS = (HOP_BY_HOP, OPTIONS, SPLIT)
ROUTED = ("routing header of type 0, carried out", "routing header of type 0")
WHOLE = "whole"
"""The shape of a baseline."""
NO_RIGHT = "the policy allows udp/8080 alone: what belongs to another port may not pass it"


def baseline(target: CraftedTarget, story: str) -> CraftedPacket:
    """The plain datagram that shows that the way is open."""
    return _shot(
        WHOLE, story, target, lambda ends, body, _: [capture.packet(ends, body)], True, "",
        is_baseline=True,
    )  # fmt: skip


def full_size(target: CraftedTarget, size: int, story: str) -> CraftedPacket:
    """A plain datagram that makes a packet of `size` bytes, which no router may cut."""
    return _shot(
        f"{size} bytes", story, target,
        lambda ends, body, _: [capture.unfragmentable(ends, body)], True,
        "its size is that of its source's link",
        upload=largest_udp_payload(size, target.family),
    )  # fmt: skip


def fragmented(target: CraftedTarget, story: str) -> Iterator[CraftedPacket]:
    """Every shape of fragments that the target's family knows."""
    for name, shape in FRAGMENTS.items():
        if target.family in shape.families:
            make = _fragments(shape.pieces)
            yield _shot(
                name, story, target, make, shape.arrives, shape.because, upload=shape.upload
            )


def behind_headers(target: CraftedTarget, story: str) -> Iterator[CraftedPacket]:
    """Hop-by-hop and destination options that say nothing; IPv6 alone has them."""
    if target.family is Family.IPV6:
        for name, make, because in (
            (HOP_BY_HOP, capture.with_hop_by_hop,
             "RFC 9673 section 5.2: no node drops a packet for having them"),
            (OPTIONS, capture.with_destination_options,
             "RFC 8200 section 4: nodes on the way do not look at them (RFC 7045 section 2.1)"),
        ):  # fmt: skip
            yield _shot(name, story, target, lambda e, b, _, m=make: [m(e, b)], True, because)  # type: ignore[misc]
        yield _shot(
            SPLIT, story, target, _split_headers, False,
            "RFC 8200 section 4.5, RFC 7112: a first fragment without the UDP header is discarded",
        )  # fmt: skip


def source_routed(target: CraftedTarget, other: Endpoint, story: str) -> Iterator[CraftedPacket]:
    """Type 0 routing headers: one that has been carried out, one that would go on to `other`."""
    beyond = other.address(target.family)
    if target.family is not Family.IPV6 or beyond is None:
        return
    yield _shot(
        ROUTED[0], story, target,
        lambda ends, body, _: [capture.source_routed(ends, beyond, 0, body)], True,
        "RFC 5095 section 3: with no segment left the header is ignored",
    )  # fmt: skip
    final = dataclasses.replace(target, server=other)
    against = dataclasses.replace(final, address=beyond)

    def routed(ends: Ends, body: bytes, _: int) -> list[bytes]:
        return [capture.source_routed(ends, beyond, 1, body)]

    yield _shot(
        ROUTED[1], story, final, routed, False,
        "RFC 5095 section 3: a routing header of type 0 is not followed", against=against,
        unseen=True, final=beyond,
    )  # fmt: skip


def forbidden(target: CraftedTarget, allowed: CraftedTarget, story: str) -> Iterator[CraftedPacket]:
    """Every shape towards a port that a policy shuts; not one packet may reach the server."""
    ways = {
        name: _fragments(s.pieces) for name, s in FRAGMENTS.items() if target.family in s.families
    }
    ways |= {WHOLE: lambda ends, body, _: [capture.packet(ends, body)]}
    ways |= {"later fragments alone": _fragments(without_the_first)}
    if target.family is Family.IPV6:
        ways |= {
            HOP_BY_HOP: lambda e, b, _: [capture.with_hop_by_hop(e, b)],
            OPTIONS: lambda e, b, _: [capture.with_destination_options(e, b)],
            SPLIT: _split_headers,
        }
    for name, make in ways.items():
        upload = 0 if name == "tiny" else UPLOAD
        yield _shot(
            name, story, target, make, False, NO_RIGHT, against=allowed, unseen=True, upload=upload
        )


Make = Callable[[Ends, bytes, int], list[bytes]]
"""From the ends, a UDP segment and an identification to the packets that carry it."""


def _fragments(pieces: Pieces) -> Make:
    def make(ends: Ends, body: bytes, number: int) -> list[bytes]:
        return [capture.fragment(ends, body, cut, number) for cut in pieces(len(body))]

    return make


def _split_headers(ends: Ends, body: bytes, number: int) -> list[bytes]:
    """Destination options fill the first fragment, so that the UDP header is in the second."""
    long = capture.destination_options(body, padding=60)
    kind = capture.DESTINATION_OPTIONS
    cuts = [Cut(0, 64, True), Cut(64, len(long) - 64, False)]
    return [capture.fragment(ends, long, cut, number, kind) for cut in cuts]


def _shot(
    shape: str,
    story: str,
    target: CraftedTarget,
    make: Make,
    arrives: bool,
    because: str,
    *,
    against: CraftedTarget | None = None,
    unseen: bool = False,
    is_baseline: bool = False,
    upload: int = UPLOAD,
    final: object = None,
) -> CraftedPacket:
    nonce = new_nonce()
    source_port = 20000 + secrets.randbelow(10000)
    source = target.source.address(target.family)
    if source is None:
        raise ValueError(f"{target.name}: the source has no address of this family")
    ends = Ends(source, target.address)
    summed = Ends(source, final or target.address)  # type: ignore[arg-type]
    data = target.seal.line(nonce, upload, 0) + payload(nonce, "up", upload)
    body = capture.segment(summed, source_port, target.port, data)
    return CraftedPacket(
        shape=shape,
        story=story,
        target=target,
        nonce=nonce,
        source_port=source_port,
        packets=tuple(p for _ in range(TIMES) for p in make(ends, body, _identification())),
        arrives=arrives,
        because=because,
        against=against or target,
        unseen=unseen,
        baseline=is_baseline,
    )


def _identification() -> int:
    """One that no other crafted packet has; IPv4 keeps 16 bits of it, 0 being the kernel's to
    choose."""
    return (secrets.randbits(16) << 16) | (1 + secrets.randbelow(0xFFFE))
