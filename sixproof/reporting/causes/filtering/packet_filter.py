"""Packet filter: a rule that is neither kube-proxy's nor the CNI's drops or changes packets."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator

from sixproof.agent.protocol import ChainSeen, FilterRuleSeen
from sixproof.model import Disagreement, Family, Outcome
from sixproof.probes.nodes.examination import FilterReading
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence
from sixproof.reporting.conclusion.reach import carried_over
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.pattern import said_some

FAMILIES = {
    "ip": (Family.IPV4,),
    "ip6": (Family.IPV6,),
}
"""Families of packets by that of a table; of others (inet, bridge, netdev) both."""
OWNED = ("KUBE-", "cali-", "CILIUM_", "DOCKER", "FLANNEL", "WEAVE", "LIBVIRT", "f2b-")
"""Chains of known owners: what they drop, a policy or an empty service means to drop."""
_VERBS = {
    "drop": "drops",
    "reject": "rejects",
    "nat": "translates the addresses of",
    "rewrite": "rewrites",
}
_MESSAGES = {
    "icmpv6, type 2": "ICMPv6 Packet Too Big",
    "icmpv6, type 3": "ICMPv6 Time Exceeded",
    "icmpv6, type 1": "ICMPv6 Destination Unreachable",
    "icmpv6, type 135": "ICMPv6 Neighbor Solicitation",
    "icmpv6, type 136": "ICMPv6 Neighbor Advertisement",
    "icmpv6, type 134": "ICMPv6 Router Advertisement",
    "icmp, type 3, code 4": "ICMP Fragmentation Needed",
    "udp, dport 4789": "VXLAN packets",
}
"""What a rule takes, in the words of RFCs, by the end of its match."""


@dataclasses.dataclass(frozen=True)
class _Taking:
    """A rule that took packets: its chain, and how far its counter rose meanwhile."""

    rule: FilterRuleSeen
    chain: ChainSeen | None
    rose: int

    @property
    def place(self) -> str:
        """Its chain and hook, and what it counted."""
        hook = f", hook {self.chain.hook}" if self.chain else ""
        counted = f"{self.rule.packets} packets" if self.rule.packets else "no counter"
        return f"chain {self.rule.chain}{hook}, {counted}"

    @property
    def removal(self) -> str:
        """The command that removes it."""
        rule = self.rule
        return f"nft delete rule {rule.family} {rule.table} {rule.chain} handle {rule.handle}"


def find(situation: Situation) -> Iterator[Cause]:
    """For each table of a node, its rules that took something; and chains that are closed."""
    for node in situation.nodes:
        reading = situation.filter_of(node)
        if reading is None:
            continue
        tables: dict[tuple[str, str], list[_Taking]] = defaultdict(list)
        for taking in _takings(reading):
            tables[taking.rule.family, taking.rule.table].append(taking)
        for rules in tables.values():
            yield _cause(situation, node, sorted(rules, key=lambda r: -r.rose))
        yield from _closed(situation, node, reading)


def _takings(reading: FilterReading) -> Iterator[_Taking]:
    earlier = {_key(rule): rule.packets or 0 for rule in reading.before.rules}
    chains = {(c.family, c.table, c.name): c for c in reading.after.chains}
    for rule in reading.after.rules:
        if rule.verdict in _VERBS and not _owned(rule) and rule.packets != 0:
            chain = chains.get((rule.family, rule.table, rule.chain))
            yield _Taking(rule, chain, (rule.packets or 0) - earlier.get(_key(rule), 0))


def _cause(situation: Situation, node: str, rules: list[_Taking]) -> Cause:
    first = rules[0]
    rule = first.rule
    families = tuple(f for f in Family if any(f in _families(r.rule) for r in rules))
    sent = situation.examination.resent
    again = f": {first.rose} while {sent} failing flows were sent again"
    many = len(rules) > 1
    told = [f"{_VERBS[r.rule.verdict]} {_taken(r.rule, _families(r.rule))}" for r in rules]
    whose = f"{len(rules)} rules of table {rule.family} {rule.table}" if many else "it"
    return Cause(
        "packet-filter",
        f"node {node}",
        f"a packet filter rule {said_some(list(dict.fromkeys(told)), 2)}"
        f"{again if first.rose and sent else ''}",
        f"Find who made {whose}, and remove {'them' if many else f'it ({first.removal})'}",
        families,
        Confidence.SHOWN if first.rose else Confidence.FITS,
        hits=lambda wrong: any(
            _changed(r.rule, wrong) and _hits(situation, wrong, node, _families(r.rule))
            for r in rules
        ),
        evidence=(
            f"table {rule.family} {rule.table} is not kube-proxy's, Calico's or another known "
            f"owner's",
            *(
                f"{r.place}: {_VERBS[r.rule.verdict]} {_taken(r.rule, _families(r.rule))} "
                f"({r.removal})"
                for r in rules
            ),
        ),
        about="MSS" if rule.verdict == "rewrite" and "tcp" in rule.match else "",
    )


def _changed(rule: FilterRuleSeen, wrong: Disagreement) -> bool:
    """Whether such a rule can make such a cell: one that rewrites loses nothing by itself."""
    seen = wrong.observation
    if rule.verdict == "nat":
        return seen.outcome is Outcome.WRONG and seen.peer_saw is not None
    return rule.verdict != "rewrite" or seen.outcome is Outcome.WRONG or seen.icmp is not None


def _families(rule: FilterRuleSeen) -> tuple[Family, ...]:
    """The families whose packets it takes: those of its table, unless it asks for one."""
    words = rule.match.split(", ")
    for family, icmp in ((Family.IPV6, "icmpv6"), (Family.IPV4, "icmp")):
        if family.value in words or icmp in words:
            return (family,)
    return FAMILIES.get(rule.family, tuple(Family))


def _hits(
    situation: Situation, wrong: Disagreement, node: str, families: tuple[Family, ...]
) -> bool:
    """What passes the node in its families."""
    flow = wrong.observation.flow
    return carried_over(flow) in families and situation.passes(flow, node)


def _taken(rule: FilterRuleSeen, families: tuple[Family, ...]) -> str:
    """Which packets it takes: ``ICMPv6 Packet Too Big``, ``IPv6 packets (iifname eth0, udp)``."""
    told = ", ".join(w for w in rule.match.split(", ") if w not in list(Family))
    for match, words in _MESSAGES.items():
        if told == match or told.endswith(f", {match}"):
            rest = told.removesuffix(match).rstrip(", ")
            of = f"{families[0].value} " if "VXLAN" in words and len(families) == 1 else ""
            return f"{of}{words} ({rest})" if rest else f"{of}{words}"
    said = f"{families[0].value} packets" if len(families) == 1 else "packets"
    return f"{said} ({told})" if told else f"all {said}"


def _closed(situation: Situation, node: str, reading: FilterReading) -> Iterator[Cause]:
    """Base chains that drop whatever no rule takes."""
    for chain in reading.after.chains:
        if chain.policy != "drop":
            continue
        families = FAMILIES.get(chain.family, tuple(Family))
        yield Cause(
            "packet-filter",
            f"node {node}",
            f"the packet filter drops all that no rule accepts (table {chain.family} "
            f"{chain.table}, chain {chain.name}, hook {chain.hook}, policy drop)",
            f"Accept what the cluster needs there, or set its policy to accept "
            f"(nft list chain {chain.family} {chain.table} {chain.name})",
            families,
            Confidence.FITS,
            hits=lambda wrong, families=families: _hits(  # type: ignore[misc]
                situation, wrong, node, families
            ),
        )


def _owned(rule: FilterRuleSeen) -> bool:
    return rule.chain.startswith(OWNED) or rule.table.startswith(("kube-proxy", "calico"))


def _key(rule: FilterRuleSeen) -> tuple[str, str, str, int]:
    return rule.family, rule.table, rule.chain, rule.handle


RULES = (
    CauseRule(
        "packet-filter",
        "A rule of somebody else's drops, rejects or changes packets on a node",
        "nftables of each node with counters, before and after failing flows were sent again; "
        "needs pods with NET_ADMIN (--six-raw)",
        find,
        ("I7", "I1", "F1", "R3", "R9"),
        "nft(8)",
    ),
)
