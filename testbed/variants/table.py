"""Reading a table of a TOML file key by key: an error names its key."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from testbed.errors import BedError

REMEDY = "docs/testbed.md says what each key means"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Choice = TypeVar("_Choice", bound=StrEnum)


class Table:
    """A table whose keys are read one by one; `end` refuses those that were not read.

    Every method raises BedError for a key that is missing or whose value has the wrong type.
    """

    def __init__(self, place: str, values: Mapping[str, object]) -> None:
        self.place = place
        self._left = dict(values)
        self._taken: list[str] = []

    def text(self, key: str, pattern: str, what: str) -> str:
        """Text that a regular expression matches as a whole; `what` describes it in words."""
        value = self._take(key)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise self._wrong(key, what, value)
        return value

    def number(self, key: str, least: int, most: int) -> int:
        value = self._take(key)
        # TOML's true is Python's 1.
        if type(value) is not int or not least <= value <= most:
            raise self._wrong(key, f"a whole number from {least} to {most}", value)
        return value

    def choice(self, key: str, choices: type[_Choice]) -> _Choice:
        value = self._take(key)
        for choice in choices:
            if value == choice:
                return choice
        raise self._wrong(key, f"one of {', '.join(choices)}", value)

    def network(self, key: str, version: int) -> Network:
        """A range of addresses of IP version 4 or 6, in CIDR notation."""
        value = self._take(key)
        try:
            found = ipaddress.ip_network(value) if isinstance(value, str) else None
        except ValueError:
            found = None
        if found is None or found.version != version:
            raise self._wrong(key, f"an IPv{version} network, as its first address/length", value)
        return found

    def table(self, key: str) -> Table:
        value = self._take(key)
        if not isinstance(value, dict):
            raise self._wrong(key, "a table", value)
        return Table(f"[{key}] of {self.place}", value)

    def has(self, key: str) -> bool:
        """Whether an optional key is present."""
        return key in self._left

    def flag(self, key: str) -> bool:
        """Whether an optional key is true."""
        if key not in self._left:
            return False
        value = self._take(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false", value)
        return value

    def texts(self, key: str) -> dict[str, str]:
        """A table of texts by name, which is optional."""
        if key not in self._left:
            return {}
        values = self.table(key)
        return {name: values.text(name, ".+", "text in quotes") for name in list(values._left)}

    def end(self) -> None:
        """Refuse the keys that were not read."""
        if self._left:
            raise BedError(
                f"no other keys in {self.place} than {', '.join(self._taken)}",
                seen=", ".join(self._left),
                remedy=f"correct or remove them; {REMEDY}",
            )

    def _take(self, key: str) -> object:
        if key not in self._left:
            others = f"keys that nothing asked for yet: {', '.join(self._left)}"
            raise BedError(
                f"the key {key} in {self.place}",
                seen=others if self._left else "",
                remedy=f"add it; {REMEDY}",
            )
        self._taken.append(key)
        return self._left.pop(key)

    def _wrong(self, key: str, wanted: str, value: object) -> BedError:
        return BedError(
            f"{key} in {self.place} to be {wanted}",
            seen=repr(value),
            remedy=f"correct it; {REMEDY}",
        )


def read(place: str, text: str) -> Table:
    """A TOML file as a table; `place` is its name."""
    try:
        return Table(place, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BedError(f"{place} to be TOML", seen=str(error), remedy="correct it") from error
