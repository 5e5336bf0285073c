"""What decided: one rule, one tier's default, or nothing at all."""

from __future__ import annotations

import dataclasses
import enum

from sixproof.policy.engine.rules import Action, Direction, Policy, PolicyRef, Rule, Tier


class Verdict(enum.StrEnum):
    """The oracle's answer. UNDEFINED: the API leaves it open, or what decides is not known."""

    ALLOWED = "ALLOWED"
    DENIED = "DENIED"
    UNDEFINED = "UNDEFINED"

    @classmethod
    def of(cls, *, allowed: bool) -> Verdict:
        """ALLOWED or DENIED."""
        return cls.ALLOWED if allowed else cls.DENIED


def agreed(verdicts: set[Verdict]) -> Verdict:
    """The verdict of alternatives: what all say, else UNDEFINED."""
    return verdicts.pop() if len(verdicts) == 1 else Verdict.UNDEFINED


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """One way in which a direction is decided.

    A rule decides (`policy` and `rule` are set), or the default of a tier whose policies select
    the subject and do not match (`selecting` names them), or something else (`note` says what).
    """

    verdict: Verdict
    direction: Direction
    tier: str = ""
    policy: PolicyRef | None = None
    rule: int | None = None
    rule_name: str = ""
    selecting: tuple[PolicyRef, ...] = ()
    note: str = ""

    @classmethod
    def by_rule(cls, direction: Direction, policy: Policy, rule: Rule) -> Decision:
        """A rule decides."""
        verdict = Verdict.of(allowed=rule.action is Action.ALLOW)
        ref, index = policy.ref, rule.index
        return cls(verdict, direction, policy.tier, ref, index, rule.name)

    @classmethod
    def by_default(
        cls, direction: Direction, tier: Tier, selecting: tuple[PolicyRef, ...]
    ) -> Decision:
        """A tier denies what none of its rules match."""
        first = selecting[0]
        return cls(Verdict.DENIED, direction, tier.name, policy=first, selecting=selecting)

    def reason(self, subject: str) -> str:
        """Why, in a few words about the subject."""
        if self.note:
            return self.note.replace("{subject}", subject)
        if self.rule is None:
            some = [str(ref) for ref in self.selecting[:3]]
            more = len(self.selecting) - len(some)
            names = ", ".join(some) + (f" and {more} more" if more else "")
            verb = "selects" if len(self.selecting) == 1 else "select"
            return f"{names} {verb} {subject} and no rule matches"
        verb = "allows" if self.verdict is Verdict.ALLOWED else "denies"
        name = f" ({self.rule_name})" if self.rule_name else ""
        return f"{self.policy} {self.direction}[{self.rule}]{name} {verb} it"
