"""The JSON Schema (draft 7) of results.json, made from the classes that are written to it.

``python -m sixproof.reporting.results.json_schema`` prints it; docs/results-v2.schema.json holds
it. Members that a later version adds are valid: no object is closed.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin

from sixproof import records
from sixproof.model import Endpoint, Family, IPAddress, IPNetwork, MatrixKind, Outcome, Protocol
from sixproof.reporting.matrix.grid import CellState
from sixproof.reporting.results.ledger import Coverage
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import SCHEMA, Results
from sixproof.reporting.results.test_record import CaseOutcome

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer", "minimum": 0}
_PLAIN: dict[Any, Schema] = {
    Any: {},
    object: {},
    str: _TEXT,
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
    IPAddress: _TEXT,
    IPNetwork: _TEXT,
}


class _Classes:
    """Schemas of classes, each defined once."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {"Matrix": _MATRIX}

    def of(self, kind: Any) -> Schema:
        """The schema of a type as `records` writes it."""
        if kind in _PLAIN:
            return _PLAIN[kind]
        if kind is Measured:
            return _reference("Matrix")
        if get_origin(kind) in (Union, types.UnionType):
            return {"anyOf": [self.of(each) for each in get_args(kind)]}
        if get_origin(kind) is tuple:
            return self._list(get_args(kind))
        if get_origin(kind) is list:
            return _list_of(self.of(get_args(kind)[0]))
        if get_origin(kind) in (dict, Mapping):
            return {"type": "object", "additionalProperties": self.of(get_args(kind)[1])}
        if dataclasses.is_dataclass(kind):
            self._define(typing.cast("type", kind))
            return _reference(typing.cast("type", kind).__name__)
        if isinstance(kind, enum.EnumType):
            return _one_of(kind)
        raise TypeError(f"{kind} has no form in JSON")

    def _list(self, parts: tuple[Any, ...]) -> Schema:
        if parts[-1] is ...:
            return {"type": "array", "items": self.of(parts[0])}
        count = len(parts)
        each = [self.of(part) for part in parts]
        return {"type": "array", "items": each, "minItems": count, "maxItems": count}

    def _define(self, kind: type) -> None:
        if kind.__name__ in self.definitions:
            return
        self.definitions[kind.__name__] = {}  # it may hold itself
        self.definitions[kind.__name__] = self.members(kind)

    def members(self, kind: type) -> Schema:
        """The object that a class becomes."""
        form, hints = records.form_of(kind), typing.get_type_hints(kind)
        fields = dataclasses.fields(kind)
        properties = {
            form.named(field.name): _PAIRS
            if field.name in form.objects
            else self.of(hints[field.name])
            for field in fields
        }
        # What a class changes once it is written may be any member that has a default.
        optional = [form.named(f.name) for f in fields if _has_default(f)] if form.written else []
        return _object(properties, [name for name in properties if name not in optional])


def _has_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


def _reference(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _one_of(kind: enum.EnumType) -> Schema:
    return {"enum": [each.value for each in kind]}  # type: ignore[var-annotated]


def _object(properties: dict[str, Schema], required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": required}


def _list_of(each: Schema) -> Schema:
    return {"type": "array", "items": each}


def _or_null(each: Schema) -> Schema:
    return {"anyOf": [each, {"type": "null"}]}


_PAIRS: Schema = {"type": "object", "additionalProperties": _TEXT}
_NUMBERS_OR_NONE = _list_of(_or_null(_WHOLE))
_CELLS = _object(
    {
        "source": _list_of(_WHOLE),
        "target": _list_of(_WHOLE),
        "answer": _list_of(_WHOLE),
        "waitedMicroseconds": _list_of(_WHOLE),
        "latencyMicroseconds": _NUMBERS_OR_NONE,
        "peerSaw": _NUMBERS_OR_NONE,
        "peerPort": _NUMBERS_OR_NONE,
        "answeredBy": _NUMBERS_OR_NONE,
        "nextHop": _NUMBERS_OR_NONE,
        "nonce": _list_of(_or_null(_TEXT)),
    },
    [],
)
_MATRIX = _object(
    {
        "title": _TEXT,
        "kind": _one_of(MatrixKind),
        "test": _TEXT,
        "headline": {"type": "boolean"},
        "judged": {"type": "boolean"},
        "cells": _CELLS,
    },
    ["title", "kind", "headline", "judged", "cells"],
)
_TARGET = _object(
    {
        "destination": _WHOLE,
        "family": _one_of(Family),
        "protocol": _one_of(Protocol),
        "address": _TEXT,
        "port": _WHOLE,
        "question": _TEXT,
        "about": _one_of(Family),
    },
    ["destination", "family", "protocol", "address"],
)
_ICMP = _object(
    {
        "family": _one_of(Family),
        "type": _WHOLE,
        "code": _WHOLE,
        "sender": _TEXT,
        "mtu": _or_null(_WHOLE),
    },
    ["family", "type", "code", "sender", "mtu"],
)
_ANSWER = _object(
    {
        "outcome": _one_of(Outcome),
        "reason": _TEXT,
        "attempts": _WHOLE,
        "arrived": {"type": "boolean"},
        "untold": _list_of(_TEXT),
        "stalledSeconds": {"type": "number"},
        "icmp": _ICMP,
        "expected": _list_of(_one_of(Outcome)),
        "because": _TEXT,
        "byPolicy": {"type": "boolean"},
        "closedBy": _TEXT,
        "state": _one_of(CellState),
        "verbatim": {"type": "boolean"},
    },
    ["outcome", "attempts", "byPolicy", "state"],
)
_ROW = _object(
    {
        **dict.fromkeys(("code", "title", "topic"), _TEXT),
        "coverage": _one_of(Coverage),
        **dict.fromkeys(("tests", "cases", "skipped"), _list_of(_TEXT)),
    },
    ["code", "title", "coverage"],
)


def document() -> Schema:
    """The whole schema."""
    classes = _Classes()
    written = classes.members(Results)
    endpoint = classes.of(Endpoint)
    derived = {
        "schema": {"const": SCHEMA},
        "counts": _object({outcome.value: _WHOLE for outcome in CaseOutcome}, []),
        "ledger": _list_of(_ROW),
        "endpoints": _list_of(endpoint),
        "targets": _list_of(_TARGET),
        "answers": _list_of(_ANSWER),
        "texts": _list_of(_TEXT),
    }
    left_out = ("examination", "applications", "failures")
    required = [n for n in (*derived, *written["properties"]) if n not in left_out]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"results.json of sixproof ({SCHEMA})",
        **_object({**derived, **written["properties"]}, required),
        "definitions": dict(sorted(classes.definitions.items())),
    }


def text() -> str:
    """The schema as a file."""
    return json.dumps(document(), indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
