"""Typed reading of untrusted manifests: every error names the path and the reason."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import reprlib
from collections.abc import Mapping

from sixproof.errors import ManifestError, brief

RENDER = "is of a Helm template: render it first (helm template)"
LONGEST_NAME, LONGEST_LABEL = 253, 63
"""Characters of a name, and of a namespace's (RFC 1123)."""
_LONGEST_PATH = 160
_LONGEST_KEY = 64


class _Repr(reprlib.Repr):
    """Quotes values of any size: the standard library's way ends where an integer has more than
    4 300 digits, and shows six levels of six elements each."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 2

    def repr_NoneType(self, x: None, level: int) -> str:  # noqa: ARG002, N802 - reprlib's names
        """Nothing, as YAML and JSON write it."""
        return "null"

    def repr_bool(self, x: bool, level: int) -> str:  # noqa: ARG002 - reprlib's names
        """Truth, as YAML and JSON write it."""
        return "true" if x else "false"

    def repr_tuple(self, x: tuple[object, ...], level: int) -> str:
        """Frozen lists look like lists."""
        return self.repr_list(list(x), level)

    def repr_int(self, x: int, level: int) -> str:
        """Integers; the huge ones by their size."""
        bits = x.bit_length()
        return f"an integer of {bits} bits" if bits > 400 else super().repr_int(x, level)


_QUOTE = _Repr()


def shown(value: object) -> str:
    """A value as an error message quotes it: short, on one line."""
    return brief(_QUOTE.repr(value), 120)


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """One value of a manifest and the path that leads to it (``spec.ingress[0].from[1]``)."""

    value: object
    path: str = ""

    def error(self, reason: str) -> ManifestError:
        """The error that something is wrong here."""
        return ManifestError(self.place, brief(reason))

    @property
    def place(self) -> str:
        """The path, as long as a message can bear."""
        return brief(self.path, _LONGEST_PATH)

    def child(self, key: str, value: object) -> Field:
        """The field of a key below this one; keys that hold dots are bracketed."""
        key = brief(key, _LONGEST_KEY)
        if "." in key or "/" in key:
            return Field(value, f"{self.path}[{key}]")
        return Field(value, f"{self.path}.{key}" if self.path else key)

    def mapping(self) -> Fields:
        """The object here, with any keys.

        Raises:
            ManifestError: the value is no object, or a key is no text.
        """
        if not isinstance(self.value, Mapping):
            raise self.error(f"must be an object, is {shown(self.value)}")
        for key in self.value:
            if not isinstance(key, str):
                raise self.error(f"keys must be text, one is {shown(key)}")
        return Fields(self, self.value)

    def fields(self, *known: str) -> Fields:
        """The object here, which may hold nothing but the known keys.

        Raises:
            ManifestError: the value is no object, or holds an unknown field.
        """
        found = self.mapping()
        for key, value in found.values.items():
            if key not in known:
                near = difflib.get_close_matches(key[:_LONGEST_KEY], known, n=1)
                hint = f", did you mean {near[0]}?" if near else f", known are {', '.join(known)}"
                raise self.child(key, value).error(f"unknown field{hint}")
        return found

    def items(self, at_most: int | None = None) -> list[Field]:
        """The elements of the list here.

        Raises:
            ManifestError: the value is no list, or holds more than `at_most` elements.
        """
        if not isinstance(self.value, list | tuple):
            raise self.error(f"must be a list, is {shown(self.value)}")
        if at_most is not None and len(self.value) > at_most:
            raise self.error(f"holds {len(self.value)} elements, at most {at_most} are allowed")
        return [Field(item, f"{self.path}[{i}]") for i, item in enumerate(self.value)]

    def text(self) -> str:
        """The text here.

        Raises:
            ManifestError: the value is no text.
        """
        if not isinstance(self.value, str):
            hint = ", quote it" if isinstance(self.value, bool | int | float) else ""
            raise self.error(f"must be text, is {shown(self.value)}{hint}")
        return self.value

    def choice(self, *allowed: str) -> str:
        """The text here, one of those allowed.

        Raises:
            ManifestError: the value is none of them.
        """
        text = self.text()
        if text not in allowed:
            raise self.error(f"{shown(text)} is not one of {', '.join(allowed)}")
        return text

    def integer(self, low: int, high: int) -> int:
        """The integer here, between `low` and `high` inclusive.

        Raises:
            ManifestError: the value is no integer, or out of range.
        """
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self.error(f"must be an integer, is {shown(self.value)}")
        if not low <= self.value <= high:
            raise self.error(f"{shown(self.value)} is not between {low} and {high}")
        return self.value

    def number(self) -> float:
        """The finite number here.

        Raises:
            ManifestError: the value is no number, or infinite, or too large.
        """
        if not isinstance(self.value, int | float) or isinstance(self.value, bool):
            raise self.error(f"must be a number, is {shown(self.value)}")
        try:
            number = float(self.value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.error(f"must be finite, is {shown(self.value)}")
        return number

    def boolean(self) -> bool:
        """The boolean here.

        Raises:
            ManifestError: the value is neither true nor false.
        """
        if not isinstance(self.value, bool):
            raise self.error(f"must be true or false, is {shown(self.value)}")
        return self.value


@dataclasses.dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one object. A null counts as absent, as it does for the API server."""

    here: Field
    values: Mapping[str, object]

    def get(self, key: str) -> Field | None:
        """The field of that name, None where it is absent or null."""
        value = self.values.get(key)
        return None if value is None else self.here.child(key, value)

    def need(self, key: str) -> Field:
        """The field of that name.

        Raises:
            ManifestError: it is absent or null.
        """
        found = self.get(key)
        if found is None:
            raise self.here.child(key, None).error("is required")
        return found

    def list(self, key: str, at_most: int | None = None) -> list[Field]:
        """The elements of a list field; none where it is absent."""
        found = self.get(key)
        return [] if found is None else found.items(at_most)

    def text(self, key: str) -> str:
        """A text field; empty where it is absent."""
        found = self.get(key)
        return "" if found is None else found.text()

    def flag(self, key: str) -> bool:
        """A boolean field; false where it is absent."""
        found = self.get(key)
        return found is not None and found.boolean()

    def only_one(self, *keys: str) -> Field:
        """The one field of these that is present.

        Raises:
            ManifestError: none or several are.
        """
        present = [f for f in map(self.get, keys) if f is not None]
        if len(present) != 1:
            raise self.here.error(f"needs exactly one of {', '.join(keys)}, has {len(present)}")
        return present[0]


