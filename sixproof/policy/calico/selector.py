"""Calico's selector expressions as values: evaluation and printing.

The language is described at docs.tigera.io (reference, NetworkPolicy, "Selectors"). Comparisons
with an absent label are false, their negations true.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping

Labels = Mapping[str, str]

NAMESPACE = "projectcalico.org/namespace"
"""The label by which Calico knows the namespace of an endpoint."""


@dataclasses.dataclass(frozen=True, slots=True)
class All:
    """``all()``: everything that has labels at all."""

    def matches(self, labels: Labels) -> bool:  # noqa: ARG002  # every node is asked alike
        """Always true."""
        return True

    def in_scope(self, prefix: str, everything: Selector) -> Selector:  # noqa: ARG002
        """What means everything there: whatever has a namespace, or a service account."""
        return everything

    def __str__(self) -> str:
        return "all()"


@dataclasses.dataclass(frozen=True, slots=True)
class Global:
    """``global()``: what has no namespace."""

    def matches(self, labels: Labels) -> bool:
        """Whether there is no namespace."""
        return NAMESPACE not in labels

    def in_scope(self, prefix: str, everything: Selector) -> Selector:  # noqa: ARG002
        """Unchanged: it asks for the namespace itself."""
        return self

    def __str__(self) -> str:
        return "global()"


@dataclasses.dataclass(frozen=True, slots=True)
class Has:
    """``has(label)``."""

    label: str

    def matches(self, labels: Labels) -> bool:
        """Whether the label is there."""
        return self.label in labels

    def in_scope(self, prefix: str, everything: Selector) -> Selector:  # noqa: ARG002
        """The same question about the prefixed label."""
        return Has(prefix + self.label)

    def __str__(self) -> str:
        return f"has({self.label})"


class Comparison(enum.StrEnum):
    """How a label is compared with text."""

    EQUALS = "=="
    DIFFERS = "!="
    CONTAINS = "contains"
    STARTS_WITH = "starts with"
    ENDS_WITH = "ends with"


@dataclasses.dataclass(frozen=True, slots=True)
class Compare:
    """A label compared with one text."""

    label: str
    comparison: Comparison
    text: str

    def matches(self, labels: Labels) -> bool:
        """Whether the comparison holds."""
        value = labels.get(self.label)
        if value is None:
            return self.comparison is Comparison.DIFFERS
        match self.comparison:
            case Comparison.EQUALS:
                return value == self.text
            case Comparison.DIFFERS:
                return value != self.text
            case Comparison.CONTAINS:
                return self.text in value
            case Comparison.STARTS_WITH:
                return value.startswith(self.text)
            case _:
                return value.endswith(self.text)

    def in_scope(self, prefix: str, everything: Selector) -> Selector:  # noqa: ARG002
        """The same comparison of the prefixed label."""
        return dataclasses.replace(self, label=prefix + self.label)

    def __str__(self) -> str:
        return f"{self.label} {self.comparison} {_quoted(self.text)}"


@dataclasses.dataclass(frozen=True, slots=True)
class Within:
    """``label in {…}`` and ``label not in {…}``; the texts are sorted and distinct."""

    label: str
    texts: tuple[str, ...]
    negated: bool = False

    def matches(self, labels: Labels) -> bool:
        """Whether the label has one of the texts, or, negated, none of them."""
        return (labels.get(self.label) in self.texts) is not self.negated

    def in_scope(self, prefix: str, everything: Selector) -> Selector:  # noqa: ARG002
        """The same question about the prefixed label."""
        return dataclasses.replace(self, label=prefix + self.label)

    def __str__(self) -> str:
        word = "not in" if self.negated else "in"
        return f"{self.label} {word} {{{', '.join(map(_quoted, self.texts))}}}"


@dataclasses.dataclass(frozen=True, slots=True)
class Not:
    """The negation of an expression."""

    operand: Selector

    def matches(self, labels: Labels) -> bool:
        """Whether the operand does not."""
        return not self.operand.matches(labels)

    def in_scope(self, prefix: str, everything: Selector) -> Selector:
        """The negation of the operand in that scope."""
        return Not(self.operand.in_scope(prefix, everything))

    def __str__(self) -> str:
        return f"!{self.operand}"


@dataclasses.dataclass(frozen=True, slots=True)
class Both:
    """``&&`` over two or more expressions."""

    operands: tuple[Selector, ...]

    def matches(self, labels: Labels) -> bool:
        """Whether every operand does."""
        return all(o.matches(labels) for o in self.operands)

    def in_scope(self, prefix: str, everything: Selector) -> Selector:
        """The operands in that scope."""
        return Both(tuple(o.in_scope(prefix, everything) for o in self.operands))

    def __str__(self) -> str:
        return f"({' && '.join(map(str, self.operands))})"


@dataclasses.dataclass(frozen=True, slots=True)
class Either:
    """``||`` over two or more expressions."""

    operands: tuple[Selector, ...]

    def matches(self, labels: Labels) -> bool:
        """Whether any operand does."""
        return any(o.matches(labels) for o in self.operands)

    def in_scope(self, prefix: str, everything: Selector) -> Selector:
        """The operands in that scope."""
        return Either(tuple(o.in_scope(prefix, everything) for o in self.operands))

    def __str__(self) -> str:
        return f"({' || '.join(map(str, self.operands))})"


Selector = All | Global | Has | Compare | Within | Not | Both | Either


def both(*operands: Selector | None) -> Selector | None:
    """The conjunction of those given; None where none is."""
    given = tuple(o for o in operands if o is not None)
    if len(given) < 2:
        return given[0] if given else None
    return Both(given)


def _quoted(text: str) -> str:
    """Text in quotes. The language has no escapes; text never holds both kinds."""
    return f"'{text}'" if '"' in text else f'"{text}"'
