"""What the preflight and the check-list found, as checks: what is wrong is a verdict, what was not
seen is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sixproof.errors import NotAsked, VerdictError, brief
from sixproof.model import Finding, Severity
from sixproof.reporting.bundle.judged import Judged, State


def must_hold(judged: Judged) -> None:
    """Require an item of the check-list.

    Raises:
        VerdictError: it is not ok; what is wrong, a line a place, and what to do.
        NotAsked: it was not seen, or the cluster does without.
    """
    if judged.state is State.NOT_OK:
        raise VerdictError("\n".join((*judged.seen, judged.remedy)), judged.families)
    if judged.state is not State.OK:
        raise NotAsked(brief("; ".join(judged.seen)))


def none_found(findings: Iterable[Finding], unseen: Mapping[str, str], *codes: str) -> None:
    """Require that the preflight found nothing wrong under these codes; `unseen` are the codes at
    which it could not look, with the reason.

    Raises:
        VerdictError: it found something.
        NotAsked: it found nothing, and could not look.
    """
    wrong = [
        f"{f.severity.value}: {f}"
        for f in findings
        if f.code in codes and f.severity in (Severity.BLOCKER, Severity.ERROR)
    ]
    if wrong:
        raise VerdictError("\n".join(wrong))
    if blind := list(dict.fromkeys(unseen[code] for code in codes if code in unseen)):
        raise NotAsked("; ".join(blind), "the RBAC rules that --six-plan prints")
