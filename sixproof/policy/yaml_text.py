"""YAML that nobody vouches for: read with bounds, and with one kind of error.

A reader that recurses, or looks back over all that is open, takes minutes for a megabyte of
brackets: how deep a text goes is counted before anything is made of it.
"""

from __future__ import annotations

from typing import Any

import yaml

DEEPEST = 64
"""Levels of lists and objects; a Kubernetes object has some twenty."""
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def documents(text: str, *, aliases: bool = True) -> list[Any]:
    """The documents of a text, those that are empty left out.

    Raises:
        yaml.YAMLError: it is no YAML, nests deeper than `DEEPEST`, or has an alias where `aliases`
            forbids them.
    """
    depth = 0
    try:
        for event in yaml.parse(text, _LOADER):
            if isinstance(event, yaml.AliasEvent) and not aliases:
                raise yaml.YAMLError("uses YAML aliases, which are not read: write it out")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise yaml.YAMLError(f"nests more than {DEEPEST} levels deep")
        return [value for value in yaml.load_all(text, _LOADER) if value is not None]
    except ValueError as error:  # a date that no calendar has
        raise yaml.YAMLError(str(error)) from error


def document(text: str) -> Any:
    """The only document of a text, None where it is empty.

    Raises:
        yaml.YAMLError: as `documents`, or there are several.
    """
    found = documents(text)
    if len(found) > 1:
        raise yaml.YAMLError(f"{len(found)} documents, one was expected")
    return found[0] if found else None
