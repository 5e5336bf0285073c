"""An API server that accepts requests and answers none: one patience for all of them."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable

from sixproof.errors import NoAnswer

SAY_EVERY = 8.0
"""Seconds between two messages about silence."""
AFTERWARDS = 1.0
"""Seconds after giving up in which other requests are given up at once: those that queued."""


@dataclasses.dataclass
class _Spell:
    """The silence of one server: since when, and when a request was given up because of it."""

    since: float | None = None
    given_up: float | None = None
    error: str = ""


class Silence:
    """What all threads know of an API server's silence; any answer ends it.

    Without it each of many requests would use up its own patience, wave after wave. Extension
    servers count separately: they may be silent, over the very network under test, while the API
    server itself is well.
    """

    def __init__(
        self,
        patience: float,
        timeout: float,
        say: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        final: bool = False,
    ) -> None:
        """`patience` and `timeout`, after which one try counts as silent, in seconds. `final` means
        that once a request was given up no other is sent: with little time left, a server that
        cannot be reached is as good as silent."""
        self._patience = patience
        self._timeout = timeout
        self._say = say
        self._clock = clock
        self._final = final
        self._lock = threading.Lock()
        self._spells: dict[str, _Spell] = {}
        self._said = float("-inf")

    def broken(self, path: str) -> None:
        """A request for this path was answered."""
        with self._lock:
            if not (self._final and self._given_up(path)):
                self._spells.pop(server_of(path), None)

    def patience(self, path: str, error: NoAnswer) -> float:
        """The seconds, since a request was first sent, for which it is worth retrying.

        Refused connections keep the whole patience: a restart looks like that.
        """
        if not (error.silent or self._final):
            return self._patience
        with self._lock:
            now = self._clock()
            spell = self._spells.setdefault(server_of(path), _Spell())
            if spell.since is None:
                spell.since = now - self._timeout
            left = self._patience - (now - spell.since)
            if left <= 0:
                spell.given_up, spell.error = now, str(error)
                return 0.0
            speaks = now - self._said >= SAY_EVERY
            self._said = now if speaks else self._said
        if speaks and self._say:
            self._say(f"waiting for the API server, {left:.0f} s more at most: {error}")
        return self._patience

    def check(self, path: str, purpose: str) -> None:
        """Called before a request is sent; later ones have their own patience again.

        Raises:
            NoAnswer: another request to the same server was given up just now.
        """
        with self._lock:
            now = self._clock()
            spell = self._spells.get(server_of(path))
            if spell is None or spell.given_up is None:
                if self._final and spell is None:
                    self._spells[server_of(path)] = _Spell(since=now)
                return
            if now - spell.given_up > AFTERWARDS and not self._final:
                del self._spells[server_of(path)]
                return
            raise NoAnswer(
                f"{purpose}: not sent, since the API server is silent: {spell.error}",
                sent=False,
                behind=bool(server_of(path)),
            )

    def given_up(self) -> str:
        """The request to the API server that was given up, and why; "" for none."""
        with self._lock:
            return self._given_up("")

    def _given_up(self, path: str) -> str:
        spell = self._spells.get(server_of(path))
        return "" if spell is None or spell.given_up is None else spell.error


def server_of(path: str) -> str:
    """The server for a path: "" for the API server, else the group of an extension server. What is
    stored as custom resources (crd.projectcalico.org) the API server answers itself."""
    parts = path.split("/")
    group = parts[2] if path.startswith("/apis/") and len(parts) > 2 else ""
    own = "." not in group or group.endswith(".k8s.io") or group.startswith("crd.")
    return "" if own else group
