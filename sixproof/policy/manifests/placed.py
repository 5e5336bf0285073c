"""Objects with the place that they come from: every error and note says which file, which document
and which line."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from sixproof.errors import ManifestError, UsageError
from sixproof.policy.manifests.manifest_compiler import described

MOST_SHOWN = 20
"""Errors that one message lists; the rest are counted."""


@dataclasses.dataclass(frozen=True, slots=True)
class Placed:
    """A value, and where it is (``shop.yaml: document 2, line 14``)."""

    value: object
    place: str = ""

    def refusal(self, bad: ManifestError) -> str:
        """An error about this value, with its place and its name."""
        named = f"(in {described(self.value)})"
        said = str(bad) if named in bad.reason else f"{bad} {named}"
        return f"{self.place}: {said}" if self.place else said


class Refusals(UsageError):
    """Everything that is wrong, not only the first: one reason per line."""

    def __init__(self, reasons: Iterable[str]) -> None:
        every = list(dict.fromkeys(reasons))
        more = len(every) - MOST_SHOWN
        self.reasons = (*every[:MOST_SHOWN], *([f"and {more} more"] if more > 0 else []))
        super().__init__("\n".join(self.reasons))
