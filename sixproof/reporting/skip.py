"""Skips: why a test did not run, and how to have it run (design contract 10).

Both travel in one text, since pytest carries one: ``REASON -- enable: HOW``.
"""

from __future__ import annotations

import dataclasses

_MARK = " -- enable: "


@dataclasses.dataclass(frozen=True, slots=True)
class Skip:
    """A reason, and how to enable what was skipped (empty: not on this cluster)."""

    reason: str
    enable: str = ""

    def __str__(self) -> str:
        return f"{self.reason}{_MARK}{self.enable}" if self.enable else self.reason

    @classmethod
    def parse(cls, text: str) -> Skip:
        """The skip of a text, also as pytest reports it (``Skipped: ...``)."""
        plain = text.removeprefix("Skipped: ").strip()
        reason, _, enable = plain.partition(_MARK)
        return cls(reason.strip(), enable.strip())
