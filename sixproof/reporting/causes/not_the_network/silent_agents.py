"""What is not the network: a probe pod's agent, client and server in one, that hangs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from sixproof.model import (
    Disagreement,
    Endpoint,
    EndpointKind,
    Family,
    MatrixKind,
    Observation,
    Outcome,
    Protocol,
)
from sixproof.probes.nodes import reader
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence
from sixproof.reporting.conclusion.reach import alike
from sixproof.reporting.conclusion.situation import Situation


def find(situation: Situation) -> Iterator[Cause]:
    """Each agent that was asked for its facts and did not answer, several of one node as one.
    Pods that ended have a rule of their own, and where no agent answers, the agents are not at
    fault."""
    if not situation.nodes:
        return
    ends = {reader.name(end): end for end in situation.endpoints}
    ended = {f"{one.namespace}/{one.name}" for one in situation.examination.ended}
    silent: dict[str, dict[Endpoint, str]] = defaultdict(dict)
    for reading in (*situation.examination.inside, *situation.examination.after):
        end = ends.get(reading.node)
        if end is not None and reading.seen is None and reading.node not in ended:
            silent[end.node][end] = reading.missing
    for node, found in silent.items():
        if len(found) > 1:
            names = frozenset(end.name for end in found)
            who = f"the probe agents (python) of {len(found)} of its pods do"
            if node not in situation.nodes:
                names = frozenset(end.name for end in situation.endpoints if end.node == node)
                who = "its probe agents (python) do"
            yield _cause(situation, f"node {node}", who, names, found)
        else:
            for end, missing in found.items():
                place, who = end.called, "its agent (python) does"
                if end.kind is EndpointKind.HOST:
                    place, who = f"node {node}", "the agent (python) of its host network does"
                yield _cause(situation, place, who, frozenset({end.name}), {end: missing})


def _cause(
    situation: Situation,
    place: str,
    who: str,
    names: frozenset[str],
    silent: Mapping[Endpoint, str],
) -> Cause:
    node = next(iter(silent)).node
    echoes = [seen for seen in situation.seen_of(MatrixKind.FLOWS) if _is_echo(seen, names)]
    answered = sum(echo.outcome.works for echo in echoes)
    hits = _open(names, reached=answered == len(echoes))
    cells = [wrong for wrong in situation.wrong if hits(wrong)]
    lines = [
        f"{end.called}, at the end of the run: {why.removeprefix(f'{end.name}: ')}"
        for end, why in silent.items()
    ]
    if answered:
        lines.append(f"the kernel answered {answered} of {len(echoes)} ICMP echo requests to it")
    return Cause(
        "agent-silent",
        place,
        f"{who} not answer{alike(cells)}: {len(cells)} cells could not be measured, and this says "
        f"nothing about the network",
        f"See why the process hangs on {node} (its state, memory, disk), and run again",
        tuple(Family),
        Confidence.SHOWN,
        hits=hits,
        evidence=tuple(lines),
    )


def _is_echo(seen: Observation, names: frozenset[str]) -> bool:
    """Whether another endpoint sent ICMP echo requests there: the kernel answers them."""
    flow = seen.flow
    to_it = flow.destination.name in names and flow.source.name not in names
    return flow.protocol is Protocol.ICMP and to_it


def _open(names: frozenset[str], *, reached: bool) -> Callable[[Disagreement], bool]:
    """What such an agent leaves open: cells that it should have measured, or been a witness for,
    also behind a service; and, where packets `reached` its kernel, silences of TCP and UDP there
    for which it gave no server-side evidence. Path checks and crafted packets, which have a
    question, need no such evidence."""

    def hits(wrong: Disagreement) -> bool:
        seen = wrong.observation
        flow = seen.flow
        if seen.outcome is Outcome.UNKNOWN and not seen.stalled:
            return bool(names & {flow.source.name, flow.destination.name, *seen.untold})
        silent = seen.outcome is Outcome.DROPPED and seen.arrived is None and not flow.question
        return silent and reached and flow.destination.name in names

    return hits


RULES = (
    CauseRule(
        "agent-silent",
        "A probe pod's agent hangs: not the network",
        "cells that were not measured, and agents that do not report their own facts",
        find,
        ("A4",),
    ),
)
