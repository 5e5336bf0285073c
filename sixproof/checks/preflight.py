"""What the preflight and the check-list found, as checks: what is wrong is a verdict, what was not
seen is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sixproof.errors import NotAsked, Subject, VerdictError, brief
from sixproof.model import Finding, Severity
from sixproof.reporting.bundle.judged import Judged, State


def must_hold(judged: Judged) -> None:
    """Require an item of the check-list.

    Raises:
        VerdictError: it is not ok; what is wrong, a line a place, and what to do.
        NotAsked: it was not seen, or the cluster does without.
    """
    if judged.state is State.NOT_OK:
        text = "\n".join((*judged.seen, judged.remedy))
        raise VerdictError(text, judged.families, subjects=map(Subject.of_node, judged.nodes))
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
        f for f in findings if f.code in codes and f.severity in (Severity.BLOCKER, Severity.ERROR)
    ]
    if wrong:
        text = "\n".join(f"{f.severity.value}: {f}" for f in wrong)
        raise VerdictError(text, subjects=[f.about for f in wrong])
    if blind := list(dict.fromkeys(unseen[code] for code in codes if code in unseen)):
        raise NotAsked("; ".join(blind), "the RBAC rules that --six-plan prints")
