"""Ended pods: a pod of the run's own was killed, evicted or preempted while it was needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sixproof.errors import brief
from sixproof.kube.facts.components import EndedPod
from sixproof.model import Disagreement, Endpoint, Family, Outcome
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Command, Confidence
from sixproof.reporting.conclusion.reach import carried_over
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.pattern import said_count, said_families

_SAID = 60
"""Characters of how a pod ended that its first line says; the evidence has all of them."""

GONE = "its conditions and events: the pod itself was removed at the end of the run"


def find(situation: Situation) -> Iterator[Cause]:
    """Each such pod of the run."""
    names = {(e.namespace, e.pod): e.called for e in situation.endpoints if e.pod}
    for end in situation.examination.ended:
        who = f"its container {end.container}" if end.container else "it was"
        when = f" at {end.when}" if end.when else ""
        hits = _unknown(end)
        cells = [wrong.observation.flow for wrong in situation.wrong if hits(wrong)]
        if not cells:
            continue
        families = said_families(f for f in Family if f in map(carried_over, cells))
        yield Cause(
            "pod-ended",
            names.get((end.namespace, end.name), f"pod {end.name} on {end.node}"),
            f"{who} ended ({brief(end.how, _SAID)}): {said_count(len(cells), 'cell')} over "
            f"{families} could not be measured; this says nothing about the network",
            "See why it ended, and run again",
            tuple(Family),
            Confidence.SHOWN,
            hits=hits,
            do=(Command.of("kubectl", "describe", "node", end.node, note=GONE),),
            evidence=(f"pod {end.namespace}/{end.name}: {end.how}{when}",),
        )


def _unknown(end: EndedPod) -> Callable[[Disagreement], bool]:
    """Cells that were not measured because this pod had ended."""

    def is_it(endpoint: Endpoint) -> bool:
        return (endpoint.namespace, endpoint.pod) == (end.namespace, end.name)

    def hits(wrong: Disagreement) -> bool:
        seen = wrong.observation
        ours = is_it(seen.flow.source) or is_it(seen.flow.destination)
        return ours and seen.outcome is Outcome.UNKNOWN

    return hits


RULES = (
    CauseRule(
        "pod-ended",
        "A probe pod ended while it was needed: not the network",
        "container statuses of the run's pods",
        find,
        ("A1",),
        "Kubernetes API reference: ContainerStateTerminated",
    ),
)
