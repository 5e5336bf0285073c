"""Pages: what an HTTP server says, such as a daemon's health or metrics."""

from __future__ import annotations

import dataclasses

from sixproof.agent.protocol.flows import FlowResult, FlowSpec
from sixproof.agent.protocol.record import Record

PAGE_LIMIT = 512 * 1024
"""Bytes of an answer that are taken."""
PAGES = 8
"""That one request may ask for."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Get(FlowSpec):
    """A GET over HTTP/1.0; uploads and downloads play no part. `path` begins with a slash."""

    path: str = "/"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Page(FlowResult):
    """The answer: the HTTP `status`, and the body as text; `cut` where it was longer than is taken.
    Its event is ANSWERED whatever the status."""

    status: int = 0
    body: str = ""
    cut: bool = False


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Fetch(Record):
    """Get these pages, all at once."""

    gets: list[Get]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Fetched(Record):
    """Pages in the order of the gets; `lag` is the worst delay of the loop meanwhile."""

    pages: list[Page]
    lag: float
