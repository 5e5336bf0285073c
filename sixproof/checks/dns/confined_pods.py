"""Policies on backend pods of one process: the DNS alone allowed, or one family alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sixproof.model import Expectation, Flow, Matrix, Outcome, Timing
from sixproof.probes.connect.convergence import converge
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions
from sixproof.workloads.dns.services import Manifest

Confine = Callable[[Manifest], None]
Denied = Callable[[str, Sequence[Flow]], Matrix]


def nothing_but_dns(flow: Flow) -> Expectation:
    """The policy on the source allows the DNS and nothing else."""
    because = f"the policy on {flow.source.name} allows egress to the DNS pods' port 53 only"
    return Expectation(frozenset({Outcome.DROPPED}), because)


def until_denied(probe: ConnectProbe, timing: Timing, title: str, flows: Sequence[Flow]) -> Matrix:
    """Wait until every flow is DROPPED, at most for the settle time-out; then measure all in full.

    Raises:
        InfrastructureError: an agent could not be asked.
    """
    seen = converge(
        lambda timeout: probe.measure(flows, ProbeOptions(timeout)),
        lambda round_: all(o.outcome is Outcome.DROPPED for o in round_),
        began=time.monotonic(),
        deadline=timing.settle,
        patience=timing.deny,
    )
    return Matrix.of(title, seen.observations)
