"""Settling: flows are tried until each is as it must be, before anything is judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sixproof.kube.api import wait
from sixproof.model import Flow, Observation, Timing
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions

QUICK = ProbeOptions(timeout=1.0, attempts=2)
"""How a flow is tried meanwhile: its small packets leave the path MTU as it is."""


def settle(
    probe: ConnectProbe,
    flows: Sequence[Flow],
    as_wanted: Callable[[Observation], bool],
    timing: Timing,
) -> None:
    """Return once every flow is as wanted, and at the latest after the settle time-out."""
    wait.until(
        lambda: probe.measure(flows, QUICK),
        lambda seen: all(map(as_wanted, seen)),
        timeout=timing.settle,
    )
