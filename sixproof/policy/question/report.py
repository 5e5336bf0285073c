"""Judgements in words, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sixproof.errors import brief
from sixproof.policy.engine.judgement import Judgement, SideJudgement
from sixproof.policy.engine.oracle import Oracle
from sixproof.policy.engine.walk import Step

_LONGEST = 600
"""Characters of a reason: selectors and lists of addresses have no end of their own."""


def explained(oracle: Oracle, judgement: Judgement, *, everything: bool = False) -> str:
    """A judgement with its walk; `everything` lists the policies that do not apply too."""
    lines = [f"{judgement.flow}: {judgement.verdict}", f"  because {cut(judgement.because)}"]
    policies = oracle.policies if everything else ()
    for side in (judgement.egress, judgement.ingress):
        lines.append(f"  {side.direction}: {side.verdict}, {cut(side.reason)}")
        lines.extend(f"    {line}" for line in _aligned(side.walk(policies)))
    if not judgement.allowed:
        looks = " or ".join(sorted(judgement.deny_outcomes))
        lines.append(f"  a denial looks like {looks}")
    return "\n".join(lines)


def given_that(premises: Sequence[str]) -> list[str]:
    """The premises of an answer, as lines below it."""
    return ["given that", *(f"  {cut(premise)}" for premise in premises)] if premises else []


def cut(text: str) -> str:
    """A reason or a premise, of a length that can be read."""
    return brief(text, _LONGEST)


def _aligned(steps: tuple[Step, ...]) -> Iterator[str]:
    rows = [
        (step.tier, str(step.policy), "" if step.rule is None else f"rule {step.rule}", step.why)
        for step in steps
    ]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, cut(row[3])])


def to_json(judgement: Judgement) -> dict[str, object]:
    """A judgement as one JSON object."""
    flow = judgement.flow
    return {
        "source": flow.source.name,
        "destination": flow.destination.name,
        "address": str(flow.address),
        "family": flow.family.value,
        "protocol": flow.protocol.value,
        "port": flow.port,
        "verdict": judgement.verdict.value,
        "because": cut(judgement.because),
        "denyOutcomes": sorted(outcome.value for outcome in judgement.deny_outcomes),
        "egress": _side_json(judgement.egress),
        "ingress": _side_json(judgement.ingress),
    }


def _side_json(side: SideJudgement) -> dict[str, object]:
    return {
        "verdict": side.verdict.value,
        "tier": side.tier or None,
        "policy": None if side.policy is None else str(side.policy),
        "rule": side.rule,
        "reason": cut(side.reason),
    }
