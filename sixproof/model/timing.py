"""Time-outs, one value for a whole run, and how often a datagram is sent."""

from __future__ import annotations

import dataclasses

ATTEMPTS = 3
"""How often a datagram is sent within a flow's time: a lost one is not a verdict."""
QUICK_ATTEMPTS = 2
"""The same where the flow is tried again soon."""


@dataclasses.dataclass(frozen=True, slots=True)
class Timing:
    """Time-outs in seconds.

    `connect` is for a flow that must work, `deny` for the silence of one that must not, `settle`
    for a change until the matrix agrees, `ready` for pods until they are ready.
    """

    connect: float = 3.0
    deny: float = 1.2
    settle: float = 30.0
    ready: float = 120.0
