"""Evaluation: a subject's policies in one direction, in order, asked about packets.

A direction is decided by the first rule that matches, tier by tier (Calico's model, of which
Kubernetes' tiers are a case). Where it cannot be known whether a rule matches, or which of two
policies comes first, every possible decision is found, not one of them guessed.

For speed, rules that cannot match are left out early: those that can never match a subject, once
per subject and family, and those that a port excludes, once per port.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

from sixproof.errors import brief
from sixproof.policy.engine.decision import Decision
from sixproof.policy.engine.packet import Icmp, Packet
from sixproof.policy.engine.provider import ProviderAnswer
from sixproof.policy.engine.rules import Action, Condition, Direction, Needs, Policy, Tier

PortSpec = tuple[int, int, int | None, Icmp | None]

MOST_PORTS = 64
"""Ports whose rules a stage remembers; a run asks about a dozen, a scan about every port."""


@dataclasses.dataclass(slots=True)
class Decisions:
    """The decisions found, and what left them open where there are several."""

    decisions: list[Decision] = dataclasses.field(default_factory=list)
    open: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class RuleMatch:
    """A rule ready to be asked: what it asks for, and what it decides (None: Pass)."""

    conditions: tuple[Condition, ...]
    decision: Decision | None

    def matches(self, packet: Packet) -> bool | None:
        """Whether the rule matches; None where that cannot be known."""
        answer: bool | None = True
        for condition in self.conditions:
            one = condition.test(packet)
            if one is False:
                return False
            if one is None:
                answer = None
        return answer

    def unknown(self, packet: Packet) -> str:
        """What cannot be known of a packet that may match."""
        return " and ".join(brief(c.wanted) for c in self.conditions if c.test(packet) is None)

    def without(self, needs: Needs, packet: Packet) -> RuleMatch | None:
        """The rule without the conditions that need only that, as the packet answers them; None
        where one of them fails."""
        kept = []
        for condition in self.conditions:
            answer = condition.test(packet) if condition.needs is needs else None
            if answer is False:
                return None
            if answer is None:
                kept.append(condition)
        if len(kept) == len(self.conditions):
            return self
        return RuleMatch(tuple(kept), self.decision)


Group = tuple[tuple[RuleMatch, ...], ...]
"""The rules of policies of which any may come first; mostly of one policy."""


@dataclasses.dataclass(frozen=True, slots=True)
class TierPlan:
    """One tier as it applies to a subject: only policies that select it, in order."""

    tier: Tier
    groups: tuple[Group, ...]
    default: Decision
    port_specs: dict[PortSpec, tuple[Group, ...]] = dataclasses.field(
        default_factory=dict, compare=False
    )

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
        port_spec = packet[2:6]
        groups = self.port_specs.get(port_spec)
        if groups is None:
            if len(self.port_specs) >= MOST_PORTS:
                self.port_specs.clear()
            groups = self.port_specs[port_spec] = _without(self.groups, Needs.PORT, packet)
        for group in groups:
            certain, passed = _ask(group, packet, found)
            go_on = go_on or passed
            if certain:
                return go_on
        if self.tier.default is Action.PASS:
            return True
        found.decisions.append(self.default)
        return go_on

    def for_subject(self, packet: Packet) -> TierPlan:
        """This tier without the rules that can never match the subject of the packet."""
        hits = (hit for group in self.groups for some in group for hit in some)
        if all(c.needs is not Needs.SUBJECT for hit in hits for c in hit.conditions):
            return self
        return TierPlan(self.tier, _without(self.groups, Needs.SUBJECT, packet), self.default)


def _without(groups: tuple[Group, ...], needs: Needs, packet: Packet) -> tuple[Group, ...]:
    def left(hits: tuple[RuleMatch, ...]) -> tuple[RuleMatch, ...]:
        return tuple(kept for hit in hits if (kept := hit.without(needs, packet)) is not None)

    kept = (tuple(map(left, group)) for group in groups)
    return tuple(group for group in kept if any(group))


def _ask(group: Group, packet: Packet, found: Decisions) -> tuple[bool, bool]:
    """Whether the group decides for sure, and whether it may pass on to the next tier."""
    certain = passed = False
    matching = 0
    for hits in group:
        before = matching
        for hit in hits:
            answer = hit.matches(packet)
            if answer is False:
                continue
            matching = before + 1
            if hit.decision is None:
                passed = True
            else:
                found.decisions.append(hit.decision)
            if answer:
                certain = True
                break
            found.open.append(f"whether {hit.unknown(packet)}")
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
    families: dict[int, tuple[TierPlan, ...]] = dataclasses.field(default_factory=dict)

    def decide(self, packet: Packet, found: Decisions) -> None:
        """Add every possible decision about a packet."""
        stages = self.families.get(packet.version)
        if stages is None:
            stages = tuple(stage.for_subject(packet) for stage in self.stages)
            self.families[packet.version] = stages
        for stage in stages:
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


def stage_of(direction: Direction, tier: Tier, groups: tuple[tuple[Policy, ...], ...]) -> TierPlan:
    """The stage of a tier for everything that these policies select."""

    def hits(policy: Policy) -> tuple[RuleMatch, ...]:
        return tuple(
            RuleMatch(
                rule.conditions,
                None if rule.action is Action.PASS else Decision.by_rule(direction, policy, rule),
            )
            for rule in policy.rules[direction]
            if rule.action is not Action.LOG
        )

    refs = tuple(policy.ref for group in groups for policy in group)
    default = Decision.by_default(direction, tier, refs)
    return TierPlan(tier, tuple(tuple(map(hits, group)) for group in groups), default)
