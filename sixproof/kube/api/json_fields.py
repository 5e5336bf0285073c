"""Reading fields of API objects, any part of which may be absent or of another shape.

What a server sends is foreign data: a reader takes values of the expected type and treats the rest
as absent, so that one odd object never ends discovery.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable
from typing import Any

from sixproof.model import Family, IPAddress, IPNetwork

Manifest = dict[str, Any]


def at(value: Any, *path: str) -> Any:
    """The value below `path`, None where any part of it is missing."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def text(value: Any, *path: str) -> str:
    """The string below `path`; numbers and booleans in JSON's spelling; "" where there is none."""
    found = at(value, *path)
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found) if isinstance(found, str | int | float) else ""


def number(value: Any, *path: str) -> int | None:
    """The integer below `path`, also where it is written as a string; None where there is none."""
    try:
        return int(text(value, *path))
    except ValueError:
        return None


def flag(value: Any, *path: str) -> bool | None:
    """The boolean below `path`, also where it is written as a string; None where there is none."""
    return {"true": True, "false": False}.get(text(value, *path).lower())


def mapping(value: Any, *path: str) -> Manifest:
    """The object below `path`, empty where there is none; without keys that are no text, which
    YAML has and the API has not."""
    found = at(value, *path)
    if not isinstance(found, dict):
        return {}
    if all(isinstance(key, str) for key in found):
        return found
    return {key: inner for key, inner in found.items() if isinstance(key, str)}


def entries(value: Any, *path: str) -> tuple[Manifest, ...]:
    """The objects of the list below `path`."""
    found = at(value, *path)
    return tuple(e for e in found if isinstance(e, dict)) if isinstance(found, list) else ()


def strings(value: Any, *path: str) -> tuple[str, ...]:
    """The strings of the list below `path`."""
    found = at(value, *path)
    return tuple(e for e in found if isinstance(e, str)) if isinstance(found, list) else ()


def name(value: Any) -> str:
    """`metadata.name`."""
    return text(value, "metadata", "name")


def namespace(value: Any) -> str:
    """`metadata.namespace`, "" for cluster-scoped objects."""
    return text(value, "metadata", "namespace")


def labels(value: Any) -> dict[str, str]:
    """`metadata.labels`."""
    return {str(k): str(v) for k, v in mapping(value, "metadata", "labels").items()}


def annotation(value: Any, key: str) -> str:
    """One of `metadata.annotations`, "" where it is not set."""
    return text(value, "metadata", "annotations", key)


def condition(value: Any, kind: str) -> Manifest:
    """The entry of `status.conditions` of that type, empty where there is none."""
    return next((c for c in entries(value, "status", "conditions") if c.get("type") == kind), {})


def time_of(value: Any, *path: str) -> datetime.datetime | None:
    """The RFC 3339 time below `path`, with its zone; None where there is none."""
    try:
        found = datetime.datetime.fromisoformat(text(value, *path))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def address(value: str) -> IPAddress | None:
    """The address, None where the text is not one."""
    try:
        return ipaddress.ip_address(value.strip())
    except ValueError:
        return None


def addresses(values: Iterable[str]) -> tuple[IPAddress, ...]:
    """The addresses among the texts, in their order."""
    return tuple(a for a in map(address, values) if a is not None)


def network(value: str) -> IPNetwork | None:
    """The network, its host bits cleared; None where the text is not one."""
    try:
        return ipaddress.ip_network(value.strip(), strict=False)
    except ValueError:
        return None


def networks(values: Iterable[str]) -> tuple[IPNetwork, ...]:
    """The networks among the texts, each once, in their order."""
    return tuple(dict.fromkeys(n for n in map(network, values) if n is not None))


def families(values: Iterable[IPAddress | IPNetwork]) -> tuple[Family, ...]:
    """The families of addresses or networks, in the order in which they first appear."""
    return tuple(dict.fromkeys(Family.of(v) for v in values))


def one_line(error: BaseException | str, limit: int = 400) -> str:
    """The message of an error on one line, without the library's own decoration, and without
    characters that a terminal obeys."""
    words = " ".join(str(error).split()) or type(error).__name__
    words = words if words.isprintable() else "".join(c if c.isprintable() else "?" for c in words)
    return words if len(words) <= limit else f"{words[: limit - 3]}..."
