"""Facts: an agent's identity and health, and what its kernel says about the pod's network."""

from __future__ import annotations

import dataclasses

from sixproof.agent.protocol.record import Record


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Hello(Record):
    """Who are you? Answered with Welcome."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Welcome(Record):
    """The agent introduces itself. `listening` holds ``tcp/[::]:8080`` forms."""

    host: str
    python: str
    pid: int
    uptime: float
    rss_kib: int
    listening: list[str]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Ping(Record):
    """Heart-beat."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Pong(Record):
    """Answer to a heart-beat; `lag` is the worst delay of the event loop since the last one.

    `foreign_datagrams` and `foreign_connections` are how many came since the agent began that were
    not of this run. They were not answered.
    """

    lag: float
    foreign_datagrams: int = 0
    foreign_connections: int = 0


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Inspect(Record):
    """Read the pod's own network facts: fixed files of /proc and /sys, nothing by name."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class AddressSeen(Record):
    """An IPv6 address with its kernel flags by name: tentative, dadfailed, deprecated, ..."""

    interface: str
    address: str
    prefix: int
    flags: list[str]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Inspected(Record):
    """Interface MTUs, IPv6 addresses, sysctls that matter and resolv.conf, as the pod sees them."""

    mtus: dict[str, int]
    ipv6: list[AddressSeen]
    sysctls: dict[str, str]
    resolv_conf: str
    counters: dict[str, int]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RouteGet(Record):
    """Which way would packets to these addresses go (rtnetlink(7), RTM_GETROUTE)?"""

    addresses: list[str]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RouteSeen(Record):
    """The kernel's answer for one address.

    `mtu` is 0 unless the route itself carries one; one that was learnt from Packet Too Big
    `expires` after so many seconds, and one that is `locked` (ip-route(8), ``mtu lock``) stands
    whatever the kernel learns.
    """

    address: str
    device: str = ""
    gateway: str = ""
    source: str = ""
    mtu: int = 0
    expires: float | None = None
    error: str = ""
    locked: bool = False


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RoutesSeen(Record):
    """Answers in the order of the addresses."""

    routes: list[RouteSeen]
