"""The walk: which policies and rules were looked at, and why each did or did not decide."""

from __future__ import annotations

import dataclasses

from sixproof.errors import brief
from sixproof.policy.engine.packet import Packet
from sixproof.policy.engine.plan import Decisions, EvaluationPlan
from sixproof.policy.engine.rules import Action, Direction, Policy, PolicyRef, Rule


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One thing looked at: a rule (`rule` is its index), or a policy that does not apply.

    `matched` is None where it cannot be known.
    """

    tier: str
    policy: PolicyRef
    rule: int | None
    matched: bool | None
    why: str

    def __str__(self) -> str:
        place = "" if self.rule is None else f" rule {self.rule}"
        return f"{self.tier}: {self.policy}{place}: {self.why}"


def walk(
    plan: EvaluationPlan, packets: tuple[Packet, ...], others: tuple[Policy, ...]
) -> tuple[Step, ...]:
    """The steps of a plan for each packet, then the other policies, which do not apply."""
    steps: dict[Step, None] = {}
    for packet in packets:
        steps.update(dict.fromkeys(_tiers(plan, packet)))
    applying = {p.ref for _, groups in plan.selecting for group in groups for p in group}
    for policy in others:
        if policy.ref not in applying:
            why = _does_not_apply(policy, plan.direction)
            steps[Step(policy.tier, policy.ref, None, False, why)] = None
    return tuple(steps)


def _tiers(plan: EvaluationPlan, packet: Packet) -> list[Step]:
    steps: list[Step] = []
    for stage, (_, groups) in zip(plan.stages, plan.selecting, strict=True):
        for group in groups:
            certain = [_policy(policy, plan.direction, packet, steps) for policy in group]
            if any(certain):
                break
        if not stage.decide(packet, Decisions()):
            break
    return steps


def _policy(policy: Policy, direction: Direction, packet: Packet, steps: list[Step]) -> bool:
    """Add the rules of a policy up to the one that matches; whether one does for sure."""
    rules = policy.rules[direction]
    if not rules:
        steps.append(Step(policy.tier, policy.ref, None, False, "selects it, and has no rules"))
    for rule in rules:
        matched, why = _rule(rule, packet)
        steps.append(Step(policy.tier, policy.ref, rule.index, matched, why))
        if matched and rule.action is not Action.LOG:
            return True
    return False


def _rule(rule: Rule, packet: Packet) -> tuple[bool | None, str]:
    answers = [(brief(condition.wanted), condition.test(packet)) for condition in rule.conditions]
    for wanted, answer in answers:
        if answer is False:
            return False, f"does not match, wants {wanted}"
    unknown = " and ".join(wanted for wanted, answer in answers if answer is None)
    if unknown:
        return None, f"{rule.action} if {unknown}, which is not known"
    asked = " and ".join(wanted for wanted, _ in answers)
    return True, f"matches ({asked or 'everything'}): {rule.action}"


def _does_not_apply(policy: Policy, direction: Direction) -> str:
    if policy.inert:
        return policy.inert
    if direction not in policy.rules:
        return f"does not act on {direction}"
    return f"does not select it: {brief(policy.subject)}"
