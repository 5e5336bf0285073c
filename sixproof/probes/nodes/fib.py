"""The way a node's kernel sends a packet: policy rules in their order, then a table each (RFC 4191
knows no such rules; ip-rule(8) and ip-route(8) do)."""

from __future__ import annotations

import dataclasses
import functools
from ipaddress import IPv4Network, IPv6Network, ip_network

from sixproof.agent.protocol import NodeSeen, RouteHeld, RuleSeen
from sixproof.model import Family, IPAddress

LOCAL, MAIN, DEFAULT = 255, 254, 253
TABLES = {LOCAL: "local", MAIN: "main", DEFAULT: "default"}
ERRORS = {"blackhole": "EINVAL", "unreachable": "EHOSTUNREACH", "prohibit": "EACCES"}
"""What the kernel tells a sender whose packet ends in a route of such a kind (ip-route(8))."""
REFUSALS = tuple(ERRORS)


@dataclasses.dataclass(frozen=True)
class RouteLookup:
    """Where a packet goes: by `route`, found by `rule`. Without a route it is refused by the rule
    itself, or nothing matches. `doubtful` says that a rule could not be weighed (it asks for a
    mark, a device, a protocol or a user), so that another way is possible."""

    route: RouteHeld | None
    rule: RuleSeen | None
    doubtful: bool = False

    @property
    def open(self) -> bool:
        """Whether packets leave by it."""
        return self.route is not None and self.route.kind not in REFUSALS

    @property
    def by_default(self) -> bool:
        """Whether only a default route knows it."""
        return self.open and self.route is not None and _length(self.route) == 0

    def refused(self, packets: str, *, brief: bool = False) -> str:
        """What happens to packets on a closed way, in words; "" for an open one. The route is named
        with its table, and a rule where it is not one of the kernel's own; in `brief`, without what
        it matches."""
        if self.open:
            return ""
        asked = ""
        if self.rule is not None and not is_usual(self.rule):
            asked = said_rule(self.rule, self.route is None)
            asked = f"policy rule {self.rule.priority}" if brief else asked
        if self.route is not None:
            route = f"{self.route.kind} route {said_prefix(self.route.destination)}"
            where = f"the {route} of table {table_name(self.route.table)}"
            return f"{asked} sends {packets} into {where}" if asked else f"{packets} end in {where}"
        if self.rule is not None:
            return f"{asked or 'a rule'} refuses {packets}"
        return f"no route matches {packets}"


def way(seen: NodeSeen, address: IPAddress, source: IPAddress | None = None) -> RouteLookup:
    """The way to an address that is not the node's own, for packets from `source` where given."""
    family = Family.of(address)
    doubtful = False
    for rule in sorted(_rules(seen, family), key=lambda r: r.priority):
        match = _matches(rule, address, source)
        doubtful = doubtful or match is None
        if not match:
            continue
        if rule.action in REFUSALS:
            return RouteLookup(None, rule, doubtful)
        if rule.action != "table" or rule.table == LOCAL:
            continue
        route = found(seen, rule.table, address)
        suppressed = rule.suppress is not None and route and _length(route) <= rule.suppress
        if route is not None and route.kind != "throw" and not suppressed:
            return RouteLookup(route, rule, doubtful)
    return RouteLookup(None, None, doubtful)


def _rules(seen: NodeSeen, family: Family) -> list[RuleSeen]:
    """The rules of a family; where none could be read, the kernel's own."""
    rules = [r for r in seen.rules if r.family == family.value]
    return rules or [RuleSeen(family.value, 32766, "table", MAIN)]


def _matches(rule: RuleSeen, address: IPAddress, source: IPAddress | None) -> bool | None:
    """Whether a rule matches such a packet, None where that is not known."""
    there = not rule.destination or address in network(rule.destination)
    here = not rule.source or source is None or source in network(rule.source)
    if not (there and here):
        return rule.inverted
    if rule.mark or rule.device or rule.more or (rule.source and source is None):
        return None
    return not rule.inverted


def is_blackhole(error: str) -> bool:
    """Whether a kernel's refusal to send, by name, says that a blackhole route drops the packet."""
    return error == ERRORS["blackhole"]


def routes_of(seen: NodeSeen, family: Family, table: int) -> list[RouteHeld]:
    """The routes of a family in a table."""
    return [
        r
        for r in seen.routes
        if r.table == table and (":" in r.destination) is (family.version == 6)
    ]


def found(seen: NodeSeen, table: int, address: IPAddress) -> RouteHeld | None:
    """The most specific route of a table, of equals that of the smallest metric."""
    known = routes_of(seen, Family.of(address), table)
    fit = [r for r in known if address in network(r.destination)]
    return min(fit, key=lambda r: (-_length(r), r.metric), default=None)


@functools.lru_cache(maxsize=20_000)
def network(text: str) -> IPv4Network | IPv6Network:
    """A prefix from text."""
    return ip_network(text, strict=False)


def _length(route: RouteHeld) -> int:
    return network(route.destination).prefixlen


def is_usual(rule: RuleSeen) -> bool:
    """Whether it is one of the rules that every kernel has: local, main and default, for all."""
    plain = not (rule.source or rule.destination or rule.mark or rule.device or rule.more)
    return plain and rule.action == "table" and rule.table in TABLES


def said_rule(rule: RuleSeen, acts: bool = True) -> str:
    """``policy rule 5270 (to fd00::/56 lookup 52)``, or only what it matches."""
    words = ["from", rule.source] if rule.source else []
    words += ["to", rule.destination] if rule.destination else []
    words += [rule.more] if rule.more else []
    words += ["not"] * rule.inverted
    if acts:
        words.append(f"lookup {table_name(rule.table)}" if rule.action == "table" else rule.action)
    return f"policy rule {rule.priority}" + (f" ({' '.join(words)})" if words else "")


def said_prefix(prefix: str) -> str:
    """A prefix as ip-route(8) says it."""
    return "default" if prefix in ("::/0", "0.0.0.0/0") else prefix


def table_name(table: int) -> str:
    """A routing table's name, its number where it has none."""
    return TABLES.get(table, str(table))
