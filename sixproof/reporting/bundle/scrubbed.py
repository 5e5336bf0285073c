"""Leaving out of values what is secret, and what only takes space.

By name: what is named like a secret loses its value, wherever it is. By form: keys and certificates
in PEM, JSON web tokens, credentials in URLs and headers, in any text. A secret with neither such a
name nor such a form cannot be recognised; so of objects with free text (pods, DaemonSets,
ConfigMaps) only chosen fields come here at all (`trimmed`).
"""

from __future__ import annotations

import functools
import re
from typing import Any

LEFT_OUT = "(left out)"
LONGEST = 8000
"""Characters of one text that are kept."""
DEEPEST = 40
"""Levels of lists and objects that are kept."""
_SHORT = 100
"""Characters of texts that come again and again: names, addresses."""

_WORDS = (
    r"pass(?:word|wd|phrase)|passwd|pwd|token|secret|credential|authori[sz]ation|private"
    r"|api[_-]?key|access[_-]?key|key[_-]?(?:file|data)|cert|ca[_-]?(?:bundle|data|file)|psk|cookie"
)
_FIELD = re.compile(_WORDS, re.IGNORECASE)
_VARIABLE = re.compile(rf"{_WORDS}|key|pass|auth", re.IGNORECASE)
_REFERENCE = re.compile(r"(?:secret|token).*Ref$|^secretName$", re.IGNORECASE)
_ANNOTATIONS = re.compile(r"(?:[\w-]+\.)*(?:projectcalico\.org|kubernetes\.io|k8s\.io)/")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_DROPPED = ("managedFields", _LAST_APPLIED)
_DIRECTIVE = re.compile(
    rf"^([ \t]*[\w.-]{{0,40}}(?:{_WORDS})[\w.-]{{0,40}}[ \t]+)\S.*$", re.I | re.M
)

_SHAPES = (
    (
        ("-----begin ",),
        re.compile(r"-----BEGIN [^-\n]{1,60}-----.*?(?:-----END [^-\n]{1,60}-----|\Z)", re.DOTALL),
    ),
    (("ls0tls1crudjti",), re.compile(r"LS0tLS1CRUdJTi[\w+/=-]*")),  # the same in base64
    (("eyj",), re.compile(r"\beyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*")),
    (("://",), re.compile(r"(?<=://)[^/\s@]{1,300}(?=@)")),
    (("bearer ", "basic "), re.compile(r"\b(?:Bearer|Basic) +(?P<value>\S{6,})", re.IGNORECASE)),
    (
        (":", "="),
        re.compile(
            rf"(?:{_WORDS})[\w.-]{{0,40}}[\"']?\s{{0,3}}[:=]\s{{0,3}}(?!\(left out)"
            r"(?P<value>\"[^\"\n]*\"|'[^'\n]*'|[^\s,;}]+)",
            re.IGNORECASE,
        ),
    ),
)
"""What a text must contain, in lower case, for a form to be looked for, and the form."""


def scrubbed(value: Any, depth: int = 0) -> Any:
    """What JSON can hold of a value, without secrets and noise.

    Texts end after `LONGEST` characters, nesting after `DEEPEST` levels.
    """
    if isinstance(value, str):
        return _shortened(text(value))
    if isinstance(value, dict | list | tuple) and depth >= DEEPEST:
        return "(cut: nested too deeply)"
    if isinstance(value, dict):
        return {
            str(key): _annotations(held) if key == "annotations" else _member(key, held, depth)
            for key, held in value.items()
            if key not in _DROPPED
        }
    if isinstance(value, list | tuple):
        return [scrubbed(one, depth + 1) for one in value]
    return value if isinstance(value, bool | int | float) or value is None else str(value)


def text(value: str) -> str:
    """A text without what has the form of a secret."""
    return _known(value) if len(value) < _SHORT else _stripped(value)


@functools.lru_cache(4096)
def _known(value: str) -> str:
    return _stripped(value)


@functools.lru_cache(4096)
def _hides(name: str) -> bool:
    return bool(_FIELD.search(name)) and not _REFERENCE.search(name)


def _stripped(value: str) -> str:
    small = value.lower()
    for signs, shape in _SHAPES:
        if any(sign in small for sign in signs):
            value = shape.sub(_hidden, value)
    return value


def directives(value: str) -> str:
    """A text of directives, a line each (a Corefile), those that are called like secrets alone."""
    return text(_DIRECTIVE.sub(rf"\1{LEFT_OUT}", value))


def variable(name: str, value: str) -> str:
    """The value of an environment variable, left out by the name that it has."""
    return LEFT_OUT if value and _VARIABLE.search(name) else _shortened(text(value))


def _hidden(found: re.Match[str]) -> str:
    named = found.groupdict().get("value")
    whole = found.group()
    return LEFT_OUT if named is None else whole[: len(whole) - len(named)] + LEFT_OUT


def _member(key: object, held: Any, depth: int) -> Any:
    name = str(key)
    if isinstance(held, dict) and _REFERENCE.search(name):
        return {"name": scrubbed(held.get("name", ""), depth + 1)}
    if _hides(name) and isinstance(held, str | list | tuple):
        return LEFT_OUT if held else held
    return scrubbed(held, depth + 1)


def _annotations(held: Any) -> Any:
    """Those of Kubernetes and Calico; what others note is theirs."""
    if not isinstance(held, dict):
        return {}
    return {
        str(key): LEFT_OUT if _FIELD.search(str(key)) else scrubbed(str(value))
        for key, value in held.items()
        if _ANNOTATIONS.match(str(key)) and key != _LAST_APPLIED
    }


def _shortened(value: str) -> str:
    if len(value) <= LONGEST:
        return value
    return f"{value[:LONGEST]}... (cut, {len(value)} characters)"
