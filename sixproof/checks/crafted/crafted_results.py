"""The outcome of every crafted packet of a run, and what it must be."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping

from sixproof.checks.connect.carried import Closed, must_be_open
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotAsked
from sixproof.model import Family
from sixproof.probes.crafted import matrix as crafted_matrix
from sixproof.probes.crafted import probe as crafted
from sixproof.probes.crafted.probe import CraftedResult, CraftedStatus
from sixproof.reporting.allure import steps
from sixproof.reporting.diagnosis import evidence
from sixproof.reporting.diagnosis.category import Category, one_family

POD, CLUSTER_IP, NODE_PORT, DENIED = (
    "to the pod", "through the clusterIP", "through a NodePort", "to a port that is shut",
)  # fmt: skip
WAYS = (POD, CLUSTER_IP, NODE_PORT)
"""How a crafted packet goes."""
ROUTE = "by a source route"
FULL = "full size "
"""The prefix of the name of a way that a packet of full size takes."""
SHOWN = 8
"""Crafted packets listed in one message."""
Wrong = Callable[[CraftedResult], str]


@dataclasses.dataclass(frozen=True)
class CraftedResults:
    """The outcome of every crafted packet of the run; `closed` are flows on which none was sent,
    by way, since policies of the cluster's owner close them."""

    crafted_results: tuple[CraftedResult, ...]
    recorder: Recorder
    closed: Mapping[str, Closed] = dataclasses.field(default_factory=dict)

    def must(
        self,
        title: str,
        way: str,
        family: Family,
        *,
        only: Iterable[str] | None = None,
        wrong: Wrong = crafted.violation,
    ) -> None:
        """Every crafted packet that went this way arrived or was dropped as it must, or those of
        some shapes `only`.

        Raises:
            VerdictError: one was not; the message says how far it came, and which RFC asks for it.
            NotMeasured: none was wrong, but some could not be measured.
        """
        shapes_of = None if only is None else frozenset(only)
        mine, others = (
            [
                x
                for x in self.crafted_results
                if x.crafted_packet.story == way
                and x.crafted_packet.target.family is f
                and (shapes_of is None or x.crafted_packet.shape in shapes_of)
            ]
            for f in (family, family.other)
        )
        if not mine:
            shut = self.closed.get(way.removeprefix(FULL), self.closed.get(POD, ()))
            must_be_open(title, (), [one for one in shut if one[0].family is family])
            raise NotAsked(f"{title}: no pair of pods on different nodes", "--six-nodes")
        with steps.step(f"Then {title}"):
            steps.attach_text(f"{title} over {family}", "\n".join(map(str, mine)))
            self.recorder.matrix(*crafted_matrix.matrix(title, mine, wrong))
        violations = _violations(mine, wrong)
        if violations:
            both = bool(others) and bool(_violations(others, wrong))
            compared = Family if others else [family]
            only = one_family(Family if both else [family], compared)
            leak = way == DENIED
            classes = [Category.LEAK] if leak else []
            classes += [only] if only else [] if leak else [Category.BOTH]
            lead = f"{title}: {len(violations)} of {len(mine)} crafted packets over {family}"
            more = [f"... and {len(violations) - SHOWN} more"] if len(violations) > SHOWN else []
            text = "\n  ".join([lead, *violations[:SHOWN], *more])
            raise evidence.wrong(text, [family], *classes)
        unknown = [str(x) for x in mine if x.status is CraftedStatus.UNKNOWN]
        if unknown:
            raise evidence.not_measured("\n  ".join([f"{title}: not measured", *unknown[:SHOWN]]))


def _violations(crafted_results: Iterable[CraftedResult], wrong: Wrong) -> list[str]:
    return [
        said
        for x in crafted_results
        if x.status is not CraftedStatus.UNKNOWN and (said := wrong(x))
    ]
