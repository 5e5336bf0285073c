"""The check-list as a check: what is not ok is a verdict, what was not seen is none."""

from __future__ import annotations

from sixproof.errors import NotAsked, VerdictError, brief
from sixproof.reporting.bundle.judged import Judged, State


def must_hold(judged: Judged) -> None:
    """Require an item of the check-list.

    Raises:
        VerdictError: it is not ok; what is wrong, one line per place, and what to do.
        NotAsked: it was not seen, or the cluster does without.
    """
    if judged.state is State.NOT_OK:
        raise VerdictError("\n".join((*judged.seen, judged.remedy)), judged.families)
    if judged.state is not State.OK:
        raise NotAsked(brief("; ".join(judged.seen)))
