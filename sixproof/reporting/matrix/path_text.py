"""Paths as text: every hop with its MTU, which sizes passed, and which hop reported Too Big."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sixproof.agent.protocol import Event
from sixproof.errors import VerdictError
from sixproof.model import Family
from sixproof.probes.pmtu.counters import trace
from sixproof.probes.pmtu.judge import Rule, Violation, ViolationKind, judge, signals
from sixproof.probes.pmtu.path_run import PathResult, PathRun
from sixproof.reporting.diagnosis.category import Category, one_family
from sixproof.reporting.diagnosis.evidence import wrong

SHOWN = 4
"""Passages shown in full; the others by name only."""


def drawing(path_result: PathResult) -> Iterator[str]:
    """One path, a line a hop."""
    promised = path_result.path.promised
    yield f"{path_result.name}: {'MTU unknown' if promised is None else f'MTU {promised}'}"
    narrowest = path_result.path.narrowest
    for hop in path_result.path.hops:
        mark = "  <- narrowest" if hop is narrowest and narrower(path_result) else ""
        why = f"  {hop.why}" if hop.why else ""
        yield f"  {hop.mtu:>5}  {hop.where} {hop.device}{why}{mark}"
    yield f"  {sizes(path_result)}"


def sizes(path_result: PathResult) -> str:
    """Which sizes passed, were refused or vanished, and the result of bulk."""
    sent = sorted(
        (path_result.small, path_result.first, path_result.beyond, *path_result.pattern),
        key=lambda s: s.size,
    )
    passed = dict.fromkeys(str(s.size) for s in sent if s.event == Event.ECHOED)
    refused = dict.fromkeys(str(s.size) for s in sent if s.event == Event.TOO_BIG)
    vanished = dict.fromkeys(str(s.size) for s in sent if s.event == Event.SILENT)
    parts = [
        f"{word} {', '.join(those)}"
        for word, those in (("passed", passed), ("too big", refused), ("silence", vanished))
        if those
    ]
    reported_mtus = dict.fromkeys(f"{s.sender} gave MTU {s.mtu}" for s in signals(path_result))
    if path_result.lost:
        parts.append(f"{', '.join(map(str, path_result.lost))} lost once, by chance")
    bulk = path_result.bulk
    carried = f"{bulk.event} after {bulk.elapsed:.2f} s, MSS {bulk.segment}"
    return "; ".join([*parts, *reported_mtus, f"TCP bulk {carried}"])


def verdict(title: str, violations: Sequence[Violation], seen: PathRun, rule: Rule) -> VerdictError:
    """The message of a failing check: what, which pairs, which hop first, what kernels counted."""
    kinds = dict.fromkeys(c.kind for c in violations)
    family = violations[0].path_result.flow.family
    lines = [f"{title}: {len(violations)} of {len(seen.over(family))} ordered pairs over {family}"]
    lines += [f"  {kind.value}" for kind in kinds]
    for violation in violations[:SHOWN]:
        path_result = violation.path_result
        lines.append(f"  {path_result.name}: {violation.said}")
        if violation.kind in (ViolationKind.BLACK_HOLE, ViolationKind.NARROW):
            way = _way(violation, seen)
            lines.append(f"    {_first_hop(way)}; {trace(way, seen)}")
        lines += [f"    {line}" for line in list(drawing(_way(violation, seen)))[1:]]
    lines += [f"  {c.path_result.name}: {c.said}" for c in violations[SHOWN:]]
    if place := suspect(violations, seen):
        lines.append(f"  look at {place} first")
    return wrong("\n".join(lines), [family], *categories(violations, seen, rule))


def accounts(violations: Sequence[Violation], seen: PathRun) -> tuple[str, ...]:
    """What kernels counted, a line for each complaint that is about a lost or refused packet."""
    kinds = (ViolationKind.BLACK_HOLE, ViolationKind.NARROW)
    return tuple(str(trace(_way(c, seen), seen)) if c.kind in kinds else "" for c in violations)


def suspect(violations: Sequence[Violation], seen: PathRun) -> str:
    """The node that counters name, else the one that all these pairs have in common."""
    counted = dict.fromkeys(trace(_way(c, seen), seen).place for c in violations)
    named = [node for node in counted if node]
    if named:
        return " and ".join(named)
    pairs = [
        {c.path_result.flow.source.node, c.path_result.flow.destination.node} for c in violations
    ]
    common = set.intersection(*pairs)
    others = {n for p in seen.path_results for n in (p.flow.source.node, p.flow.destination.node)}
    return common.pop() if len(common) == 1 and len(pairs) > 1 and len(others) > 2 else ""


def categories(violations: Sequence[Violation], seen: PathRun, rule: Rule) -> tuple[Category, ...]:
    """The classes: a black hole is one in either family; one family alone is named."""
    family = violations[0].path_result.flow.family
    pairs = {c.path_result.ends for c in violations}
    others = [p for p in seen.over(family.other) if p.ends in pairs]
    hole = [Category.MTU] if any(c.kind is ViolationKind.BLACK_HOLE for c in violations) else []
    both = bool(others) and bool(judge(others, rule))
    only = one_family(Family if both else [family], Family if others else [family])
    return (*hole, only or Category.BOTH)


def _way(violation: Violation, seen: PathRun) -> PathResult:
    """The direction that a complaint is about."""
    return seen.back(violation.path_result) if violation.backwards else violation.path_result


def _first_hop(path_result: PathResult) -> str:
    narrowest = path_result.path.narrowest
    return f"narrowest hop: {narrowest}" if narrowest else "no hop is known"


def narrower(path_result: PathResult) -> bool:
    """Whether the hops differ in size."""
    return len({hop.mtu for hop in path_result.path.hops}) > 1
