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
LOW = 16
"""Hops that may not suffice: kernels begin with 64 or more."""
_VERBS = {"drop": "drops", "reject": "rejects", "nat": "translates", "rewrite": "rewrites"}
_MESSAGES = {
    "icmpv6, type 2": "ICMPv6 Packet Too Big",
    "icmpv6, type 3": "ICMPv6 Time Exceeded",
    "icmpv6, type 1": "ICMPv6 Destination Unreachable",
    "icmpv6, type 135": "ICMPv6 Neighbor Solicitation",
    "icmpv6, type 136": "ICMPv6 Neighbor Advertisement",
    "icmpv6, type 134": "ICMPv6 Router Advertisement",
    "icmp, type 3, code 4": "ICMP Fragmentation Needed",
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
_HOOKS = {
    "input": "meant for the node itself",
    "output": "that the node itself sends",
    "forward": "that it forwards",
}
"""Which packets a chain sees, by its hook, where the match itself says nothing of it."""


@dataclasses.dataclass(frozen=True)
class Taking:
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
    def said(self) -> str:
        """What it does: ``drops IPv6 VXLAN packets that it forwards (iifname eth0)``."""
        rule = self.rule
        taken = _taken(rule, self.chain.hook if self.chain else "")
        if not rule.changes:
            what = "the addresses of " if rule.verdict == "nat" else ""
            return f"{_VERBS[rule.verdict]} {what}{taken}"
        if rule.verdict == "nat":
            return f"translates {rule.changes} of {taken}"
        return f"sets the {rule.changes} in {taken}"

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
        tables: dict[tuple[str, str], list[Taking]] = defaultdict(list)
        for taking in takings(reading):
            tables[taking.rule.family, taking.rule.table].append(taking)
        for rules in tables.values():
            yield _cause(situation, node, sorted(rules, key=lambda r: -r.rose))
        yield from _closed(situation, node, reading)


def translating(reading: FilterReading, family: Family) -> Taking | None:
    """A foreign rule that translates source addresses of a family, the one that took most."""
    nat = [
        t
        for t in takings(reading)
        if t.rule.verdict == "nat" and "destination" not in t.rule.changes
        if family in _families(t.rule)
    ]
    return max(nat, key=lambda t: t.rule.packets or 0, default=None)


def lowering(reading: FilterReading, family: Family) -> Taking | None:
    """A foreign rule that writes a low hop limit, or an unknown one, into packets of a family; the
    one that took most."""
    written = [
        t
        for t in takings(reading)
        if t.rule.changes.startswith(("hop limit", "TTL")) and family in _families(t.rule)
    ]
    low = [t for t in written if _number(t.rule.changes) <= LOW]
    return max(low, key=lambda t: t.rule.packets or 0, default=None)


def _number(changes: str) -> int:
    """What is written, 0 where that is not known."""
    last = changes.rpartition(" ")[2]
    return int(last) if last.isdigit() else 0


def takings(reading: FilterReading) -> Iterator[Taking]:
    """Rules of nobody known that took packets."""
    earlier = {_key(rule): rule.packets or 0 for rule in reading.before.rules}
    chains = {(c.family, c.table, c.name): c for c in reading.after.chains}
    for rule in reading.after.rules:
        if rule.verdict in _VERBS and not _owned(rule) and rule.packets != 0:
            chain = chains.get((rule.family, rule.table, rule.chain))
            yield Taking(rule, chain, (rule.packets or 0) - earlier.get(_key(rule), 0))


def _cause(situation: Situation, node: str, rules: list[Taking]) -> Cause:
    first = rules[0]
    rule = first.rule
    families = tuple(f for f in Family if any(f in _families(r.rule) for r in rules))
    sent = situation.examination.resent
    again = f": {first.rose} while {sent} failing flows were sent again"
    many = len(rules) > 1
    told = [r.said for r in rules]
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
            *(f"{r.place}: {r.said} ({r.removal})" for r in rules),
        ),
        about="MSS" if rule.changes.startswith("MSS") else "",
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


def _taken(rule: FilterRuleSeen, hook: str) -> str:
    """Which packets it takes: ``ICMPv6 Packet Too Big that it forwards``, ``IPv6 TCP packets from
    its pods (destination 2001:db8::/56)``."""
    left = [term for term in rule.match.split(", ") if term and term not in list(Family)]
    way = next((_WAYS[term] for term in left if term in _WAYS), _HOOKS.get(hook, ""))
    left = [term for term in left if term not in _WAYS]
    families = _families(rule)
    of = f"{families[0].value} " if len(families) == 1 else ""
    kind = ""
    for table, prefix in ((_MESSAGES, ""), (_PACKETS, of)):
        for match, words in table.items():
            if not kind and (rest := _without(left, match.split(", "))) is not None:
                kind, left = f"{prefix}{words}", rest
    if not kind:
        kind = f"{of}packets" if left or way else f"all {of}packets"
    return " ".join(filter(None, (kind, way, f"({', '.join(left)})" if left else "")))


def _without(terms: list[str], these: list[str]) -> list[str] | None:
    """The terms without these, which stand in it one behind the other; None where they do not."""
    for at in range(len(terms) - len(these) + 1):
        if terms[at : at + len(these)] == these:
            return [*terms[:at], *terms[at + len(these) :]]
    return None


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
