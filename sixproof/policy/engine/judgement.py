"""The oracle's answer about one flow, with everything that led to it."""

from __future__ import annotations

import dataclasses

from sixproof.model import Expectation, Flow, Outcome
from sixproof.policy.engine.decision import Decision, Verdict
from sixproof.policy.engine.packet import Packet
from sixproof.policy.engine.plan import EvaluationPlan
from sixproof.policy.engine.rules import Direction, Policy, PolicyRef
from sixproof.policy.engine.walk import Step, walk


@dataclasses.dataclass(frozen=True, slots=True)
class SideJudgement:
    """One direction of a flow.

    `decisions` are all that are possible: one, or several that agree, or the verdict is
    UNDEFINED, and `open` says what is not known. `tier`, `policy` and `rule` (its index in the
    manifest's list) are those of the first decision that gives the verdict. `subjects` name the
    endpoint of each decision where they have several: the backends of a service.
    """

    direction: Direction
    verdict: Verdict
    subject: str
    decisions: tuple[Decision, ...]
    open: tuple[str, ...]
    plan: EvaluationPlan | None
    packets: tuple[Packet, ...]
    subjects: tuple[str, ...] = ()

    @property
    def _decisive(self) -> Decision | None:
        return next((d for d in self.decisions if d.verdict is self.verdict), None)

    @property
    def tier(self) -> str:
        """The tier that decided, empty where none did."""
        return self._decisive.tier if self._decisive else ""

    @property
    def policy(self) -> PolicyRef | None:
        """The policy that decided; where a tier's default did, the first that selects."""
        return self._decisive.policy if self._decisive else None

    @property
    def rule(self) -> int | None:
        """The rule that decided, None where a default did."""
        return self._decisive.rule if self._decisive else None

    @property
    def reason(self) -> str:
        """Why, on one line."""
        subjects = self.subjects or (self.subject,) * len(self.decisions)
        pairs = tuple(zip(self.decisions, subjects, strict=True))
        if self._decisive is not None:
            return next(d.reason(who) for d, who in pairs if d is self._decisive)
        if not self.decisions:
            return ", ".join(self.open)
        text = f"it is not known {', '.join(dict.fromkeys(self.open))}"
        reasons = dict.fromkeys(d.reason(who) for d, who in pairs)
        return f"{text}; {', or '.join(reasons)}"

    def walk(self, policies: tuple[Policy, ...] = ()) -> tuple[Step, ...]:
        """Every policy and rule that was looked at, in order, and why it did not decide.

        With `policies` (`Oracle.policies`), those that do not apply are listed after them.
        """
        if self.plan is None:
            return ()
        return walk(self.plan, self.packets, policies)


@dataclasses.dataclass(frozen=True, slots=True)
class Judgement:
    """What must happen to a flow. `unknown` says why, where it could not be judged at all."""

    flow: Flow
    verdict: Verdict
    egress: SideJudgement
    ingress: SideJudgement
    deny_outcomes: frozenset[Outcome]
    unknown: str = ""

    @property
    def allowed(self) -> bool:
        """Whether the flow must work. Neither DENIED nor UNDEFINED is allowed."""
        return self.verdict is Verdict.ALLOWED

    @property
    def related(self) -> Verdict:
        """What must happen to replies, and to ICMP errors about the flow (Packet Too Big): they
        pass with a flow that is allowed, also into an isolated pod."""
        return self.verdict

    @property
    def because(self) -> str:
        """Why, on one line for reports."""
        if self.unknown:
            return f"undefined: {self.unknown}"
        both = (self.egress, self.ingress)
        sides = [side for side in both if side.verdict is self.verdict] or both
        return "; ".join(f"{s.direction} {s.verdict.lower()}: {s.reason}" for s in sides)

    def expectation(self) -> Expectation:
        """What a probe must see. Of an undefined flow, either: that it works, or a denial."""
        by_policy = self.egress.policy is not None or self.ingress.policy is not None
        match self.verdict:
            case Verdict.ALLOWED:
                return Expectation.allowed(self.because, by_policy=by_policy)
            case Verdict.DENIED:
                return Expectation(self.deny_outcomes, self.because, by_policy)
            case _:
                either = self.deny_outcomes | {Outcome.ALLOWED}
                return Expectation(either, self.because, by_policy)

    def __str__(self) -> str:
        return f"{self.flow}: {self.verdict} ({self.because})"
