"""A node's facts: what the kernel would do with a packet, and the health of the node's daemons."""

from __future__ import annotations

import dataclasses

from sixproof.agent.protocol.record import Record


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ReadNode(Record):
    """Read the network facts of this network namespace, for the host network those of the node.

    `health` are ports of daemons on loopback with their paths (``10256/healthz``), asked over HTTP.
    """

    health: list[str]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LinkSeen(Record):
    """A network device. `kind` is the driver's (``vxlan``, ``veth``), "" for hardware; `vni`,
    `port` and `local` are those of a VXLAN device, 0 and "" on others."""

    name: str
    kind: str
    mtu: int
    up: bool
    carrier: bool
    vni: int = 0
    port: int = 0
    local: str = ""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class AddressHeld(Record):
    """An address of a device with its flags by name; `preferred` are the seconds for which it may
    be used for new connections, `valid` those after which it is removed, None without limit (RFC
    4862 section 5.5.4)."""

    device: str
    address: str
    prefix: int
    flags: list[str]
    preferred: float | None = None
    valid: float | None = None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RuleSeen(Record):
    """A rule of policy routing, rules with a smaller `priority` first.

    `source` and `destination` are prefixes, "" for all; `action` is ``table``, ``blackhole``,
    ``unreachable``, ``prohibit``, ``goto`` or ``nop``. `mark` (with mask) and `device` are what a
    packet must have besides. `suppress` is the length up to which prefixes do not count, None for
    no such limit. `more` are other selectors in the words of ip-rule(8): ``ipproto tcp dport 443``.
    """

    family: str
    priority: int
    action: str
    table: int
    source: str = ""
    destination: str = ""
    mark: str = ""
    device: str = ""
    inverted: bool = False
    suppress: int | None = None
    more: str = ""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RouteHeld(Record):
    """A route of a table; `kind` is ``unicast``, ``blackhole``, ``unreachable``, ``prohibit``,
    ``throw`` or ``local``. `protocol` is the number of its origin (rtnetlink(7)), `mtu` 0 unless
    the route carries one."""

    destination: str
    table: int
    kind: str
    device: str = ""
    gateway: str = ""
    metric: int = 0
    mtu: int = 0
    protocol: int = 0


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class NeighbourSeen(Record):
    """An entry of the neighbour table (RFC 4861 section 7.3.2; ARP for IPv4)."""

    address: str
    device: str
    state: str
    link_address: str = ""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ForwardingSeen(Record):
    """An entry of a tunnel device's forwarding database: where frames for a link address go."""

    link_address: str
    device: str
    remote: str


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class HealthSeen(Record):
    """What a daemon's health port said: the HTTP `status`, 0 without an answer, and why not."""

    asked: str
    status: int
    body: str = ""
    error: str = ""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ServerAsked(Record):
    """An HTTP server at an address, without brackets or zone; `path` is what it is asked for,
    without its leading slash."""

    address: str
    port: int
    path: str = "healthz"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class AskServers(Record):
    """Ask HTTP servers elsewhere how they are: health check node ports of services, pods of the
    node."""

    servers: list[ServerAsked]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ServersAsked(Record):
    """Their answers, in that order."""

    answers: list[HealthSeen]


