"""Skips: why a test did not run, and how to have it run (design contract 10); and what ran and
proved nothing (contract 12).

All travel in one text, since pytest carries one: ``REASON -- enable: HOW``. What is not proven
starts with ``NOT PROVEN:``, so that JUnit and Allure, which know skips only, say so too.
"""

from __future__ import annotations

import dataclasses

_MARK = " -- enable: "
_NOT_PROVEN = "NOT PROVEN: "
_SAID = "Skipped: "


@dataclasses.dataclass(frozen=True, slots=True)
class Skip:
    """A reason, and how to enable what was skipped (empty: not on this cluster).

    `unproven`: the test ran, and nothing that it is about was carried.
    """

    reason: str
    enable: str = ""
    unproven: bool = False

    def __str__(self) -> str:
        lead = _NOT_PROVEN if self.unproven else ""
        return f"{lead}{self.reason}{_MARK}{self.enable}" if self.enable else lead + self.reason

    @classmethod
    def parse(cls, text: str) -> Skip:
        """The skip of a text, also as pytest reports it (``Skipped: ...``)."""
        plain = text.removeprefix(_SAID).strip()
        unproven = plain.startswith(_NOT_PROVEN)
        reason, _, enable = plain.removeprefix(_NOT_PROVEN).partition(_MARK)
        return cls(reason.strip(), enable.strip(), unproven)
