"""ICMP errors are reported in the words of their RFCs, with who sent them."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.model import Family, IcmpError

V4, V6 = Family.IPV4, Family.IPV6


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (IcmpError(V6, 1, 0), "ICMPv6 Destination Unreachable: no route to destination"),
        (IcmpError(V6, 1, 1), "ICMPv6 Destination Unreachable: administratively prohibited"),
        (IcmpError(V6, 1, 3), "ICMPv6 Destination Unreachable: address unreachable"),
        (IcmpError(V6, 1, 4), "ICMPv6 Destination Unreachable: port unreachable"),
        (IcmpError(V6, 1, 6), "ICMPv6 Destination Unreachable: reject route to destination"),
        (IcmpError(V6, 1, 99), "ICMPv6 Destination Unreachable: code 99"),
        (IcmpError(V6, 2, 0), "ICMPv6 Packet Too Big"),
        (IcmpError(V6, 3, 0), "ICMPv6 Time Exceeded: hop limit exceeded in transit"),
        (IcmpError(V6, 3, 1), "ICMPv6 Time Exceeded: fragment reassembly time exceeded"),
        (IcmpError(V6, 4, 1), "ICMPv6 Parameter Problem: unrecognized Next Header"),
        (IcmpError(V6, 100, 2), "ICMPv6 type 100 code 2"),
        (IcmpError(V4, 3, 1), "ICMP Destination Unreachable: host unreachable"),
        (IcmpError(V4, 3, 3), "ICMP Destination Unreachable: port unreachable"),
        (IcmpError(V4, 3, 13), "ICMP Destination Unreachable: administratively prohibited"),
        (IcmpError(V4, 11, 0), "ICMP Time Exceeded: time to live exceeded in transit"),
        (IcmpError(V4, 12, 0), "ICMP Parameter Problem: erroneous header field"),
    ],
)
def test_type_and_code_become_the_words_of_the_rfc(error: IcmpError, words: str) -> None:
    """RFC 4443 section 3 and RFC 792; what they do not name stays in numbers."""
    with_sender = dataclasses.replace(error, sender="2001:db8::1")
    assert (error.name, str(with_sender)) == (words, f"{words}, from 2001:db8::1")


def test_a_packet_too_big_says_its_mtu_and_who_sent_it() -> None:
    """The MTU stands beside the name."""
    assert str(IcmpError(V6, 2, 0, "fe80::1", 1350)) == (
        "ICMPv6 Packet Too Big, MTU 1350, from fe80::1"
    )
    assert str(IcmpError(V4, 3, 4, "192.0.2.9", 1400)) == (
        "ICMP Destination Unreachable: fragmentation needed and DF set, MTU 1400, from 192.0.2.9"
    )


def test_a_sender_that_the_kernel_does_not_report_is_unknown() -> None:
    """Old kernels keep no sender for TCP."""
    assert str(IcmpError(V6, 1, 4)).endswith("port unreachable, from an unknown sender")


@pytest.mark.parametrize("code", range(16))
@pytest.mark.parametrize("family", list(Family), ids=str)
def test_what_filters_send_is_distinguished_from_what_routers_send(
    family: Family, code: int
) -> None:
    """RFC 4443 section 3.1 (codes 1, 5, 6), RFC 1812 section 5.2.7.1 (codes 9, 10, 13)."""
    kind, codes = (1, {1, 5, 6}) if family is V6 else (3, {9, 10, 13})
    assert IcmpError(family, kind, code).prohibited is (code in codes)


@pytest.mark.parametrize(
    ("error", "too_big"),
    [
        (IcmpError(V6, 2, 0), True),
        (IcmpError(V4, 3, 4), True),
        (IcmpError(V4, 3, 3), False),
        (IcmpError(V6, 3, 4), False),
    ],
)
def test_a_packet_too_big_is_known(error: IcmpError, too_big: bool) -> None:
    """Over IPv4 it is "fragmentation needed"."""
    assert error.too_big is too_big
