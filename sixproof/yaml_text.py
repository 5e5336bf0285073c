"""YAML: read with bounds, with one kind of error, as Kubernetes reads it; and written.

Texts are not trusted: manifests, kubeconfigs and the content of ConfigMaps come from anywhere.

The cost of a text is determined before anything is built from it: its depth (a reader that
recurses, or looks back over all that is open, takes minutes for a megabyte of brackets), and the
size of its expanded aliases (412 bytes of them can mean a billion values).

Kubernetes reads YAML by way of JSON (sigs.k8s.io/yaml): what looks like a date or a number to base
60 stays text, and integers beyond 64 bits are floating-point numbers.
"""

from __future__ import annotations

import bisect
import dataclasses
import re
from collections.abc import Iterable
from typing import Any

import yaml

from sixproof.errors import TextError, brief

DEEPEST = 64
"""Levels of lists and objects, with aliases expanded; a Kubernetes object has some twenty."""
MOST_ALIASED = 100_000
"""Values that all aliases of a text may expand to; each 64 characters of a text count as one."""
MOST_VALUES = 2_000_000
"""Values of a text. Measured: a value takes 0.3 to 0.8 kB, and a pod's manifest has some 650."""
LONGEST_NUMBER = 100
"""Maximum length of a number in characters."""
MOST_MERGED = 100
"""Merge keys (``<<``) of one object; their cost grows with their square."""
MOST_REPEATED = 20
"""Maximum number of repeated keys reported per text."""

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_RENDER = "is a Helm template ({{ … }}), no manifest yet: render it first (helm template)"
_TEMPLATE = re.compile(r"^[ \t]*(?:(?:-|[\w./\"'-]+:)[ \t]+)*\{\{", re.MULTILINE)


_PAIR = re.compile(
    r"(?<!\\)((?:\\\\)*)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE
)
"""A character beyond 16 bits as JSON escapes it (RFC 8259 section 7), which YAML does not know."""


def decoded(raw: bytes) -> str:
    """The text of a file, which is UTF-8 whatever the locale, with or without a byte order mark.

    Raises:
        ValueError: it is not; the message has the line (from 1).
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        line = bad.object.count(b"\n", 0, bad.start) + 1
        byte = bad.object[bad.start]
        raise ValueError(f"line {line} is no UTF-8 text (byte 0x{byte:02x})") from bad


@dataclasses.dataclass(frozen=True, slots=True)
class Repeated:
    """A key that an object holds twice: the last one counts, without an API server warning."""

    line: int
    key: str

    def __str__(self) -> str:
        return f"line {self.line}: key {brief(self.key, 60)!r} is given twice, the last one counts"


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """One document of a text that is not empty: its place (both from 1) and its repeated keys."""

    value: Any
    number: int
    line: int
    repeated: tuple[Repeated, ...] = ()


def read(text: str) -> tuple[Document, ...]:
    """The documents of a text, without empty ones.

    Raises:
        TextError: it is not YAML, holds more than `MOST_VALUES` values, nests deeper than
            `DEEPEST`, its aliases expand to more than `MOST_ALIASED` values or contain themselves,
            an object merges more than `MOST_MERGED` others, or a value does not fit its tag.
    """
    if text.lstrip()[:1] in ("{", "["):  # JSON
        text = _PAIR.sub(_joined, text)
    survey = _Survey()
    try:
        for event in yaml.parse(text, _BASE):
            survey.see(event)
        values = list(yaml.load_all(text, _Loader))
    except yaml.YAMLError as error:
        raise _text_error(error, text, survey) from error
    except ValueError as error:  # a character that UTF-8 cannot carry
        raise TextError(str(error), survey.document, 1) from error
    places = enumerate(zip(survey.starts, values, strict=True), 1)
    return tuple(
        Document(value, number, line, survey.repeated_in(number))
        for number, (line, value) in places
        if value is not None
    )


def _joined(pair: re.Match[str]) -> str:
    high, low = (int(digits, 16) for digits in pair.groups()[1:])
    return f"{pair[1]}\\U{0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF):08x}"


def documents(text: str) -> list[Any]:
    """The content of a text's documents, without empty ones.

    Raises:
        TextError: as `read`.
    """
    return [document.value for document in read(text)]


def document(text: str) -> Any:
    """The only document of a text, None where it is empty.

    Raises:
        TextError: as `read`, or there are several.
    """
    found = read(text)
    if len(found) > 1:
        second = found[1]
        reason = f"{len(found)} documents, one was expected"
        raise TextError(reason, second.number, second.line)
    return found[0].value if found else None


def written(values: Iterable[Any]) -> str:
    """A YAML document for each of the values, which keep the order of their keys.

    Raises:
        TypeError: a value cannot be represented in YAML.
    """
    try:
        return str(yaml.safe_dump_all(values, sort_keys=False))
    except yaml.YAMLError as error:
        raise TypeError(brief(str(error))) from error


@dataclasses.dataclass(slots=True)
class _Open:
    """A list or an object that is not closed yet, with its size when aliases are expanded."""

    anchor: str | None
    keys: set[str] | None
    values: int = 1
    height: int = 1
    at_key: bool = True
    merged: int = 0

    def take(self, values: int, height: int) -> None:
        """Count one that is directly in it."""
        self.values += values
        self.height = max(self.height, height + 1)
        self.at_key = not self.at_key


@dataclasses.dataclass(slots=True)
class _Survey:
    """What a text's events alone show about it."""

    starts: list[int] = dataclasses.field(default_factory=list)
    repeated: list[tuple[int, Repeated]] = dataclasses.field(default_factory=list)
    aliased: int = 0
    sizes: dict[str, tuple[int, int] | None] = dataclasses.field(default_factory=dict)
    open: list[_Open] = dataclasses.field(default_factory=list)
    values: int = 0

    @property
    def document(self) -> int:
        """The number of the document being read."""
        return max(1, len(self.starts))

    def repeated_in(self, document: int) -> tuple[Repeated, ...]:
        """The repeated keys of a document."""
        return tuple(found for number, found in self.repeated if number == document)

    def see(self, event: Any) -> None:
        """Count one event.

        Raises:
            TextError: the text goes beyond a bound.
        """
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(self.open) >= DEEPEST:
                raise self._error(event, f"nests more than {DEEPEST} levels deep")
            mapping = isinstance(event, yaml.MappingStartEvent)
            self.open.append(_Open(event.anchor, set() if mapping else None))
            self._keep(event.anchor, None)
        elif isinstance(event, yaml.CollectionEndEvent):
            closed = self.open.pop()
            self._keep(closed.anchor, (closed.values, closed.height))
            self._add(closed.values, closed.height)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.starts.append(0)
            self.sizes.clear()
        node: Any = event if isinstance(event, yaml.NodeEvent) else None
        self.values += node is not None
        if self.values > MOST_VALUES:
            raise self._error(event, f"holds more than {MOST_VALUES} values")
        if node is not None and self.starts and not self.starts[-1]:
            self.starts[-1] = node.start_mark.line + 1

    def _scalar(self, event: Any) -> None:
        values = 1 + len(event.value) // 64
        self._keep(event.anchor, (values, 0))
        keys = self.open[-1].keys if self.open and self.open[-1].at_key else None
        if keys is not None and event.value == "<<":
            self.open[-1].merged += 1
            if self.open[-1].merged > MOST_MERGED:
                raise self._error(event, f"merges more than {MOST_MERGED} objects into one")
        elif keys is not None:
            if event.value in keys and len(self.repeated) < MOST_REPEATED:
                found = Repeated(event.start_mark.line + 1, event.value)
                self.repeated.append((self.document, found))
            keys.add(event.value)
        self._add(values, 0)

    def _alias(self, event: Any) -> None:
        size = self.sizes.get(event.anchor, (1, 0))  # an unknown one is reported by the loader
        if size is None:
            raise self._error(event, f"anchor {brief(event.anchor, 60)} holds itself")
        values, height = size
        self.aliased += values
        if self.aliased > MOST_ALIASED:
            raise self._error(event, f"its aliases expand to more than {MOST_ALIASED} values")
        if len(self.open) + height > DEEPEST:
            raise self._error(event, f"nests more than {DEEPEST} levels deep")
        self._add(values, height)

    def _keep(self, anchor: str | None, size: tuple[int, int] | None) -> None:
        if anchor is not None:
            self.sizes[anchor] = size

    def _add(self, values: int, height: int) -> None:
        if self.open:
            self.open[-1].take(values, height)

    def _error(self, event: Any, reason: str) -> TextError:
        return TextError(reason, self.document, event.start_mark.line + 1)


