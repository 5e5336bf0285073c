"""BGP: a speaker that listens, and what those who connect to it say (RFC 4271)."""

from __future__ import annotations

import dataclasses

from sixproof.agent.protocol.record import Record

BGP_SECONDS = 600.0
"""Seconds for which a speaker listens at most."""
BGP_SESSIONS = 512
"""Sessions that it keeps; the oldest that are over go first."""
BGP_ROUTES = 8192
"""Routes that it keeps of one session."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class StartBgp(Record):
    """Listen on `port` over both families, as AS `as_number` with the BGP Identifier `identifier`,
    an IPv4 address as text. It offers a hold time of `hold` seconds, 0 or at least 3 (RFC 4271
    section 4.2), announces nothing, and ends after `seconds`. One at a time."""

    port: int
    as_number: int
    identifier: str
    hold: int = 90
    seconds: float = BGP_SECONDS


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class BgpStarted(Record):
    """It listens; `problems` are the families over which it does not, and why."""

    problems: list[str]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ReadBgp(Record):
    """Hand out what has been heard so far."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class StopBgp(Record):
    """End all sessions with a Cease (RFC 4486) and listen no more; what was heard is handed out."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class BgpRoute(Record):
    """A route as it was announced: `as_path` from the nearest AS on, `communities` as ``A:B`` (RFC
    1997) and ``A:B:C`` (large ones, RFC 8092), each in their order."""

    prefix: str
    next_hop: str
    as_path: list[int]
    communities: list[str]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class BgpSession(Record):
    """A connection. `state` is OpenSent, OpenConfirm, Established, or Idle once it is over, `why`
    then says by what. `as_number`, `hold` (seconds) and `identifier` are of its OPEN message, 0 and
    "" before that. `kept` are the seconds between its KEEPALIVE messages, `complete` whether it
    said that all its routes were there (End-of-RIB, RFC 4724). `at` is seconds since the speaker
    began to listen."""

    peer: str
    at: float
    state: str
    why: str = ""
    as_number: int = 0
    hold: int = 0
    identifier: str = ""
    kept: list[float] = dataclasses.field(default_factory=list)
    complete: bool = False
    routes: list[BgpRoute] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class BgpSeen(Record):
    """Sessions in the order in which they began; `lag` is the worst delay of the loop meanwhile."""

    sessions: list[BgpSession]
    lag: float
