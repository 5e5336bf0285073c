"""Values as JSON: how everything that a run leaves behind is written, and read back.

A dataclass is an object whose members are in the order of its fields, named in camel case. Enums
are written as their values, addresses and networks as text, tuples as lists, and `seconds` are
rounded to milliseconds. Unknown members are skipped when an object is read, those that have a
default may be missing. Exceptions are defined by the class's `Form`.
"""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
import reprlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args, get_origin

from cattrs import BaseValidationError, Converter
from cattrs.cols import homogenous_tuple_structure_factory
from cattrs.errors import AttributeValidationNote, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from sixproof.errors import RecordError, brief
from sixproof.model import ClusterFacts, Endpoint, Finding, IPAddress, IPNetwork, NodeFacts

T = TypeVar("T")
Object = dict[str, Any]
Reader = Callable[..., Any]

_CONVERTER = Converter()


def to_json(value: object) -> Any:
    """What `json.dumps` takes, and `from_json` turns back into the value."""
    return _CONVERTER.unstructure(value)


def from_json(kind: type[T], value: object) -> T:
    """The value of that class.

    Raises:
        RecordError: the JSON does not have its form; names the member.
    """
    try:
        return _CONVERTER.structure(value, kind)
    except (BaseValidationError, RecordError, KeyError, TypeError, ValueError) as error:
        raise _first(error) from error


def full(members: Mapping[str, Any]) -> Object:
    """The members with content: not None, not empty. False and 0 count as content."""
    return {k: v for k, v in members.items() if v is not None and v not in ("", [], ())}


def camel_case(name: str) -> str:
    """``exit_status`` as ``exitStatus``."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """How the objects of a dataclass differ; decorates the class.

    `named` gives a member's name, `objects` are fields whose pairs of texts become an object,
    `written` changes an object once it is written, and `read` before it is read.
    """

    named: Callable[[str], str] = camel_case
    objects: tuple[str, ...] = ()
    written: Callable[[Object], Object] | None = None
    read: Callable[[Object], Object] | None = None

    def __call__(self, kind: type[T]) -> type[T]:
        _FORMS[kind] = self
        return kind


def _as_given(value: Object) -> Object:
    """Without what a finding does not have: an object, further objects."""
    return {
        name: member
        for name, member in value.items()
        if member is not None and (name != "others" or member)
    }


_USUAL = Form()
_FORMS: dict[type, Form] = {
    NodeFacts: Form(named=str),
    ClusterFacts: Form(named=str),
    Endpoint: Form(objects=("labels",)),
    Finding: Form(written=_as_given),
}


def form_of(kind: type) -> Form:
    """How the objects of a dataclass differ."""
    return _FORMS.get(kind, _USUAL)


def own_form(kind: type[T], written: Callable[[T], Object], read: Callable[[Object], T]) -> None:
    """Let own functions handle a class; `read` raises KeyError, TypeError or ValueError."""
    _CONVERTER.register_unstructure_hook(kind, written)
    own_reader(kind, read)


def own_reader(kind: type[T], read: Callable[[Object], T]) -> None:
    """Let an own function read a class; it raises KeyError, TypeError or ValueError."""
    _CONVERTER.register_structure_hook(kind, lambda value, _: read(_object(value)))


def _must_be(wanted: str, *kinds: type) -> Reader:
    """Reads JSON's own types only, without Python's conversions."""

    def read(value: Any, kind: Any = None) -> Any:
        if type(value) not in kinds:
            raise TypeError(f"must be {wanted}, is {reprlib.repr(value)}")
        return kind(value) if isinstance(kind, enum.EnumType) else value

    return read


_text = _must_be("text", str)
_object = _must_be("an object", dict)
_list = _must_be("a list", list, tuple)
_READERS: dict[Any, Reader] = {
    str: _text,  # and enums of texts
    bool: _must_be("true or false", bool),
    int: _must_be("an integer", int),
    float: _must_be("a number", float, int),
    IPAddress: lambda value, _: ipaddress.ip_address(_text(value)),
    IPNetwork: lambda value, _: ipaddress.ip_network(_text(value)),
}


def _pairs(value: object, _: object) -> tuple[tuple[str, str], ...]:
    return tuple((_text(k), _text(v)) for k, v in _object(value).items())


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _tuple_reader(kind: Any, converter: Converter) -> Reader:
    parts = get_args(kind)
    if parts[-1] is ...:
        each = homogenous_tuple_structure_factory(kind, converter)
        return lambda value, _: each(_list(value), kind)

    def read(value: Any, _: object) -> tuple[Any, ...]:
        if len(_list(value)) != len(parts):
            raise ValueError(f"must hold {len(parts)} elements, holds {len(value)}")
        return tuple(map(converter.structure, value, parts))

    return read


def _members(kind: type) -> dict[str, Any]:
    """How cattrs should handle the fields of a dataclass."""
    differs = form_of(kind)
    found = {}
    for field in dataclasses.fields(kind):
        name = differs.named(field.name)
        if field.name in differs.objects:
            found[field.name] = override(rename=name, unstruct_hook=dict, struct_hook=_pairs)
        elif field.name == "seconds":
            found[field.name] = override(rename=name, unstruct_hook=lambda value: round(value, 3))
        else:
            found[field.name] = override(rename=name)
    return found


def _class_writer(kind: type, converter: Converter) -> Callable[[Any], Object]:
    write: Callable[[Any], Object] = make_dict_unstructure_fn(kind, converter, **_members(kind))
    change = form_of(kind).written
    return (lambda value: change(write(value))) if change else write


def _class_reader(kind: type, converter: Converter) -> Reader:
    read: Reader = make_dict_structure_fn(kind, converter, **_members(kind))
    change = form_of(kind).read
    if change is None:
        return lambda value, _: read(_object(value), kind)
    return lambda value, _: read(change(_object(value)), kind)


def _first(error: Exception) -> RecordError:
    """The first error, with the path to it."""
    path = ""
    while isinstance(error, BaseValidationError):
        holder, error = error.cl, error.exceptions[0]
        for note in getattr(error, "__notes__", ()):
            if isinstance(note, AttributeValidationNote):
                path += f".{form_of(holder).named(note.name)}"
            elif isinstance(note, IterableValidationNote):
                path += f"[{note.index}]"
    if isinstance(error, RecordError):
        return RecordError(f"{path}.{error.path}".strip("."), error.reason)
    reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return RecordError(path.strip("."), brief(reason))


for _kind, _reader in _READERS.items():
    _CONVERTER.register_structure_hook(_kind, _reader)
for _kind in (*get_args(IPAddress), *get_args(IPNetwork)):
    _CONVERTER.register_unstructure_hook(_kind, str)
_CONVERTER.register_unstructure_hook(enum.StrEnum, lambda value: value.value)
_CONVERTER.register_structure_hook_factory(_is_tuple, _tuple_reader)
_CONVERTER.register_structure_hook_factory(dataclasses.is_dataclass, _class_reader)
_CONVERTER.register_unstructure_hook_factory(dataclasses.is_dataclass, _class_writer)