def _text_error(error: yaml.YAMLError, text: str, survey: _Survey) -> TextError:
    """The error with its place, in one line."""
    marks = (getattr(error, part, None) for part in ("problem_mark", "context_mark"))
    mark: Any = next((mark for mark in marks if mark is not None), None)
    if mark is not None:
        line = mark.line + 1
        known = [getattr(error, part, None) for part in ("context", "problem")]
        reason = ", ".join(part for part in known if part)
    else:  # a character that has no place in YAML
        before = text.encode()[: getattr(error, "position", 0)]
        line, reason = before.count(b"\n") + 1, str(error).partition("\n")[0]
    if _TEMPLATE.search(text) or "{{" in "".join(text.splitlines()[max(0, line - 2) : line + 1]):
        reason = _RENDER
    starts = [start for start in survey.starts if start]
    return TextError(reason or "no YAML", max(1, bisect.bisect_right(starts, line)), line)


class _Loader(_BASE):  # type: ignore[misc]
    """Reads what `_Survey` let pass."""


def _bad(node: Any, reason: str) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, reason, node.start_mark)


def _text(loader: Any, node: Any) -> str:
    found: str = loader.construct_scalar(node)
    return found


def _timestamp(loader: Any, node: Any) -> str:
    text = _text(loader, node)
    if not loader.timestamp_regexp.match(text):
        raise _bad(node, f"{brief(text, 60)!r} is no timestamp")
    return text


def _boolean(loader: Any, node: Any) -> bool:
    text = _text(loader, node)
    try:
        return bool(loader.bool_values[text.lower()])
    except KeyError:
        raise _bad(node, f"{brief(text, 60)!r} is neither true nor false") from None


def _number(loader: Any, node: Any, kind: str) -> int | float | str:
    text = _text(loader, node)
    if ":" in text:
        return text
    if len(text) > LONGEST_NUMBER:
        long = f"a number of {len(text)} characters, at most {LONGEST_NUMBER} are read"
        raise _bad(node, f"{long}: quote it, if it is text")
    construct = loader.construct_yaml_int if kind == "integer" else loader.construct_yaml_float
    try:
        number: int | float = construct(node)
    except (ValueError, IndexError):
        raise _bad(node, f"{text!r} is no {kind}") from None
    return number if -(2**63) <= number < 2**64 else float(number)


def _integer(loader: Any, node: Any) -> int | float | str:
    return _number(loader, node, "integer")


def _float(loader: Any, node: Any) -> int | float | str:
    return _number(loader, node, "number")


for _kind, _construct in {
    "bool": _boolean,
    "int": _integer,
    "float": _float,
    "timestamp": _timestamp,
    **dict.fromkeys(("value", "merge"), _text),
    **dict.fromkeys(("binary", "set", "omap", "pairs"), _BASE.construct_undefined),
}.items():
    _Loader.add_constructor(_TAG + _kind, _construct)
