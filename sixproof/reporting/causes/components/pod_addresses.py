"""Pod addresses: the API server, Calico and its IPAM do not say the same of a pod."""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Callable, Iterator

from sixproof.model import Disagreement, Endpoint, Family, MatrixKind
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence, Trait
from sixproof.reporting.conclusion.situation import Situation


def find(situation: Situation) -> Iterator[Cause]:
    """Each node with such pods: the pod where it is one, the node where it is all of its pods."""
    groups: dict[tuple[str, Family], list[Disagreement]] = defaultdict(list)
    for wrong in situation.wrong_of(MatrixKind.ADDRESSES):
        flow = wrong.observation.flow
        groups[flow.destination.node, flow.family].append(wrong)
    for (node, family), cells in groups.items():
        pods = {cell.observation.flow.destination: cell for cell in cells}
        first, cell = next(iter(pods.items()))
        reason = cell.observation.reason
        if len(pods) > 1:
            lead = f"{len(pods)} pods have no agreed {family} address"
            cause = _cause(
                f"node {node}",
                f"{lead}, {first.called} for one: {reason}",
                family,
                pods,
                "See whether a plugin chained to Calico's changes its result, and make pods again",
            )
            yield dataclasses.replace(
                cause,
                briefer=tuple(f"{lead}, one of them: {said}" for said in (reason, _brief(reason))),
                details=(f"{first.called}: {reason}",),
            )
        else:
            cause = _cause(
                first.called,
                reason,
                family,
                pods,
                "Delete the pod so that it gets new addresses; if it comes back, see Calico's "
                f"CNI plugin on {node}",
            )
            yield dataclasses.replace(cause, briefer=(_brief(reason),), details=(reason,))


def _brief(reason: str) -> str:
    """A reason without where it was read, which ends it in brackets."""
    return re.sub(r" \([^()]*\)$", "", reason)


def _cause(
    place: str, what: str, family: Family, pods: dict[Endpoint, Disagreement], remedy: str
) -> Cause:
    return Cause(
        "pod-address",
        place,
        what,
        remedy,
        (family,),
        Confidence.SHOWN,
        hits=_at(frozenset((p.namespace, p.pod) for p in pods), family),
        evidence=(f"seen of {', '.join(f'{p.namespace}/{p.pod}' for p in list(pods)[:3])}",),
        traits=frozenset(
            {Trait.NOT_IN_POD_IPS} if any(p.address(family) is None for p in pods) else ()
        ),
    )


def _at(pods: frozenset[tuple[str, str]], family: Family) -> Callable[[Disagreement], bool]:
    def hits(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        ends = {(e.namespace, e.pod) for e in (flow.source, flow.destination)}
        return flow.family is family and bool(ends & pods)

    return hits


RULES = (
    CauseRule(
        "pod-address",
        "API server, Calico and its IPAM disagree about a pod's address",
        "podIPs, the annotation of Calico's CNI plugin, IPAM blocks (suites/calico)",
        find,
        ("L4", "R6"),
        "Calico documentation, IP address management",
    ),
)
