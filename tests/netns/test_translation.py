"""Addresses translated on the way: seen as such, and never mistaken for the right server."""

from __future__ import annotations

import ipaddress

import pytest

from sixproof.model import Endpoint, EndpointKind, Family, Flow, Observation, Outcome, Protocol
from sixproof.probes.connect.probe import ProbeOptions
from tests.netns.laboratory import rules, scenes
from tests.netns.laboratory.lab import BYSTANDER, CLIENT, SERVER, Lab, Panorama
from tests.netns.laboratory.links import FAR
from tests.netns.laboratory.scenes import MAIN

pytestmark = [
    pytest.mark.netns,
    pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.UDP], ids=str),
    pytest.mark.parametrize("ip_family", Family, ids=str),
]


def service(addresses: dict[Family, str]) -> Endpoint:
    """A service under translated addresses."""
    parsed = tuple(ipaddress.ip_address(a) for a in addresses.values())
    return Endpoint("service", EndpointKind.SERVICE, parsed, namespace="lab")


def dialled(
    lab: Lab,
    addresses: dict[Family, str],
    ip_family: Family,
    protocol: Protocol,
    port: int = scenes.OPEN,
) -> Observation:
    """One flow to a translated address behind which the server should be."""
    target = service(addresses)
    wanted = Flow(CLIENT, target, ipaddress.ip_address(addresses[ip_family]), protocol, port)
    return lab.measure([wanted], ProbeOptions(timeout=3.0), {target.name: (SERVER,)})[0]


def test_translated_destination_reaches_its_server(
    lab: Lab, ip_family: Family, protocol: Protocol
) -> None:
    """Behind a translated destination the server answers and still sees the client's address."""
    seen = dialled(lab, rules.SERVED, ip_family, protocol)

    assert (seen.outcome, seen.answered_by, seen.peer_saw) == (
        Outcome.ALLOWED,
        "server",
        CLIENT.address(ip_family),
    )


def test_another_server_behind_the_address_is_misrouted(
    lab: Lab, ip_family: Family, protocol: Protocol
) -> None:
    """A perfect answer of the wrong server is no success, and names who gave it."""
    seen = dialled(lab, rules.ASTRAY, ip_family, protocol)

    assert (seen.outcome, seen.answered_by) == (Outcome.MISROUTED, BYSTANDER.pod)


def test_closed_port_behind_a_translated_address_is_refused(
    lab: Lab, ip_family: Family, protocol: Protocol
) -> None:
    """The server's refusal comes back through the translation."""
    seen = dialled(lab, rules.SERVED, ip_family, protocol, scenes.CLOSED)

    assert seen.outcome is Outcome.REFUSED, seen.reason


def test_masked_client_shows_the_router_s_address(
    panorama: Panorama, ip_family: Family, protocol: Protocol
) -> None:
    """Where the source is translated, the server sees the router and the observation says so."""
    seen = panorama["client masked by the router", ip_family, protocol]

    assert str(seen.peer_saw) == FAR[MAIN].address(ip_family, 1)
