"""Felix's state: what Felix of a node, or what it made there, is found to be by its metrics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from sixproof.model import Disagreement, Family, MatrixKind
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence, log_of
from sixproof.reporting.conclusion.reach import carried_over
from sixproof.reporting.conclusion.situation import Situation


def find(situation: Situation) -> Iterator[Cause]:
    """For each node what its Felix is found to be, of all families of which that is the same."""
    found: dict[tuple[str, str, str], set[Family]] = defaultdict(set)
    for wrong in situation.wrong_of(MatrixKind.FELIX):
        seen = wrong.observation
        if seen.outcome.measured:
            where = seen.flow.destination.node, seen.flow.question, seen.reason
            found[where].add(seen.flow.family)
    for (node, question, reason), families in found.items():
        of = tuple(f for f in Family if f in families)
        pods = situation.examination.of("calico-node", node)
        yield Cause(
            "felix-state",
            f"node {node}",
            reason,
            f"See calico-node's log on {node}",
            of,
            Confidence.SHOWN,
            hits=_cells(node, question, families),
            do=tuple(map(log_of, pods)),
        )


def _cells(node: str, question: str, families: set[Family]) -> Callable[[Disagreement], bool]:
    def hits(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        mine = flow.destination.node == node and flow.question == question
        return mine and (flow.family in families or carried_over(flow) in families)

    return hits


RULES = (
    CauseRule(
        "felix-state",
        "Felix of a node does not follow changes, or has not applied its settings",
        "Felix's metrics of each node, and what its settings ask for (suites/felix)",
        find,
        ("C5",),
        "Calico documentation, Felix Prometheus metrics",
    ),
)
