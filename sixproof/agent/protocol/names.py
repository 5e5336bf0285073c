"""Names: what the pod's own resolver is asked, and what it said."""

from __future__ import annotations

import dataclasses

from sixproof.agent.protocol.record import Record


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Lookup(Record):
    """One call of the pod's own resolver, getaddrinfo(3); `family` is any, IPv4 or IPv6."""

    name: str
    family: str


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Found(Record):
    """What the resolver said: `addresses` in its order, each once, or `error` such as EAI_NONAME.

    SILENT is a call that did not return in time.
    """

    name: str
    family: str
    event: str
    addresses: list[str]
    error: str = ""
    detail: str = ""
    latency: float | None = None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Resolve(Record):
    """Look names up, at most `threads` at a time, `timeout` for all of them together."""

    lookups: list[Lookup]
    timeout: float
    threads: int = 4


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Resolved(Record):
    """Results in the order of the lookups; `lag` is the worst delay of the event loop meanwhile."""

    found: list[Found]
    lag: float
