"""Causes: what a rule makes of the facts, and which flows it would break."""

from __future__ import annotations

import dataclasses
import enum
import shlex
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


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """A command that a reader copies: it has a line of its own, and nothing follows it but a
    comment of the shell.

    `on` is the host to run it on, "" where kubectl is used; `note` says what it shows, or which
    thing it is about.
    """

    text: str
    on: str = ""
    note: str = ""

    @classmethod
    def of(cls, *words: object, on: str = "", note: str = "") -> Command:
        """The command of these words, some of which are names that a cluster's user chose."""
        return cls(shlex.join(map(str, words)), on, note)

    @classmethod
    def ip(cls, family: Family, *words: object, on: str, note: str = "") -> Command:
        """``ip`` for a family, on a node."""
        return cls.of("ip", f"-{family.version}", *words, on=on, note=note)

    @classmethod
    def kubectl(cls, namespace: str, *words: object) -> Command:
        """``kubectl`` in a namespace."""
        return cls.of("kubectl", "-n", namespace, *words)

    @property
    def line(self) -> str:
        """The command as it is pasted into a shell."""
        return f"{self.text}  # {self.note}" if self.note else self.text

    def __str__(self) -> str:
        return f"on {self.on}: {self.line}" if self.on else self.line


class Trait(enum.StrEnum):
    """What is known of a cause beside its code. A decision hangs on this, not on its sentence."""

    VXLAN_PORT = "another VXLAN port than other nodes"
    AAAA_REWRITTEN = "the Corefile turns AAAA questions into A questions"
    NO_ANSWER = "no answer on port 53"
    OLD_ANSWERS = "wrong answers of one replica"
    FILTERS_VXLAN = "a filter takes VXLAN packets"
    DROPS_INPUT = "hook input drops, neither ICMP nor VXLAN"
    REJECTS_FORWARDED = "hook forward rejects"
    NOT_IN_POD_IPS = "podIPs lack the address"
    IPV6_OFF_IN_POD = "disable_ipv6 is 1 in the pod"
    POLICY_RULE = "by a policy rule"
    NOT_MASQUERADED = "not masqueraded"
    NOT_FORWARDING = "forwarding is 0"


@dataclasses.dataclass(frozen=True)
class Cause:
    """A cause that a rule found.

    `place` is the node, pod or object, `what` is said of it in one sentence ("policy rule 5270 ...
    leads to a blackhole"), `remedy` what to do, and `do` its commands. `evidence` are the facts, a
    line each; `see` are commands that show them again. `hits` says
    whether a wrong cell can result from it, `must` whether a flow cannot work as long as it holds:
    one that worked is evidence against it. Of tests without cells it explains those that concern a
    part of its place, one of `parts`, a device or an address; `broke` says whether one broke of it.
    `traits` are what else is known of it, for publicly known faults.
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
    see: tuple[Command, ...] = ()
    do: tuple[Command, ...] = ()
    since: str = ""
    parts: tuple[str, ...] = ()
    broke: Callable[[Case], bool] = lambda _: False
    names: tuple[str, ...] = ()
    briefer: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    traits: frozenset[Trait] = frozenset()

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


def few(commands: Sequence[Command], what: str, listing: Command) -> tuple[Command, ...]:
    """The command that lists what these are about, then the first of them; the list says of how
    many others it has no command: ``2 more such routes``."""
    rest = len(commands) - NAMED
    if rest > 0:
        listing = dataclasses.replace(listing, note=said_count(rest, f"more such {what}"))
    return (listing, *commands[:NAMED])


def restart(pod: ComponentPod) -> Command:
    """How to restart a pod that its owner makes again."""
    return Command.kubectl(pod.namespace, "delete", "pod", pod.name)


def log_of(pod: ComponentPod) -> Command:
    """How to read the log of a pod."""
    return Command.kubectl(pod.namespace, "logs", pod.name)


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
