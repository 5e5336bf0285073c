"""Where Felix's endpoints listen, as Go's net.Listen has it."""

from __future__ import annotations

import ipaddress

import pytest

from sixproof.calico.felix.metrics import Listening
from sixproof.model import Endpoint, EndpointKind, Family

IPV4, IPV6 = Family
NODE = Endpoint(
    "host@worker",
    EndpointKind.HOST,
    (ipaddress.ip_address("192.0.2.1"), ipaddress.ip_address("2001:db8::1")),
    node="worker",
)


@pytest.mark.parametrize(
    ("text", "over_ipv4", "over_ipv6"),
    [
        (":9091", "192.0.2.1", "2001:db8::1"),
        ("[::]:9091", "192.0.2.1", "2001:db8::1"),
        ("0.0.0.0:9091", "192.0.2.1", "2001:db8::1"),
        ("localhost:9099", "127.0.0.1", None),
        ("127.0.0.1:9099", "127.0.0.1", None),
        ("[::1]:9099", None, "::1"),
        ("[2001:db8::1]:9099", None, "2001:db8::1"),
        ("node.example:9099", None, None),
    ],
)
def test_addresses_at_which_it_is_asked(
    text: str, over_ipv4: str | None, over_ipv6: str | None
) -> None:
    listening = Listening.of(text)
    assert listening
    found = [listening.address(family, NODE) for family in Family]
    assert [str(a) if a else None for a in found] == [over_ipv4, over_ipv6]


@pytest.mark.parametrize("text", ["", "localhost:", "localhost:0", "localhost:70000", "::x"])
def test_what_is_off_or_has_no_port_listens_nowhere(text: str) -> None:
    assert Listening.of(text) is None


def test_a_node_of_one_family_is_asked_over_that() -> None:
    listening = Listening.of(":9091")
    assert listening
    assert listening.address(IPV6, Endpoint("h", EndpointKind.HOST, NODE.addresses[:1])) is None
    assert (str(listening), str(Listening("localhost", 9099))) == (
        "every address, port 9091",
        "localhost, port 9099",
    )
