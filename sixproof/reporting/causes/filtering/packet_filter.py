"""Packet filter: a rule that is neither kube-proxy's nor the CNI's drops or changes packets."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from sixproof.agent.protocol import FilterRuleSeen
from sixproof.model import Disagreement, EndpointKind, Family, MatrixKind, Outcome
from sixproof.probes.nodes.examination import FilterReading
from sixproof.reporting.causes.filtering.flow_packets import FlowPackets
from sixproof.reporting.causes.filtering.match_words import takes_only
from sixproof.reporting.causes.filtering.rule_match import takes
from sixproof.reporting.causes.filtering.takings import (
    HOOKS,
    OWNED,
    REMEDY,
    Taking,
    busiest,
    chain_of,
    families_of,
    is_owned,
    takings,
)
from sixproof.reporting.conclusion.cause import (
    NAMED,
    Cause,
    CauseRule,
    Command,
    Confidence,
    Trait,
    few,
)
from sixproof.reporting.conclusion.reach import came_back, carried_over
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.pattern import said_count, said_some

_OF_MANY_PACKETS = (
    MatrixKind.PATHS,
    MatrixKind.PACKETS,
    MatrixKind.SESSIONS,
    MatrixKind.BACKENDS,
    MatrixKind.HEALTH,
)
"""Cells that may be wrong although something came back."""

UNASKED = (
    "its counter was not compared with packets of these tests: they are not sent again at the end "
    "of a run"
)
"""Evidence of a rule that fits what failed."""


class _Node:
    """What the packet filter of one node can do to the flows of the run."""

    def __init__(self, situation: Situation, node: str) -> None:
        self.name = node
        self._situation = situation
        self._packets = FlowPackets(situation, node)

    def breaks(self, taking: Taking, wrong: Disagreement) -> bool:
        """Whether a wrong cell can result from a rule: it passes the node, it failed as such a rule
        makes flows fail, and a packet that it needs is one that the rule takes."""
        flow, rule = wrong.observation.flow, taking.rule
        if carried_over(flow) not in families_of(rule) or not self._situation.passes(
            flow, self.name
        ):
            return False
        if not _makes(rule, wrong, self._situation.kinds_of(flow)):
            return False
        # What is translated is remembered, whichever hook its first packet passed.
        hook = taking.chain.hook if taking.chain and rule.verdict != "nat" else ""
        return any(
            hook in packet.hooks and takes(taking.comparisons, packet)
            for packet in self._packets.of(wrong)
        )

    def broken(self, taking: Taking) -> tuple[Disagreement, ...]:
        """The wrong cells of the run that can result from a rule."""
        return tuple(wrong for wrong in self._situation.wrong if self.breaks(taking, wrong))

    def confidence(self, taking: Taking, broken: Iterable[Disagreement]) -> Confidence:
        """How sure a rule is: one that counted while failing flows were sent again is shown, one
        that did not although some that it takes failed again is a sign at most."""
        if taking.rose:
            return Confidence.SHOWN
        counted = taking.compared and taking.rule.packets is not None
        still = self._situation.examination.still and counted
        if still and any(map(_was_sent_again, broken)):
            return Confidence.SIGN
        return Confidence.FITS


def find(situation: Situation) -> Iterator[Cause]:
    """For each table of a node, its rules that took something; and chains that are closed."""
    for name in situation.nodes:
        reading = situation.filter_of(name)
        if reading is None:
            continue
        node = _Node(situation, name)
        tables: dict[tuple[str, str], list[Taking]] = defaultdict(list)
        for taking in takings(reading):
            tables[taking.rule.family, taking.rule.table].append(taking)
        for rules in tables.values():
            yield _cause(situation, node, rules)
        yield from _closed(node, reading)


def translating(
    situation: Situation, node: str, family: Family, cells: Iterable[Disagreement]
) -> Taking | None:
    """A foreign rule of a node that translates the source addresses of such cells, the one that
    took most."""
    reading = situation.filter_of(node)
    if reading is None:
        return None
    here, those = _Node(situation, node), tuple(cells)
    return busiest(
        t
        for t in takings(reading)
        if t.rule.verdict == "nat" and t.rule.changes != "destination"
        if family in families_of(t.rule) and any(here.breaks(t, cell) for cell in those)
    )


def _cause(situation: Situation, node: _Node, every: Sequence[Taking]) -> Cause:
    """A table's rules, those alone that can break something that failed, where any can; what
    another test says itself may still name the others."""
    broken = dict(_with_families(taking, node.broken(taking)) for taking in every)
    able = [taking for taking in broken if broken[taking]]
    rules = sorted(able or broken, key=lambda taking: -taking.rose)
    first = rules[0]
    rule = first.rule
    families = tuple(f for f in Family if any(f in taking.families for taking in rules))
    sent = situation.examination.resent
    again = f"{said_count(first.rose, 'packet')} while {said_count(sent, 'failing flow')} "
    again += f"{'was' if sent == 1 else 'were'} sent again"
    again = again if first.rose and sent else ""
    many = len(rules) > 1  # then the sentence is long without the number
    said = _said(rules, NAMED, matches=True)
    rest = len(rules) - NAMED
    whose = f"the rules of table {rule.family} {rule.table}" if many else "the rule"
    confidence = max(node.confidence(taking, broken[taking]) for taking in rules)
    cells = [wrong for taking in rules for wrong in broken[taking]]
    unasked = confidence is Confidence.FITS and cells and not any(map(_was_sent_again, cells))
    return Cause(
        "packet-filter",
        f"node {node.name}",
        f"{said}: {again}" if again and not many else said,
        REMEDY.format(whose, them="them" if many else "it"),
        families,
        confidence,
        hits=_one_of(cells),
        evidence=(
            f"table {rule.family} {rule.table} is not kube-proxy's, Calico's or another known "
            f"owner's",
            *([again] if again and many else []),
            *(f"{r.place}: {r.said}" for r in rules[:NAMED]),
            *([f"{said_count(rest, 'more such rule')} of that table"] if rest > 0 else []),
            *([UNASKED] if unasked else []),
        ),
        do=_removals(rules, node.name),
        briefer=(said, *(_said(rules, limit, matches=False) for limit in (NAMED, 1))),
        details=(again,) if again and not many else (),
        traits=frozenset(_traits(rules)),
    )


def _traits(rules: Sequence[Taking]) -> Iterator[Trait]:
    """What is known of rules of one table."""
    did = {(taking.chain.hook, taking.rule.verdict) for taking in rules if taking.chain}
    taken = [takes_only(taking.rule.match) for taking in rules]
    if "vxlan" in taken:
        yield Trait.FILTERS_VXLAN
    if ("input", "drop") in did and not {"vxlan", "icmp", "icmpv6"} & set(taken):
        yield Trait.DROPS_INPUT
    if ("forward", "reject") in did:
        yield Trait.REJECTS_FORWARDED


def _said(rules: Sequence[Taking], limit: int, *, matches: bool) -> str:
    """What rules do, so many effects of them, with or without what they match."""
    many = len(rules) > 1
    subject = f"{len(rules)} packet filter rules" if many else "a packet filter rule"
    return f"{subject} {said_some(_effects(rules, many, matches=matches), limit)}"


def _removals(rules: Sequence[Taking], node: str) -> tuple[Command, ...]:
    """The commands that list a table of a node, and delete rules of it."""
    if len(rules) == 1:
        return rules[0].deletion(node)
    table = rules[0].rule
    listing = Command.of("nft", "-a", "list", "table", table.family, table.table, on=node)
    return few([taking.removal(node) for taking in rules], "rule", listing)


def _with_families(
    taking: Taking, broken: tuple[Disagreement, ...]
) -> tuple[Taking, tuple[Disagreement, ...]]:
    """A rule with the families in which it broke something, and what it broke."""
    broke = {carried_over(wrong.observation.flow) for wrong in broken}
    return dataclasses.replace(
        taking, broken_families=tuple(f for f in Family if f in broke)
    ), broken


def _effects(rules: Iterable[Taking], many: bool, *, matches: bool = True) -> list[str]:
    """What rules do, those that differ in their match alone as one, with or without the match.
    Where only the hook differs from the one before, that alone: ``drop SYNs meant for the node
    itself``, ``sent by the node itself``."""
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    for rule in rules:
        found.setdefault((rule.does(many), rule.packets, rule.way), {})[rule.match] = None
    effects = []
    before: tuple[str, ...] = ()
    for (does, packets, way), those in found.items():
        by_hook = (does, packets) if way in HOOKS.values() else ()
        what = way if by_hook and by_hook == before else f"{does} {packets} {way}".rstrip()
        before = by_hook
        known = [match for match in those if match and matches]
        effects.append(f"{what} ({_some_of(known)})" if known else what)
    return effects


def _some_of(matches: Sequence[str]) -> str:
    """The first two of them, and how many more there are."""
    more = [f"and {len(matches) - 2} more"] if len(matches) > 2 else []
    return "; ".join((*matches[:2], *more))


def _one_of(cells: Iterable[Disagreement]) -> Callable[[Disagreement], bool]:
    """Whether a wrong cell is one of these: there are many, and each is looked at often."""
    known = {(cell.observation.flow, cell.observation.outcome) for cell in cells}
    return lambda wrong: (wrong.observation.flow, wrong.observation.outcome) in known


def _makes(rule: FilterRuleSeen, wrong: Disagreement, kinds: frozenset[MatrixKind]) -> bool:
    """Whether a flow can fail in such a way by such a rule: one that rewrites loses nothing by
    itself, and what one drops is not answered."""
    seen = wrong.observation
    if rule.verdict == "nat":
        return seen.outcome is Outcome.WRONG and seen.peer_saw is not None
    if rule.verdict == "rewrite":
        return seen.outcome is Outcome.WRONG or seen.icmp is not None
    if not all(kind.sent for kind in kinds):  # no filter makes wrong what is only read
        return False
    if rule.verdict == "reject" and seen.outcome in (Outcome.REFUSED, Outcome.REJECTED):
        return True
    return not came_back(wrong) or not kinds.isdisjoint(_OF_MANY_PACKETS)


def _was_sent_again(wrong: Disagreement) -> bool:
    """Whether such cells are among those that are sent again: flows between pods and hosts that no
    policy decides."""
    flow, expected = wrong.observation.flow, wrong.expected
    ends = {flow.source.kind, flow.destination.kind} <= {EndpointKind.POD, EndpointKind.HOST}
    open_ = expected.outcomes == {Outcome.ALLOWED} and not expected.by_policy
    return ends and open_ and not flow.question


def _closed(node: _Node, reading: FilterReading) -> Iterator[Cause]:
    """Base chains that drop whatever no rule takes. What a chain that jumps to a known owner's
    leaves over, the owner has looked at."""
    jumping = {chain_of(r) for r in reading.after.rules if r.jump.startswith(OWNED)}
    for chain in reading.after.chains:
        rest = FilterRuleSeen(chain.family, chain.table, chain.name, 0, "drop", "", None, [])
        if chain.policy != "drop" or chain_of(rest) in jumping or is_owned(rest):
            continue
        yield Cause(
            "packet-filter",
            f"node {node.name}",
            f"the packet filter drops all that no rule accepts (table {chain.family} "
            f"{chain.table}, chain {chain.name}, hook {chain.hook}, policy drop)",
            "Accept what the cluster needs there, or set the chain's policy to accept",
            families_of(rest),
            Confidence.SIGN,
            hits=_one_of(node.broken(Taking(rest, chain, 0))),
            do=(Taking(rest, chain, 0).listing(node.name),),
        )


RULES = (
    CauseRule(
        "packet-filter",
        "A rule of another program drops, rejects or changes packets on a node",
        "nftables of each node with counters, before and after failing flows were sent again; "
        "needs pods with NET_ADMIN (--six-raw)",
        find,
        ("I7", "I1", "F1", "R3", "R9"),
        "nft(8)",
    ),
)
