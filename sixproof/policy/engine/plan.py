"""Evaluation: a subject's policies in one direction, in order, asked about packets.

A direction is decided by the first rule that matches, tier by tier (Calico's model, of which
Kubernetes' tiers are a case). Where it cannot be known whether a rule matches, or which of two
policies comes first, every possible decision is found, not one of them guessed.

For speed, the rules of a tier are the bits of a number, the first rule the lowest. Which of them a
source, a destination and a port leave is found once for each; the rules that match a packet are
what all three leave.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sixproof.errors import brief
from sixproof.policy.engine.decision import Decision
from sixproof.policy.engine.packet import Icmp, Packet, PolicyPeer
from sixproof.policy.engine.provider import ProviderAnswer
from sixproof.policy.engine.rules import (
    Action,
    Condition,
    Direction,
    Needs,
    PeerTest,
    Policy,
    Rule,
    Tier,
)

PortSpec = tuple[int, int, int | None, Icmp | None]

MOST_PORTS = 64
"""Ports whose rules a tier remembers; a run asks about a dozen, a scan about every port."""
FEW = 8
"""Rules that are asked about the peer of a packet one by one; of more it is found once which of
all the tier's rules a peer leaves."""


@dataclasses.dataclass(slots=True)
class Decisions:
    """The decisions found, and what left them open where there are several."""

    decisions: list[Decision] = dataclasses.field(default_factory=list)
    open: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class RuleMatch:
    """A rule ready to be asked: what it asks for, and what it decides (None: Pass).

    `peer` are its questions about the peer, `packet` its conditions that need several things.
    """

    conditions: tuple[Condition, ...]
    decision: Decision | None
    peer: tuple[PeerTest, ...]
    packet: tuple[Condition, ...]

    @classmethod
    def of(cls, direction: Direction, policy: Policy, rule: Rule) -> RuleMatch:
        """A rule of a policy."""
        _, peer = ends(direction)
        passes = rule.action is Action.PASS
        return cls(
            rule.conditions,
            None if passes else Decision.by_rule(direction, policy, rule),
            tuple(c.ask for c in rule.conditions if c.needs is peer and c.ask),
            tuple(c for c in rule.conditions if c.needs is Needs.PACKET),
        )

    def unknown(self, packet: Packet) -> str:
        """What cannot be known of a packet that may match."""
        return " and ".join(brief(c.wanted) for c in self.conditions if c.test(packet) is None)


def ends(direction: Direction) -> tuple[Needs, Needs]:
    """The end at which policies of a direction act, and the other."""
    if direction is Direction.EGRESS:
        return Needs.SOURCE, Needs.DESTINATION
    return Needs.DESTINATION, Needs.SOURCE


class RulesLeft(NamedTuple):
    """The rules of a tier that something leaves, as bits: those that may match, and of them those
    of which this is sure."""

    may: int
    must: int


_Asked = tuple[tuple[int, Callable[[Any], bool | None]], ...]
"""Questions of one kind, each with the bit of its rule."""


def _left(asked: _Asked, about: object, whole: int) -> RulesLeft:
    """The rules that the answers leave, of all (`whole`)."""
    out = unsure = 0
    for bit, ask in asked:
        answer = ask(about)
        if answer is False:
            out |= bit
        elif answer is None:
            unsure |= bit
    return RulesLeft(whole & ~out, whole & ~(out | unsure))


