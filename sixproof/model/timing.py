"""Time-outs: one value for a whole run."""

from __future__ import annotations

import dataclasses


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
