"""Ports that are closed on purpose: whether a refusal that did not come was dropped."""

from __future__ import annotations

import pytest

from sixproof.model import Family, Outcome, Protocol
from sixproof.probes.connect.probe import ProbeOptions
from tests.netns.laboratory import scenes
from tests.netns.laboratory.lab import Lab, flow

pytestmark = [pytest.mark.netns, pytest.mark.parametrize("ip_family", Family, ids=str)]


@pytest.mark.parametrize("scene", ["request dropped", "answer dropped"])
@pytest.mark.parametrize(
    ("protocol", "meant", "outcome"),
    [
        (Protocol.TCP, True, Outcome.DROPPED),
        (Protocol.TCP, False, Outcome.UNKNOWN),
        (Protocol.UDP, True, Outcome.UNKNOWN),
    ],
)
def test_silence_of_a_closed_port(
    lab: Lab, ip_family: Family, scene: str, protocol: Protocol, meant: bool, outcome: Outcome
) -> None:
    """TCP resets are not rate-limited, so a missing one was dropped on the way, there or back.

    A port that should be open and whose server does not listen proves nothing, nor does the
    absence of an ICMP error, of which a kernel sends few.
    """
    server = scenes.server_of(scenes.scene(scene))

    (seen,) = lab.measure(
        [flow(server, ip_family, protocol, scenes.CLOSED)], ProbeOptions(timeout=0.5, closed=meant)
    )

    assert seen.outcome is outcome, seen.reason
