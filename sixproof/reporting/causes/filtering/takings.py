"""Takings: packet filter rules of no known owner that took packets, in plain words."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator

from sixproof.agent.protocol import ChainSeen, FilterRuleSeen
from sixproof.model import Family
from sixproof.probes.nodes.examination import FilterReading
from sixproof.reporting.causes.filtering.match_words import (
    TakenPackets,
    family_asked,
    taken_packets,
)
from sixproof.reporting.causes.filtering.rule_match import MatchTerm, comparisons
from sixproof.reporting.conclusion.cause import Command
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
_VERBS = {
    "drop": ("drops", "drop"),
    "reject": ("rejects", "reject"),
    "nat": ("translates", "translate"),
    "rewrite": ("rewrites", "rewrite"),
}
_SETS = ("sets", "set")
"""What one rule does, and what several do."""
REMEDY = "Find out which program made {}: it may make {them} again. Then delete {them}"
"""What to do about foreign rules: what they are called, and ``it`` or ``them``."""
HOOKS = {
    "input": "meant for the node itself",
    "output": "sent by the node itself",
    "forward": "forwarded by the node",
}
"""Which packets a chain sees, by its hook, where the match itself does not say."""


@dataclasses.dataclass(frozen=True, eq=False)
class Taking:
    """A rule that took packets: its chain, and how far its counter rose while failing flows were
    sent again; `compared` says whether that is known.

    `broken_families` are those in which it broke something; of a rule for both these are named.
    """

    rule: FilterRuleSeen
    chain: ChainSeen | None
    rose: int
    broken_families: tuple[Family, ...] = ()
    compared: bool = True

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
        what = f"{self.does()} {self.packets} {self.way}".rstrip()
        return f"{what} ({self.match})" if self.match else what

    def does(self, many: bool = False) -> str:
        """What becomes of the packets: ``drops``, ``sets the MSS to 1220 in``; of `many` rules
        ``drop``."""
        rule = self.rule
        if rule.verdict == "nat":
            of = f"the {rule.changes} address of" if rule.changes else "the addresses of"
            return f"{_VERBS['nat'][many]} {of}"
        if rule.verdict == "rewrite" and rule.changes:
            to = "" if rule.value is None else f" to {rule.value}"
            return f"{_SETS[many]} the {rule.changes}{to} in"
        return _VERBS[rule.verdict][many]

    @property
    def packets(self) -> str:
        """Which packets it takes: ``IPv6 VXLAN packets``."""
        return self._taken.packets

    @property
    def way(self) -> str:
        """From where to where: ``from its pods``, ``forwarded by the node``; "" if unknown."""
        return self._taken.way or HOOKS.get(self.chain.hook if self.chain else "", "")

    @property
    def match(self) -> str:
        """What `packets` and `way` do not say of its match: ``iifname eth0``, "" for nothing."""
        return self._taken.rest

    @functools.cached_property
    def comparisons(self) -> tuple[MatchTerm, ...]:
        """Its match, as far as it says something about a packet that is known."""
        return comparisons(self.rule.match)

    @functools.cached_property
    def _taken(self) -> TakenPackets:
        families = self.families
        known = bool(self.chain and self.chain.hook in HOOKS)
        return taken_packets(self.rule.match, families[0] if len(families) == 1 else None, known)

    @property
    def families(self) -> tuple[Family, ...]:
        """The families whose packets it takes, as far as they are known to fail."""
        every = families_of(self.rule)
        return tuple(f for f in every if f in self.broken_families) or every

    def deletion(self, node: str) -> tuple[Command, ...]:
        """The commands to be rid of it alone on a node: its chain is listed first."""
        return self.listing(node), self.removal(node)

    def removal(self, node: str) -> Command:
        """The command that deletes it on a node, with what it does: several differ by a number."""
        rule = self.rule
        where = (rule.family, rule.table, rule.chain, "handle", rule.handle)
        return Command.of("nft", "delete", "rule", *where, on=node, note=self.said)

    def listing(self, node: str) -> Command:
        """The command that lists its chain, each rule with its handle."""
        rule = self.rule
        return Command.of("nft", "-a", "list", "chain", *chain_of(rule), on=node)


def takings(reading: FilterReading) -> Iterator[Taking]:
    """Rules of no known owner that took packets."""
    earlier = {_key(rule): rule.packets or 0 for rule in reading.before.rules}
    chains = {(c.family, c.table, c.name): c for c in reading.after.chains}
    for rule in reading.after.rules:
        if rule.verdict in _VERBS and not is_owned(rule) and rule.packets != 0:
            chain = chains.get(chain_of(rule))
            rose = (rule.packets or 0) - earlier.get(_key(rule), 0)
            yield Taking(rule, chain, rose, compared=not reading.once)


def busiest(these: Iterable[Taking]) -> Taking | None:
    """The one that took most, None where there is none."""
    return max(these, key=lambda taking: taking.rule.packets or 0, default=None)


def lowering(reading: FilterReading, family: Family) -> Taking | None:
    """A foreign rule that writes a low hop limit, or an unknown one, into packets of a family; the
    one that took most."""
    return busiest(
        t
        for t in takings(reading)
        if t.rule.changes in ("hop limit", "TTL")
        and family in families_of(t.rule)
        and (t.rule.value or 0) <= LOW
    )


def families_of(rule: FilterRuleSeen) -> tuple[Family, ...]:
    """The families whose packets it takes: those of its table, unless it asks for one."""
    asked = family_asked(rule.match)
    return (asked,) if asked else FAMILIES.get(rule.family, tuple(Family))


def is_owned(rule: FilterRuleSeen) -> bool:
    """Whether it is in a chain, or a table, of a known owner."""
    return rule.chain.startswith(OWNED) or rule.table.startswith(OWNED_TABLES)


def chain_of(rule: FilterRuleSeen) -> tuple[str, str, str]:
    """Family, table and name of its chain."""
    return rule.family, rule.table, rule.chain


def _key(rule: FilterRuleSeen) -> tuple[str, str, str, int]:
    return *chain_of(rule), rule.handle
