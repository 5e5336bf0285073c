"""Causes: what a rule makes of the facts, and which flows it would break."""

from __future__ import annotations

import dataclasses
import enum
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from sixproof.errors import Subject
from sixproof.kube.facts.components import ComponentPod
from sixproof.model import Disagreement, Family, Finding, Flow
from sixproof.reporting.diagnosis.pattern import said_count
from sixproof.reporting.results.test_record import Case

if TYPE_CHECKING:
    from sixproof.reporting.conclusion.situation import Situation


WIDTH = 96
"""Characters of a line of a first line: of a terminal of 100 columns, without its lead."""


def in_two_lines(text: str) -> bool:
    """Whether a first line is read at a glance."""
    return len(textwrap.wrap(text, WIDTH, break_on_hyphens=False)) <= 2


class Confidence(enum.IntEnum):
    """How sure a cause is, if it explains what failed: of two that explain as much, the surer is
    the cause and the other is reported beside it."""

    SIGN = 0  # it fits, and something else must be behind it: what drops solicitations
    FITS = 1  # it explains what failed; the facts do not prove that it did
    SHOWN = 2  # the facts themselves say that such packets, or answers, fail


@dataclasses.dataclass(frozen=True)
class Cause:
    """A cause that a rule found.

    `place` is the node, pod or object, `what` is said of it in one sentence ("policy rule 5270 ...
    leads to a blackhole"), `remedy` what to do. `evidence` are the facts, a line each; `see` are
    commands that show them again, `do` those of the remedy that it does not say. `hits` says
    whether a wrong cell can result from it, `must` whether a flow cannot work as long as it holds:
    one that worked is evidence against it. Of tests without cells it explains those that concern a
    part of its place, one of `parts`, a device or an address; `broke` says whether one broke of it.
    `names` are codes of causes at its place, in its families, that its own sentence says already.

    `briefer` say the same as `what` in fewer words, for a first line that would take three lines;
    then `details`, which they leave out, are evidence.
    """

    code: str
    place: str
    what: str
    remedy: str
    families: tuple[Family, ...]
    confidence: Confidence
    hits: Callable[[Disagreement], bool]
    must: Callable[[Flow], bool] = lambda _: False
    evidence: tuple[str, ...] = ()
    see: tuple[str, ...] = ()
    do: tuple[str, ...] = ()
    since: str = ""
    parts: tuple[str, ...] = ()
    broke: Callable[[Case], bool] = lambda _: False
    names: tuple[str, ...] = ()
    briefer: tuple[str, ...] = ()
    details: tuple[str, ...] = ()

    def says(self, sign: Cause) -> bool:
        """Whether its own sentence says what a sign beside it would say."""
        here = sign.place == self.place and set(sign.families) <= set(self.families)
        return here and sign.code in self.names

    def is_at(self, subject: Subject) -> bool:
        """Whether a subject is its place, or is on the node that is."""
        return self.place in (subject.place, f"node {subject.node}")

    def is_of(self, subject: Subject) -> bool:
        """Whether a subject is a part of its place that it concerns."""
        return self.place == subject.place and subject.part in self.parts

    @property
    def sentence(self) -> str:
        """The cause in one sentence."""
        return self.said().removesuffix(".")

    def said(self, lead: str = "") -> str:
        """The cause as a first line that begins with this lead."""
        when = f" ({self.since})" if self.since else ""
        said = [f"{lead}{self.place}: {what}{when}." for what in (self.what, *self.briefer)]
        return next(filter(in_two_lines, said), said[-1])


def since(same: bool) -> str:
    """When a fact came about, by whether it was the `same` when the run began."""
    return "already before the run" if same else "new since the run began"


NAMED = 3
"""Commands of one kind that a remedy has, and what they are about in the evidence."""


def few(commands: Sequence[str], what: str, listing: str) -> tuple[str, ...]:
    """The first of these commands and, where there are more, the one that lists the rest: ``2 more
    such routes: ip route show``."""
    rest = len(commands) - NAMED
    more = (f"{said_count(rest, f'more such {what}')}: {listing}",) if rest > 0 else ()
    return (*commands[:NAMED], *more)


def restart(pod: ComponentPod) -> str:
    """How to restart a pod that its owner makes again."""
    return f"kubectl -n {pod.namespace} delete pod {pod.name}"


def remedy_of(finding: Finding) -> str:
    """A finding's remedy as the beginning of a sentence."""
    return f"{finding.remedy[:1].upper()}{finding.remedy[1:]}"


Finder = Callable[["Situation"], Iterable[Cause]]


@dataclasses.dataclass(frozen=True, slots=True)
class CauseRule:
    """A rule: `title` says what it looks for, `facts` what it reads, `shown_by` the codes of the
    test bed's faults that show it, "" where a recorded case does. `source` is a public source."""

    code: str
    title: str
    facts: str
    find: Finder
    shown_by: tuple[str, ...] = ()
    source: str = ""
