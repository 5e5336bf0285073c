"""Policies on backend pods of one process: the DNS alone allowed, or one family alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sixproof.model import Expectation, Flow, Matrix, Outcome
from sixproof.workloads.dns.services import Manifest

Confine = Callable[[Manifest], None]
Denied = Callable[[str, Sequence[Flow]], Matrix]


def nothing_but_dns(flow: Flow) -> Expectation:
    """The policy on the source allows the DNS and nothing else."""
    because = f"the policy on {flow.source.name} allows egress to the DNS pods' port 53 only"
    return Expectation(frozenset({Outcome.DROPPED}), because)