KIND_ROUTES = ("IPv4 routes", "IPv6 routes")
KIND_RULES = "rules"
KIND_ADDRESSES = "addresses"
"""Kinds of what is read of a node."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class NodeSeen(Record):
    """The facts. `cut` names kinds of which there was more than is taken, `unread` those that the
    kernel refused, each with its reason (``rules: timed out``).

    `counters` are those of /proc/net/snmp, snmp6, netstat and of connection tracking. `load` is the
    load average of the last minute, of the whole machine with its `processors`; 0 where neither is
    known. `sockets` are the numbers of /proc/net/sockstat and sockstat6, by protocol and word
    (``TCP_inuse``); ``TCP_mem`` are pages of the whole machine.
    """

    links: list[LinkSeen]
    addresses: list[AddressHeld]
    rules: list[RuleSeen]
    routes: list[RouteHeld]
    neighbours: list[NeighbourSeen]
    forwarding: list[ForwardingSeen]
    sysctls: dict[str, str]
    counters: dict[str, int]
    health: list[HealthSeen]
    clock: float
    uptime: float
    cut: list[str]
    unread: list[str]
    load: float = 0.0
    processors: int = 0
    sockets: dict[str, int] = dataclasses.field(default_factory=dict)

    def lacks(self, *kinds: str) -> bool:
        """Whether something of these kinds (`KIND_ROUTES` and its like) may not be there."""
        short = {*self.cut, *(entry.partition(":")[0] for entry in self.unread)}
        return not short.isdisjoint(kinds)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ReadFilter(Record):
    """Read the packet filter (nftables). The kernel shows it only to processes with NET_ADMIN."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ChainSeen(Record):
    """A chain; a base chain has a `hook`, a `priority` and a `policy` (``accept``, ``drop``)."""

    family: str
    table: str
    name: str
    hook: str = ""
    priority: int = 0
    policy: str = ""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class MatchSeen(Record):
    """One comparison of a rule with a packet.

    `field` is what it looks at, in the words of nft(8) where it has one: ``iifname``, ``oifname``,
    ``family``, ``protocol``, ``source``, ``destination``, ``sport``, ``dport``, ``type``, ``code``,
    ``length``, ``flags``, ``connection state``; ``fragment`` and the names of extension headers
    for packets that have one; else the name of an extension of iptables.

    `values` are those with which it is compared, each one of them a match: numbers, names (a
    trailing ``*`` matches any ending), addresses, prefixes, and ranges (``8000-8090``); `unlisted`
    are how many a set has besides. There are none where they are not known. `operator` is "" for
    equal, or ``not``, ``below``, ``at most``, ``above`` or ``at least``; `looked_up` says whether
    the values are those of a set.
    """

    field: str
    operator: str
    values: list[str]
    unlisted: int = 0
    looked_up: bool = False


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FilterRuleSeen(Record):
    """A rule, so far as it says what becomes of a packet: its last `verdict` (``drop``,
    ``reject``, ``accept``, ``return``, ``nat`` and ``rewrite`` for one that changes packets, ""
    for none), the chain it jumps to, and what it counted, None without a counter.

    It takes packets to which all of `match` applies, all packets without one. `changes` is the
    field that ``nat`` translates or ``rewrite`` writes (``source``, ``MSS``, ``hop limit``), ""
    where that is not known, and `value` the number that is written, None for none.
    """

    family: str
    table: str
    chain: str
    handle: int
    verdict: str
    jump: str
    packets: int | None
    match: list[MatchSeen]
    changes: str = ""
    value: int | None = None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FilterSeen(Record):
    """The packet filter: base chains with all of their rules, and of other chains those rules that
    drop or reject. `error` says why it could not be read."""

    chains: list[ChainSeen]
    rules: list[FilterRuleSeen]
    cut: bool = False
    error: str = ""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ReadIpSets(Record):
    """Which of these addresses do the IP sets hold that Felix keeps for the selectors of policies
    (ipset(8), or named sets of nftables)? The kernel shows them only to processes with NET_ADMIN.
    """

    addresses: list[str]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class IpSetSeen(Record):
    """An IP set of one `family` (``IPv4``, ``IPv6``) with `size` members: of the addresses asked
    for, `exact` are members by themselves, and `within` are held by a prefix or a range."""

    name: str
    family: str
    size: int
    exact: list[str]
    within: list[str]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class IpSetsSeen(Record):
    """Those of Felix that could be listed whole; `cut` says that some could not, `error` why none
    could."""

    sets: list[IpSetSeen]
    cut: bool = False
    error: str = ""
