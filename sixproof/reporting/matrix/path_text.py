"""Paths as text: every hop with its MTU, which sizes passed, and who said that one was too big."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sixproof.agent.protocol import Event
from sixproof.model import Family
from sixproof.probes.pmtu.counters import trace
from sixproof.probes.pmtu.judge import Complaint, Kind, Rule, judge, signals
from sixproof.probes.pmtu.probe import Expedition, Passage
from sixproof.reporting.diagnosis.category import Category
from sixproof.reporting.diagnosis.evidence import blames

TOLD = 4
"""Passages told in full; the others by name only."""


def drawing(passage: Passage) -> Iterator[str]:
    """One path, a line a hop."""
    promised = passage.path.promised
    yield f"{passage.name}: {'MTU unknown' if promised is None else f'MTU {promised}'}"
    narrowest = passage.path.narrowest
    for hop in passage.path.hops:
        mark = "  <- narrowest" if hop is narrowest and narrower(passage) else ""
        why = f"  {hop.why}" if hop.why else ""
        yield f"  {hop.mtu:>5}  {hop.where} {hop.device}{why}{mark}"
    yield f"  {sizes(passage)}"


def sizes(passage: Passage) -> str:
    """Which sizes passed, were refused or vanished, and what came of bulk."""
    sent = sorted(
        (passage.small, passage.first, passage.beyond, *passage.pattern), key=lambda s: s.size
    )
    passed = dict.fromkeys(str(s.size) for s in sent if s.event == Event.ECHOED)
    refused = dict.fromkeys(str(s.size) for s in sent if s.event == Event.TOO_BIG)
    vanished = dict.fromkeys(str(s.size) for s in sent if s.event == Event.SILENT)
    parts = [
        f"{word} {', '.join(those)}"
        for word, those in (("passed", passed), ("too big", refused), ("silence", vanished))
        if those
    ]
    told = dict.fromkeys(f"{s.sender} said MTU {s.mtu}" for s in signals(passage))
    bulk = passage.bulk
    carried = f"{bulk.event} after {bulk.elapsed:.2f} s, MSS {bulk.segment}"
    return "; ".join([*parts, *told, f"TCP bulk {carried}"])


def verdict(title: str, complaints: Sequence[Complaint], seen: Expedition, rule: Rule) -> str:
    """The message of a failing check: what, which pairs, which hop first, what kernels counted."""
    kinds = dict.fromkeys(c.kind for c in complaints)
    family = complaints[0].passage.flow.family
    lines = [f"{title}: {len(complaints)} of {len(seen.over(family))} ordered pairs over {family}"]
    lines += [f"  {kind.value}" for kind in kinds]
    for complaint in complaints[:TOLD]:
        passage = complaint.passage
        lines.append(f"  {passage.name}: {complaint.said}")
        if complaint.kind in (Kind.BLACK_HOLE, Kind.NARROW):
            way = _way(complaint, seen)
            lines.append(f"    {_first_hop(way)}; {trace(way, seen)}")
        lines += [f"    {line}" for line in list(drawing(_way(complaint, seen)))[1:]]
    lines += [f"  {c.passage.name}: {c.said}" for c in complaints[TOLD:]]
    if place := suspect(complaints, seen):
        lines.append(f"  look at {place} first")
    return blames("\n".join(lines), *categories(complaints, seen, rule))


def accounts(complaints: Sequence[Complaint], seen: Expedition) -> tuple[str, ...]:
    """What kernels counted, a line for each complaint that is about a lost or refused packet."""
    told = (Kind.BLACK_HOLE, Kind.NARROW)
    return tuple(str(trace(_way(c, seen), seen)) if c.kind in told else "" for c in complaints)


def suspect(complaints: Sequence[Complaint], seen: Expedition) -> str:
    """The node that counters name, else the one that all these pairs have in common."""
    counted = dict.fromkeys(trace(_way(c, seen), seen).place for c in complaints)
    named = [node for node in counted if node]
    if named:
        return " and ".join(named)
    pairs = [{c.passage.flow.source.node, c.passage.flow.destination.node} for c in complaints]
    common = set.intersection(*pairs)
    others = {n for p in seen.passages for n in (p.flow.source.node, p.flow.destination.node)}
    return common.pop() if len(common) == 1 and len(pairs) > 1 and len(others) > 2 else ""


def categories(
    complaints: Sequence[Complaint], seen: Expedition, rule: Rule
) -> tuple[Category, ...]:
    """The classes: a black hole is one in either family; one family alone is named."""
    family = complaints[0].passage.flow.family
    pairs = {c.passage.ends for c in complaints}
    others = [p for p in seen.over(family.other) if p.ends in pairs]
    hole = [Category.MTU] if any(c.kind is Kind.BLACK_HOLE for c in complaints) else []
    if not others or judge(others, rule):
        return (*hole, Category.BOTH)
    return (*hole, Category.IPV6_ONLY if family is Family.IPV6 else Category.IPV4_ONLY)


def _way(complaint: Complaint, seen: Expedition) -> Passage:
    """The direction that a complaint is about."""
    return seen.back(complaint.passage) if complaint.backwards else complaint.passage


def _first_hop(passage: Passage) -> str:
    narrowest = passage.path.narrowest
    return f"narrowest hop: {narrowest}" if narrowest else "no hop is known"


def narrower(passage: Passage) -> bool:
    """Whether the hops differ in size."""
    return len({hop.mtu for hop in passage.path.hops}) > 1
