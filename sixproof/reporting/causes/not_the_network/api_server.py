"""What is not the network: an API server that does not answer the run."""

from __future__ import annotations

from collections.abc import Iterator

from sixproof.errors import brief
from sixproof.model import Family
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence
from sixproof.reporting.conclusion.situation import Situation

SHOWN = 3
"""Requests that are evidence; of more only the number of tests is said."""


def find(situation: Situation) -> Iterator[Cause]:
    """All tests that broke of a request to it."""
    broken = [case for case in situation.results.cases if case.unanswered]
    if not broken:
        return
    one = len(broken) == 1
    yield Cause(
        "api-server",
        "the API server",
        f"it did not answer what {len(broken)} test{'' if one else 's'} asked of it: "
        f"{'it' if one else 'they'} could not be carried out, and this says nothing about the "
        f"network",
        "See its load and its log (kube-apiserver, etcd) and the way to it, and run again",
        tuple(Family),
        Confidence.SHOWN,
        hits=lambda _: False,
        evidence=tuple(dict.fromkeys(brief(case.unanswered) for case in broken))[:SHOWN],
        broke=lambda case: bool(case.unanswered),
    )


RULES = (
    CauseRule(
        "api-server",
        "The API server did not answer: not the network",
        "tests that broke of a request to it",
        find,
        ("A3",),
    ),
)