_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")

META = [
    "name",
    "namespace",
    "labels",
    "annotations",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "finalizers",
    "generateName",
    "managedFields",
    "ownerReferences",
    "selfLink",
]


@dataclasses.dataclass(frozen=True, slots=True)
class Manifest:
    """One object as the API server keeps it: its kind, its name, its labels and its spec."""

    group: str
    version: str
    kind: str
    namespace: str
    name: str
    labels: tuple[tuple[str, str], ...]
    spec: Field

    @classmethod
    def read(cls, value: object, *, namespaced: bool) -> Manifest:
        """The parts that every object has; `spec` stays unread.

        Raises:
            ManifestError: they are not of the API's shape.
        """
        top = Field(value).fields("apiVersion", "kind", "metadata", "spec", "status")
        group, _, version = top.need("apiVersion").text().rpartition("/")
        meta = top.need("metadata").fields(*META)
        name = _name(meta.need("name"), LONGEST_NAME, dots=True)
        namespace = _name(meta.need("namespace"), LONGEST_LABEL, dots=False) if namespaced else ""
        return cls(
            group=group,
            version=version,
            kind=top.need("kind").text(),
            namespace=namespace,
            name=name,
            labels=read_labels(meta.get("labels")),
            spec=top.get("spec") or Field({}, "spec"),
        )


def _name(field: Field, at_most: int, *, dots: bool) -> str:
    """A name as the API server takes it: an RFC 1123 subdomain, or a label where there are no
    dots."""
    name = field.text()
    if not name:
        raise field.error("is empty")
    if "{{" in name:
        raise field.error(f"{shown(name)} {RENDER}")
    if len(name) > at_most or not (_SUBDOMAIN if dots else _LABEL).fullmatch(name):
        signs = "small letters, digits, - and ." if dots else "small letters, digits and -"
        wanted = f"at most {at_most} {signs}, a letter or a digit at both ends"
        raise field.error(f"{shown(name)} is no name that the API takes: {wanted} (RFC 1123)")
    return name


def read_labels(field: Field | None) -> tuple[tuple[str, str], ...]:
    """Labels as sorted pairs; none where the field is absent.

    Raises:
        ManifestError: the field is no map of text to text.
    """
    if field is None:
        return ()
    found = field.mapping()
    return tuple(sorted((key, field.child(key, v).text()) for key, v in found.values.items()))
