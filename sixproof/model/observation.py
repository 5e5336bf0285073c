"""Observations: an outcome with its evidence."""

from __future__ import annotations

import dataclasses

from sixproof.model.family import IPAddress
from sixproof.model.flow import Flow
from sixproof.model.icmp import IcmpError
from sixproof.model.outcome import Outcome


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of one flow.

    `latency` and `waited` are seconds: the time to the answer (None without one) and the time that
    the client waited. `peer_saw` is the client's address as the server saw it, `answered_by` the
    host name of the pod that answered. `arrived` states whether the server's log holds the nonce
    (None: the server was not or could not be asked). `icmp` is the ICMP error that the client's
    kernel received. `untold` are the names of the servers, or backends, that did not report their
    side of it. `stalled` are the seconds for which an agent was too busy to answer (0.0: it was
    not): another try may succeed. `next_hop` is where the kernel of the source, asked for its
    route, sends packets of the flow. `reason` says in a few words what led to the outcome.
    """

    flow: Flow
    outcome: Outcome
    reason: str = ""
    attempts: int = 1
    waited: float = 0.0
    latency: float | None = None
    peer_saw: IPAddress | None = None
    peer_port: int | None = None
    answered_by: str = ""
    arrived: bool | None = None
    nonce: str = ""
    icmp: IcmpError | None = None
    untold: tuple[str, ...] = ()
    stalled: float = 0.0
    next_hop: IPAddress | None = None
