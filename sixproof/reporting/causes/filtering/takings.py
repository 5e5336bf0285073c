"""Takings: packet filter rules of no known owner that took packets, in plain words."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence

from sixproof.agent.protocol import ChainSeen, FilterRuleSeen
from sixproof.model import Family
from sixproof.probes.nodes.examination import FilterReading
from sixproof.reporting.diagnosis.pattern import said_count

FAMILIES = {
    "arp": (Family.IPV4,),
    "ip": (Family.IPV4,),
    "ip6": (Family.IPV6,),
}
"""Families of packets by that of a table; of others (inet, bridge, netdev) both."""
OWNED = ("KUBE-", "cali-", "CILIUM_", "DOCKER", "FLANNEL", "WEAVE", "LIBVIRT", "f2b-")
"""Chains of known owners: what they drop, a policy or an empty service means to drop."""
OWNED_TABLES = ("kube-proxy", "calico", "kindnet", "cilium", "flannel")
"""The same for tables of nftables."""
LOW = 16
"""Hops that may not suffice: kernels begin with 64 or more."""
_VERBS = {"drop": "drops", "reject": "rejects", "nat": "translates", "rewrite": "rewrites"}
_MESSAGES = {
    "icmpv6, type 2": "ICMPv6 Packet Too Big messages",
    "icmpv6, type 3": "ICMPv6 Time Exceeded messages",
    "icmpv6, type 1": "ICMPv6 Destination Unreachable messages",
    "icmpv6, type 135 and 136": "ICMPv6 Neighbor Solicitations and Advertisements",
    "icmpv6, type 135": "ICMPv6 Neighbor Solicitations",
    "icmpv6, type 136": "ICMPv6 Neighbor Advertisements",
    "icmpv6, type 134": "ICMPv6 Router Advertisements",
    "icmp, type 3, code 4": "ICMP Fragmentation Needed messages",
}
"""What a rule takes, in the words of RFCs, by its match: these are of one family by their name."""
_PACKETS = {
    "udp, dport 4789": "VXLAN packets",
    "tcp, flags syn": "TCP SYNs",
    "fragment": "fragments",
    "tcp and udp": "TCP and UDP packets",
    "udp and tcp": "TCP and UDP packets",
    "tcp": "TCP packets",
    "udp": "UDP packets",
    "sctp": "SCTP packets",
    "icmp": "ICMP packets",
    "icmpv6": "ICMPv6 packets",
}
"""The same of either family, the longest match first."""
_WAYS = {"iifname cali*": "from its pods", "oifname cali*": "to its pods"}
HOOKS = {
    "input": "meant for the node itself",
    "output": "sent by the node itself",
    "forward": "forwarded by the node",
}
"""Which packets a chain sees, by its hook, where the match itself does not say."""


@dataclasses.dataclass(frozen=True)
class Taking:
    """A rule that took packets: its chain, and how far its counter rose meanwhile.

    `broken_families` are those in which it broke something; of a rule for both these are named.
    """

    rule: FilterRuleSeen
    chain: ChainSeen | None
    rose: int
    broken_families: tuple[Family, ...] = ()

    @property
    def place(self) -> str:
        """Its chain and hook, and what it counted."""
        hook = f", hook {self.chain.hook}" if self.chain else ""
        count = self.rule.packets
        counted = said_count(count, "packet") if count else "no counter"
        return f"chain {self.rule.chain}{hook}, {counted}"

    @property
    def said(self) -> str:
        """What it does: ``drops IPv6 VXLAN packets forwarded by the node (iifname eth0)``."""
        return f"{self.what} ({self.match})" if self.match else self.what

    @property
    def what(self) -> str:
        """The same without its match: ``drops IPv6 VXLAN packets forwarded by the node``."""
        rule, (taken, _) = self.rule, self._taken
        if not rule.changes:
            what = "the addresses of " if rule.verdict == "nat" else ""
            return f"{_VERBS[rule.verdict]} {what}{taken}"
        if rule.verdict == "nat":
            return f"translates {rule.changes} of {taken}"
        return f"sets the {rule.changes} in {taken}"

    @property
    def match(self) -> str:
        """What `what` does not say of its match: ``iifname eth0``, "" where it says all."""
        return self._taken[1]

    @functools.cached_property
    def _taken(self) -> tuple[str, str]:
        return _taken(self.rule, self.chain.hook if self.chain else "", self.families)

    @property
    def families(self) -> tuple[Family, ...]:
        """The families whose packets it takes, as far as they are known to fail."""
        every = families_of(self.rule)
        return tuple(f for f in every if f in self.broken_families) or every

    @property
    def removal(self) -> str:
        """The command that removes it."""
        rule = self.rule
        return f"nft delete rule {rule.family} {rule.table} {rule.chain} handle {rule.handle}"


def takings(reading: FilterReading) -> Iterator[Taking]:
    """Rules of no known owner that took packets."""
    earlier = {_key(rule): rule.packets or 0 for rule in reading.before.rules}
    chains = {(c.family, c.table, c.name): c for c in reading.after.chains}
    for rule in reading.after.rules:
        if rule.verdict in _VERBS and not is_owned(rule) and rule.packets != 0:
            chain = chains.get(chain_of(rule))
            yield Taking(rule, chain, (rule.packets or 0) - earlier.get(_key(rule), 0))


def busiest(these: Iterable[Taking]) -> Taking | None:
    """The one that took most, None where there is none."""
    return max(these, key=lambda taking: taking.rule.packets or 0, default=None)


def lowering(reading: FilterReading, family: Family) -> Taking | None:
    """A foreign rule that writes a low hop limit, or an unknown one, into packets of a family; the
    one that took most."""
    return busiest(
        t
        for t in takings(reading)
        if t.rule.changes.startswith(("hop limit", "TTL"))
        and family in families_of(t.rule)
        and _number(t.rule.changes) <= LOW
    )


def _number(changes: str) -> int:
    """What is written, 0 where that is not known."""
    last = changes.rpartition(" ")[2]
    return int(last) if last.isdigit() else 0


def families_of(rule: FilterRuleSeen) -> tuple[Family, ...]:
    """The families whose packets it takes: those of its table, unless it asks for one."""
    words = rule.match.split(", ")
    for family, icmp in ((Family.IPV6, "icmpv6"), (Family.IPV4, "icmp")):
        if family.value in words or icmp in words:
            return (family,)
    return FAMILIES.get(rule.family, tuple(Family))


def _taken(rule: FilterRuleSeen, hook: str, families: Sequence[Family]) -> tuple[str, str]:
    """Which packets it takes, and what else they must be like: ``IPv6 TCP packets from its pods``,
    ``destination 2001:db8::/56``."""
    left = [term for term in rule.match.split(", ") if term and term not in list(Family)]
    way = next((_WAYS[term] for term in left if term in _WAYS), HOOKS.get(hook, ""))
    left = [term for term in left if term not in _WAYS]
    of = f"{families[0].value} " if len(families) == 1 else ""
    kind = ""
    for table, prefix in ((_MESSAGES, ""), (_PACKETS, of)):
        for match, words in table.items():
            if not kind and (rest := _without(left, match.split(", "))) is not None:
                kind, left = f"{prefix}{words}", rest
    if not kind:
        kind = f"{of}packets" if left or way else f"all {of}packets"
    return f"{kind} {way}".rstrip(), ", ".join(left)


def _without(terms: list[str], these: list[str]) -> list[str] | None:
    """The terms without these, which are consecutive in it; None where they are not."""
    for at in range(len(terms) - len(these) + 1):
        if terms[at : at + len(these)] == these:
            return [*terms[:at], *terms[at + len(these) :]]
    return None


def is_owned(rule: FilterRuleSeen) -> bool:
    """Whether it is in a chain, or a table, of a known owner."""
    return rule.chain.startswith(OWNED) or rule.table.startswith(OWNED_TABLES)


def chain_of(rule: FilterRuleSeen) -> tuple[str, str, str]:
    """Family, table and name of its chain."""
    return rule.family, rule.table, rule.chain


def _key(rule: FilterRuleSeen) -> tuple[str, str, str, int]:
    return *chain_of(rule), rule.handle
