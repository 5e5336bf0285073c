"""Findings: a diagnosis with its reason and its remedy."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable

from sixproof.errors import Subject
from sixproof.model.family import Family


class Severity(enum.StrEnum):
    """How serious a finding is."""

    BLOCKER = "blocker"  # nothing else can be measured
    ERROR = "error"  # something that must work does not
    WARNING = "warning"  # works, and will cause trouble
    NOTE = "note"


@dataclasses.dataclass(frozen=True, slots=True)
class FindingType:
    """What findings of one code are about; declared where they are made, once per code.

    `title` says what holds where there is no such finding, `source` where that is specified (RFC,
    KEP, API reference). `declared` and docs/findings.md list all.

    Raises:
        ValueError: the code is declared already.
    """

    code: str
    title: str
    source: str = ""

    def __post_init__(self) -> None:
        if self.code in _DECLARED:
            raise ValueError(f"the finding {self.code} is declared twice")
        _DECLARED[self.code] = self

    def found(
        self,
        severity: Severity,
        subject: str | Subject,
        seen: str,
        wanted: str = "",
        remedy: str = "",
        *,
        families: Iterable[Family] = (),
        node: str = "",
        about: Subject | None = None,
        others: Iterable[Subject] = (),
    ) -> Finding:
        """A finding of this code; `subject` is an object, or a part of one, or a text where it is
        neither; then `about` may be the object that the text means."""
        if isinstance(subject, Subject):
            about, subject = subject, f"{subject.place} {subject.part}".strip()
        return Finding(
            self.code,
            severity,
            subject,
            seen,
            wanted,
            remedy,
            self.title,
            self.source,
            tuple(families),
            node,
            about,
            tuple(others),
        )


_DECLARED: dict[str, FindingType] = {}


def declared() -> tuple[FindingType, ...]:
    """The finding types declared by the imported modules, by code."""
    return tuple(_DECLARED[code] for code in sorted(_DECLARED))


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """A diagnosis.

    `code` names the check, `subject` the place (node, pod, object), `seen` what is wrong, `wanted`
    what it should be, `remedy` how to fix it. `title` and `source` are those of its `FindingType`,
    which makes findings. `families` are those whose traffic it may break (none: unknown), `node`
    the node at which it does ("": at all of them). `object` is the subject where that is one
    object, None where it is a text alone; `others` are further objects that `seen` names.
    """

    code: str
    severity: Severity
    subject: str
    seen: str
    wanted: str = ""
    remedy: str = ""
    title: str = ""
    source: str = ""
    families: tuple[Family, ...] = ()
    node: str = ""
    object: Subject | None = None
    others: tuple[Subject, ...] = ()

    @property
    def about(self) -> Subject:
        """Its place as a verdict's subject; a text has no kind."""
        about = self.object or Subject("", self.subject)
        return about if about.node else dataclasses.replace(about, node=self.node)

    def __str__(self) -> str:
        text = f"{self.subject}: {self.seen}"
        if self.wanted:
            text += f", wanted {self.wanted}"
        return f"{text} ({self.remedy})" if self.remedy else text


def merged_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings of one check about one place merged into one, in order of appearance.

    `seen` consists of clauses between semicolons: each appears once, those shared by all last.
    """
    groups: dict[tuple[str, str, Severity, str, str], list[Finding]] = {}
    for one in findings:
        key = one.code, one.subject, one.severity, one.wanted, one.remedy
        groups.setdefault(key, []).append(one)
    return tuple(_as_one(group) for group in groups.values())


def _as_one(group: list[Finding]) -> Finding:
    said = [one.seen.split("; ") for one in group]
    shared = [clause for clause in said[0] if all(clause in other for other in said)]
    own = [clause for clauses in said for clause in clauses if clause not in shared]
    return dataclasses.replace(group[0], seen="; ".join(dict.fromkeys([*own, *shared])))
