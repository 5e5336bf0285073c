"""Walking manifests of any kind, without knowing their fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from sixproof.policy.manifests.manifest import Field, shown

_DEEPEST = 40
_MOST = 100_000


@dataclasses.dataclass(frozen=True, slots=True)
class Leaf:
    """A value that holds no others: under which key (of itself or of its list), and where."""

    key: str
    field: Field


def leaves(value: object, path: str = "") -> Iterator[Leaf]:
    """The leaves of a manifest. Manifests that refer to themselves come to an end too."""
    budget = [_MOST]
    yield from _leaves(Field(value, path), "", _DEEPEST, budget)


def _leaves(field: Field, key: str, depth: int, budget: list[int]) -> Iterator[Leaf]:
    value = field.value
    budget[0] -= 1
    if depth == 0 or budget[0] < 0:
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            key = written(name)
            yield from _leaves(field.child(key, inner), key, depth - 1, budget)
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from _leaves(Field(inner, f"{field.path}[{i}]"), key, depth - 1, budget)
    else:
        yield Leaf(key, field)


def written(value: object) -> str:
    """Text as it is, anything else as it is quoted: what a document holds may have no end."""
    return value if isinstance(value, str) else shown(value)


def text_at(value: object, *keys: str) -> str:
    """The text below these keys, empty where there is none."""
    found = at(value, *keys)
    return found if isinstance(found, str) else ""


def at(value: object, *keys: str) -> object:
    """The value below these keys, None where one is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def listed(value: object) -> list[object]:
    """The elements of a list; none of anything else."""
    return list(value) if isinstance(value, list | tuple) else []
