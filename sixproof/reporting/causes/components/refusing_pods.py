"""Refusing pods: a pod answers with resets over a family although its agent listens there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from sixproof.model import Disagreement, Endpoint, EndpointKind, Family, MatrixKind, Outcome
from sixproof.probes.nodes import reader
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Command, Confidence
from sixproof.reporting.conclusion.reach import carried_over
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.pattern import said_list

LEAST = 2
"""Clients that must have been refused."""


def find(situation: Situation) -> Iterator[Cause]:
    """Each pod that refuses several clients over a family, while its agent answers the run."""
    alive = {r.node for r in situation.examination.inside if r.seen is not None}
    refused: dict[tuple[str, Family], list[Disagreement]] = defaultdict(list)
    for wrong in situation.wrong_of(MatrixKind.FLOWS):
        flow = wrong.observation.flow
        at_pod = flow.destination.kind is EndpointKind.POD
        if at_pod and wrong.observation.outcome is Outcome.REFUSED:
            refused[reader.name(flow.destination), carried_over(flow)].append(wrong)
    for (name, family), cells in refused.items():
        clients = {c.observation.flow.source.name for c in cells}
        if name in alive and len(clients) >= LEAST:
            yield _cause(cells[0].observation.flow.destination, family, cells)


def _cause(pod: Endpoint, family: Family, cells: list[Disagreement]) -> Cause:
    protocols = sorted({c.observation.flow.protocol.value for c in cells})
    sources = [c.observation.flow.source for c in cells]
    itself = any(source.name == pod.name for source in sources)
    near = any(source.node == pod.node for source in sources)
    from_where = "from its own node too" if near else "from other nodes"
    from_where = "from itself too" if itself else from_where
    # What a pod sends to itself never leaves it.
    where = "in the pod" if itself else "in the pod or at its interface"
    return Cause(
        "pod-refuses",
        pod.called,
        f"it refuses {said_list(protocols)} over {family}, {from_where}, although its agent "
        f"listens there: something {where} rejects it",
        "Look for a packet filter in the network namespace of such pods",
        (family,),
        Confidence.FITS,
        hits=_to(pod, family),
        evidence=("its agent answered over the control channel at the end of the run",),
        do=(
            Command(
                "ip -all netns exec nft list ruleset",
                pod.node,
                "of all its pods; this one is there if the run has --six-keep on-failure",
            ),
        ),
    )


def _to(pod: Endpoint, family: Family) -> Callable[[Disagreement], bool]:
    def hits(wrong: Disagreement) -> bool:
        seen = wrong.observation
        here = seen.flow.destination.name == pod.name and carried_over(seen.flow) is family
        return here and seen.outcome is Outcome.REFUSED

    return hits


RULES = (
    CauseRule(
        "pod-refuses",
        "A pod refuses connections over a family on ports where its agent listens",
        "REFUSED flows to a probe pod whose agent still answers the run",
        find,
        ("A2",),
        "RFC 9293 section 3.10.7.1, RFC 4443 section 3.1",
    ),
)
