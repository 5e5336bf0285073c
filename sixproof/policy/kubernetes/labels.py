"""Kubernetes label selectors."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Mapping

from sixproof.policy.manifests.manifest import Field, shown

_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


class Operator(enum.StrEnum):
    """The operators of `matchExpressions`."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Requirement:
    """One condition on one label; `values` are sorted and distinct."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy it. `NotIn` is satisfied where the label is absent."""
        value = labels.get(self.key)
        match self.operator:
            case Operator.IN:
                return value in self.values
            case Operator.NOT_IN:
                return value not in self.values
            case Operator.EXISTS:
                return value is not None
            case _:
                return value is None

    def __str__(self) -> str:
        match self.operator:
            case Operator.EXISTS:
                return self.key
            case Operator.DOES_NOT_EXIST:
                return f"!{self.key}"
            case Operator.IN if len(self.values) == 1:
                return f"{self.key}={self.values[0]}"
            case _:
                word = "in" if self.operator is Operator.IN else "notin"
                return f"{self.key} {word} ({','.join(self.values)})"


@dataclasses.dataclass(frozen=True, slots=True)
class LabelSelector:
    """All of these requirements; without any it selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy every requirement."""
        return all(r.matches(labels) for r in self.requirements)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements)) or "everything"


def read_label_selector(field: Field | None) -> LabelSelector:
    """The selector here; absent it selects everything, as an empty one does.

    Raises:
        ManifestError: it is not what the API server's validation accepts.
    """
    if field is None:
        return LabelSelector()
    found = field.fields("matchLabels", "matchExpressions")
    requirements = []
    if labels := found.get("matchLabels"):
        for key, value in labels.mapping().values.items():
            pair = labels.child(key, value)
            requirements.append(Requirement(_key(pair, key), Operator.IN, (_value(pair),)))
    requirements.extend(map(_requirement, found.list("matchExpressions")))
    return LabelSelector(tuple(sorted(requirements)))


def _requirement(field: Field) -> Requirement:
    found = field.fields("key", "operator", "values")
    key = found.need("key")
    operator = Operator(found.need("operator").choice(*Operator))
    values = tuple(sorted({_value(v) for v in found.list("values")}))
    takes_values = operator in (Operator.IN, Operator.NOT_IN)
    if takes_values and not values:
        raise found.here.child("values", None).error(f"is required with {operator}")
    if values and not takes_values:
        raise found.need("values").error(f"is not allowed with {operator}")
    return Requirement(_key(key, key.text()), operator, values)


def _key(field: Field, key: str) -> str:
    prefix, slash, name = key.rpartition("/")
    bad_prefix = slash and (len(prefix) > 253 or not _PREFIX.fullmatch(prefix))
    if bad_prefix or not _NAME.fullmatch(name):
        raise field.error(f"{shown(key)} is not a label key")
    return key


def _value(field: Field) -> str:
    value = field.text()
    if value and not _NAME.fullmatch(value):
        raise field.error(f"{shown(value)} is not a label value")
    return value
