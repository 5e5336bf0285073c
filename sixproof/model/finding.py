"""Findings: a diagnosis with its reason and its remedy."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable

from sixproof.errors import Subject
from sixproof.model.family import Family


class Severity(enum.StrEnum):
    """How much a finding weighs."""

    BLOCKER = "blocker"  # nothing else can be measured
    ERROR = "error"  # something that must work does not
    WARNING = "warning"  # works, and will hurt
    NOTE = "note"


@dataclasses.dataclass(frozen=True, slots=True)
class FindingType:
    """What findings of one code are about; declared where they are made, once for each code.

    `title` says what holds where there is no such finding, `source` where that is written (RFC,
    KEP, API reference). `declared` lists all, and docs/findings.md does.

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
        subject: str,
        seen: str,
        wanted: str = "",
        remedy: str = "",
        *,
        families: Iterable[Family] = (),
        node: str = "",
    ) -> Finding:
        """A finding of this code."""
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
        )


_DECLARED: dict[str, FindingType] = {}


def declared() -> tuple[FindingType, ...]:
    """What was declared by the modules that are imported, by code."""
    return tuple(_DECLARED[code] for code in sorted(_DECLARED))


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """A diagnosis.

    `code` names the check, `subject` the place (node, pod, object), `seen` what is wrong,
    `wanted` what it should be, `remedy` what to do about it. `title` and `source` are those of its
    `FindingType`, which makes findings. `families` are those whose traffic it may break (none:
    this cannot be said), `node` the node at which it does ("": at all of them).
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

    @property
    def about(self) -> Subject:
        """Its place, as what a verdict is about: the `subject` in its two words, kind and name."""
        kind, _, name = self.subject.rpartition(" ")
        return Subject(kind, name, self.node or (name if kind == "node" else ""))

    def __str__(self) -> str:
        text = f"{self.subject}: {self.seen}"
        if self.wanted:
            text += f", wanted {self.wanted}"
        return f"{text} ({self.remedy})" if self.remedy else text


def merged_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings of one check about one place as one, in the order in which they came.

    What was seen are clauses between semicolons: each is said once, those that all share last.
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
