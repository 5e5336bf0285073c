"""The test bed's only error. It says what was wanted, what was seen and what to do about it."""

from __future__ import annotations


class BedError(Exception):
    """The bed cannot go on; this proves nothing about a network under test."""

    def __init__(self, wanted: str, *, seen: str = "", remedy: str = "") -> None:
        self.wanted = wanted
        self.seen = seen
        self.remedy = remedy
        lines = [f"wanted: {wanted}"]
        if seen:
            lines.append(f"  seen: {seen}")
        if remedy:
            lines.append(f"    do: {remedy}")
        super().__init__("\n".join(lines))
