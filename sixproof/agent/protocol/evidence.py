"""Evidence: what the server's side of a flow saw."""

from __future__ import annotations

import dataclasses

from sixproof.agent.protocol.flows import Event
from sixproof.agent.protocol.record import Record


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Arrival(Record):
    """A nonce that reached this server: from where, at which local address, when by its clock."""

    nonce: str
    protocol: str
    peer: str
    peer_port: int
    local: str
    local_port: int
    at: float


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class HalfOpen(Record):
    """A TCP connection whose SYN arrived and whose handshake did not complete (state SYN_RECV)."""

    peer: str
    peer_port: int
    local: str
    local_port: int


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Control(Record):
    """A positive control: the server asks itself at its own address, in its own network stack."""

    protocol: str
    address: str
    port: int


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ControlResult(Record):
    """The result of the server's own control, as an event of a flow."""

    protocol: str
    address: str
    port: int
    event: str
    error: str = ""

    @property
    def answered(self) -> bool:
        """Whether the server answered itself."""
        return self.event == Event.ECHOED

    @property
    def failure(self) -> str:
        """How it did not: ``reset ECONNREFUSED``; empty where it did."""
        return "" if self.answered else f"{self.event} {self.error}".strip()


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Evidence(Record):
    """Which of these nonces arrived, which handshakes hang, does the server answer itself?

    `window` is how many seconds ago the oldest of the flows began. Without `handshakes` those that
    hang are not looked for, which takes some 20 ms of processor time on a busy node.
    """

    nonces: list[str]
    controls: list[Control]
    window: float = 0.0
    handshakes: bool = True


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EvidenceFound(Record):
    """The server's side of the story.

    `lag` is the worst delay of the event loop within the window. An agent whose `uptime` is shorter
    than the flows are old was not there for all of them: its log may miss what came before.
    """

    arrivals: list[Arrival]
    half_open: list[HalfOpen]
    controls: list[ControlResult]
    lag: float
    uptime: float
