"""A few endpoints and flows for the tests of the model, the probes and the channel."""

from __future__ import annotations

import ipaddress

from sixproof.model import Endpoint, EndpointKind, Family, Flow, Observation, Outcome, Protocol


def place(name: str, number: int, node: str = "", families: str = "46") -> Endpoint:
    """A pod of one or both families."""
    texts = {"4": f"192.0.2.{number}", "6": f"2001:db8::{number:x}"}
    return Endpoint(
        name=name,
        kind=EndpointKind.POD,
        addresses=tuple(ipaddress.ip_address(texts[f]) for f in families),
        namespace="web",
        pod=name,
        node=node,
    )


CLIENT = place("client", 1, "worker")
ECHO = place("echo", 2, "worker2")


def flow(
    family: Family = Family.IPV6,
    protocol: Protocol = Protocol.TCP,
    port: int | None = 8080,
    source: Endpoint = CLIENT,
    destination: Endpoint = ECHO,
) -> Flow:
    """A flow to a destination's own address."""
    address = destination.address(family)
    assert address is not None
    return Flow(source, destination, address, protocol, port if protocol.has_ports else None)


def seen(outcome: Outcome, family: Family = Family.IPV6, port: int | None = 8080) -> Observation:
    """An observation of the usual flow."""
    return Observation(flow(family, port=port), outcome)
