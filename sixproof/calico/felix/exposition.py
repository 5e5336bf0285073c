"""Prometheus's text format, read with bounds: an endpoint's answer is not trusted.

Prometheus documentation, Exposition formats, text format 0.0.4. Name, labels and value of a sample
are read; comments and timestamps are not. An invalid line is counted and left out.
"""

from __future__ import annotations

import dataclasses
import re

MOST = 20_000
"""Maximum number of samples."""
LONGEST = 4000
"""Maximum number of characters read from a line."""
_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_SAMPLE = re.compile(
    rf"(?P<name>{_NAME})(?:\{{(?P<labels>(?:[^\"}}]|{_QUOTED})*)\}})?"
    r"[ \t]+(?P<value>[-+.0-9A-Za-z]+)(?:[ \t]+-?[0-9]+)?[ \t]*"
)
_LABEL = re.compile(rf"({_NAME})[ \t]*=[ \t]*({_QUOTED})")
_ESCAPED = re.compile(r"\\(.)")


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """A value under a name, with its labels sorted."""

    name: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()

    def label(self, name: str) -> str:
        """A label's value, "" without it."""
        return dict(self.labels).get(name, "")


@dataclasses.dataclass(frozen=True, slots=True)
class Exposition:
    """What an endpoint exposes: its samples, and the number of invalid lines."""

    samples: tuple[Sample, ...] = ()
    malformed: int = 0


def read(text: str) -> Exposition:
    """The samples of a text; at most `MOST`, further ones are left out."""
    samples: list[Sample] = []
    malformed = 0
    for line in text.split("\n"):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        sample = _sample(stripped)
        if sample is None:
            malformed += 1
        elif len(samples) < MOST:
            samples.append(sample)
    return Exposition(tuple(samples), malformed)


def _sample(line: str) -> Sample | None:
    found = _SAMPLE.fullmatch(line) if len(line) <= LONGEST else None
    if found is None:
        return None
    try:
        value = float(found["value"])  # the format includes NaN, +Inf and -Inf
    except ValueError:
        return None
    labels = _LABEL.findall(found["labels"] or "")
    return Sample(
        found["name"],
        value,
        tuple(sorted((name, _ESCAPED.sub(_plain, quoted[1:-1])) for name, quoted in labels)),
    )


def _plain(escaped: re.Match[str]) -> str:
    return "\n" if escaped[1] == "n" else escaped[1]