@dataclasses.dataclass(frozen=True, slots=True)
class TierPlan:
    """One tier as it applies to a subject: only policies that select it, in order.

    `groups` has for each rule the policies of which any may come first, mostly its own alone, as
    bits. The questions are those about the port, the subject, its peer, and several of these.
    """

    tier: Tier
    direction: Direction
    rules: tuple[RuleMatch, ...]
    groups: tuple[tuple[int, ...], ...]
    default: Decision
    on_port: _Asked
    on_subject: _Asked
    on_peer: _Asked
    ports: dict[PortSpec, RulesLeft] = dataclasses.field(default_factory=dict, compare=False)
    subjects: dict[PolicyPeer, RulesLeft] = dataclasses.field(default_factory=dict, compare=False)
    peers: dict[PolicyPeer, RulesLeft] = dataclasses.field(default_factory=dict, compare=False)

    @classmethod
    def of(
        cls, direction: Direction, tier: Tier, policies: tuple[tuple[Policy, ...], ...]
    ) -> TierPlan:
        """The plan of a tier for everything that these policies, in groups, select."""
        rules: list[RuleMatch] = []
        groups: list[tuple[int, ...]] = []
        for group in policies:
            bits = []
            for policy in group:
                first = len(rules)
                rules += (
                    RuleMatch.of(direction, policy, rule)
                    for rule in policy.rules[direction]
                    if rule.action is not Action.LOG
                )
                bits.append((1 << len(rules)) - (1 << first))
            groups += [tuple(bits)] * (len(rules) - len(groups))
        subject, peer = ends(direction)
        asked = [(1 << i, c) for i, rule in enumerate(rules) for c in rule.conditions]
        return cls(
            tier=tier,
            direction=direction,
            rules=tuple(rules),
            groups=tuple(groups),
            default=Decision.by_default(direction, tier, tuple(p.ref for g in policies for p in g)),
            on_port=tuple((bit, c.test) for bit, c in asked if c.needs is Needs.PORT),
            on_subject=tuple((bit, c.ask) for bit, c in asked if c.needs is subject and c.ask),
            on_peer=tuple((bit, c.ask) for bit, c in asked if c.needs is peer and c.ask),
        )

    @property
    def whole(self) -> int:
        """All rules, as bits."""
        return (1 << len(self.rules)) - 1

    def decide(self, packet: Packet, found: Decisions) -> bool:
        """Add the decisions of this tier; whether evaluation may go on to the next one."""
        go_on = packet.policed is not ProviderAnswer.YES and not self.tier.always
        if go_on and packet.policed is ProviderAnswer.NO:
            return True
        if go_on:
            found.open.append("whether policy applies to a pod that reaches itself via a service")
        if packet.icmp is not None and self.tier.icmp is not ProviderAnswer.YES:
            if self.tier.icmp is ProviderAnswer.UNDEFINED:
                found.open.append("how NetworkPolicy treats ICMP")
                found.decisions.append(self.default)
            return True
        left = self._match(packet)
        may = left.may
        while may:
            group = self.groups[(may & -may).bit_length() - 1]
            certain, passed = self._ask(group, left, packet, found)
            go_on = go_on or passed
            if certain:
                return go_on
            for policy in group:
                may &= ~policy
        if self.tier.default is Action.PASS:
            return True
        found.decisions.append(self.default)
        return go_on

    def _match(self, packet: Packet) -> RulesLeft:
        """The rules that the port and the two ends of a packet leave."""
        port_spec = packet[2:6]
        port = self.ports.get(port_spec)
        if port is None:
            if len(self.ports) >= MOST_PORTS:
                self.ports.clear()
            port = self.ports[port_spec] = _left(self.on_port, packet, self.whole)
        if not port.may:
            return port
        subject, peer = packet.source, packet.destination
        if self.direction is Direction.INGRESS:
            subject, peer = peer, subject
        mine = self.subjects.get(subject)
        if mine is None:
            mine = self.subjects[subject] = _left(self.on_subject, subject, self.whole)
        may, must = port.may & mine.may, port.must & mine.must
        if may.bit_count() > FEW:
            theirs = self.peers.get(peer)
            if theirs is None:
                theirs = self.peers[peer] = _left(self.on_peer, peer, self.whole)
            return RulesLeft(may & theirs.may, must & theirs.must)
        rest = may
        while rest:
            bit = rest & -rest
            rest ^= bit
            for ask in self.rules[bit.bit_length() - 1].peer:
                answer = ask(peer)
                if answer is False:
                    may ^= bit
                    break
                if answer is None:
                    must &= ~bit
        return RulesLeft(may, must)

    def _ask(
        self, group: tuple[int, ...], left: RulesLeft, packet: Packet, found: Decisions
    ) -> tuple[bool, bool]:
        """Whether the group decides for sure, and whether it may pass on to the next tier."""
        certain = passed = False
        matching = 0
        for policy in group:
            before = matching
            rest = left.may & policy
            while rest:
                bit = rest & -rest
                rest ^= bit
                rule = self.rules[bit.bit_length() - 1]
                sure = bool(left.must & bit)
                if rule.packet:
                    answers = [condition.test(packet) for condition in rule.packet]
                    if False in answers:
                        continue
                    sure = sure and None not in answers
                matching = before + 1
                if rule.decision is None:
                    passed = True
                else:
                    found.decisions.append(rule.decision)
                if sure:
                    certain = True
                    break
                found.open.append(f"whether {rule.unknown(packet)}")
        if matching > 1:
            found.open.append("which policy of equal priority comes first")
        return certain, passed


Selecting = tuple[tuple[Tier, tuple[tuple[Policy, ...], ...]], ...]
"""The policies that select a subject, tier by tier, in order; grouped where the API leaves the
order of some open."""


@dataclasses.dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """Everything that decides one direction of one subject. `final` decides where no tier does."""

    direction: Direction
    selecting: Selecting
    stages: tuple[TierPlan, ...]
    final: Decision

    def decide(self, packet: Packet, found: Decisions) -> None:
        """Add every possible decision about a packet."""
        for stage in self.stages:
            if not stage.decide(packet, found):
                return
        found.decisions.append(self.final)


def groups_of(policies: Sequence[Policy]) -> tuple[tuple[Policy, ...], ...]:
    """Policies one by one; those of equal order together where the API leaves their order open."""

    def tie(numbered: tuple[int, Policy]) -> tuple[float, int]:
        i, policy = numbered
        return policy.order, -1 if policy.undefined_ties else i

    grouped = itertools.groupby(enumerate(policies), tie)
    return tuple(tuple(policy for _, policy in group) for _, group in grouped)
