"""A port on which nobody is meant to listen: silence is judged by what its own stack says."""

from __future__ import annotations

import ipaddress

import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.model import Endpoint, EndpointKind, Flow, Outcome, Protocol
from sixproof.probes.connect import verdict

SERVER = ipaddress.ip_address("2001:db8::2")
CLIENT = Endpoint("client", EndpointKind.POD, (ipaddress.ip_address("2001:db8::1"),))
ECHO = Endpoint("echo", EndpointKind.POD, (SERVER,))


@pytest.mark.parametrize(
    ("carrier", "closed", "control", "wanted"),
    [
        (Protocol.TCP, True, Event.RESET, Outcome.DROPPED),
        (Protocol.TCP, True, Event.SILENT, Outcome.UNKNOWN),
        (Protocol.TCP, False, Event.RESET, Outcome.UNKNOWN),
        (Protocol.UDP, True, Event.RESET, Outcome.UNKNOWN),
    ],
)
def test_silence_on_a_closed_port(
    carrier: Protocol, closed: bool, control: str, wanted: Outcome
) -> None:
    """Only a TCP port that is closed on purpose, and refuses by itself, proves the drop."""
    flow = Flow(CLIENT, ECHO, SERVER, carrier, 8099)
    spec = protocol.FlowSpec(carrier.value.lower(), str(SERVER), 8099, "n" * 16, 3.0)
    silence = protocol.FlowResult("n" * 16, Event.SILENT, stage="connect", sent=1)
    evidence = verdict.ServerEvidence(
        arrived=False, control=False, control_refused=control == Event.RESET, closed=closed
    )
    assert verdict.rule(flow, spec, silence, evidence, lag=0.0).outcome is wanted
