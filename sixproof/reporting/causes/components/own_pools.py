"""Own pools: somebody changed a pool of the run, so that it cannot do what the run asks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sixproof.model import Disagreement, Finding
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Command, Confidence, remedy_of
from sixproof.reporting.conclusion.situation import Situation
from sixproof.workloads.pools import stored
from sixproof.workloads.pools.own_pool import serves

POOLS = "ippools.projectcalico.org"
MANAGED = ("-o", "yaml", "--show-managed-fields")
WHO = "managedFields: who changed it, and when"


def find(situation: Situation) -> Iterator[Cause]:
    """Each pool that a test found changed."""
    for finding in situation.results.findings:
        if finding.code == stored.OWN_POOL.code:
            yield Cause(
                "own-pool",
                finding.subject,
                finding.seen,
                remedy_of(finding),
                finding.families,
                Confidence.SHOWN,
                hits=_of_its_pods(finding),
                see=(Command.of("kubectl", "get", POOLS, finding.about.name, *MANAGED, note=WHO),),
                parts=("",),
            )


def _of_its_pods(finding: Finding) -> Callable[[Disagreement], bool]:
    def hits(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        ends = (flow.source.namespace, flow.destination.namespace)
        return flow.family in finding.families and any(
            serves(finding.about.name, namespace) for namespace in ends
        )

    return hits


RULES = (
    CauseRule(
        "own-pool",
        "A pool of the run was changed while it ran",
        "IPPools of the run in Calico's store, read where one does not do what it must "
        "(suites/calico)",
        find,
        ("L5",),
        "Calico API reference: IPPool",
    ),
)
