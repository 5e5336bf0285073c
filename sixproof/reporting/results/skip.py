"""Skips: why a test did not run, and how to have it run (design contract 10); and what ran and
proved nothing (contract 12).

As text it is ``REASON -- enable: HOW``. What is not proven starts with ``NOT PROVEN:``, so that
JUnit and Allure, which know skips only, say so too. Nothing is read back from the text.
"""

from __future__ import annotations

import dataclasses

from sixproof.errors import NotAsked

_MARK = " -- enable: "
_NOT_PROVEN = "NOT PROVEN: "


@dataclasses.dataclass(frozen=True, slots=True)
class Skip:
    """A reason, and how to enable what was skipped (empty: not on this cluster).

    `unproven`: the test ran, and nothing that it is about was carried, over `families` (``IPv6``),
    over any where that is not said.
    """

    reason: str
    enable: str = ""
    unproven: bool = False
    families: frozenset[str] = frozenset()

    def __str__(self) -> str:
        lead = _NOT_PROVEN if self.unproven else ""
        return f"{lead}{self.reason}{_MARK}{self.enable}" if self.enable else lead + self.reason

    @classmethod
    def of(cls, error: NotAsked) -> Skip:
        """What a check said by raising it."""
        return cls(error.reason, error.enable, error.unproven, error.families)
