"""An API server that takes requests and does not answer any: one patience for all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sixproof.errors import ApiError
from sixproof.kube.failures import NoAnswer

SAY_EVERY = 8.0
"""Seconds between two lines about the same silence."""
AFTERWARDS = 5.0
"""Seconds after giving up in which other requests are given up at once."""


class Silence:
    """What all threads know of an API server's silence; any answer breaks it.

    Without it each of many requests would use up a patience of its own, wave after wave.
    """

    def __init__(
        self,
        patience: float,
        timeout: float,
        say: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`patience` and `timeout`, after which one try counts as silent, in seconds."""
        self._patience = patience
        self._timeout = timeout
        self._say = say
        self._clock = clock
        self._lock = threading.Lock()
        self._since: float | None = None
        self._given_up: tuple[float, NoAnswer] | None = None
        self._said = float("-inf")

    def broken(self) -> None:
        """An answer came."""
        with self._lock:
            self._since = self._given_up = None

    def patience(self, error: NoAnswer) -> float:
        """The seconds, since a request was first sent, for which it is worth trying again.

        Refused connections keep the whole patience: that is how a restart looks.
        """
        with self._lock:
            now = self._clock()
            if self._since is None:
                self._since = now - (self._timeout if error.silent else 0.0)
            spent = now - self._since
            left = self._patience - spent
            told = bool(self._say) and left > 0 and now - self._said >= SAY_EVERY
            if told:
                self._said = now
            if error.silent and left <= 0:
                self._given_up = (now, error)
        if told and self._say:
            self._say(f"waiting for the API server, {left:.0f} s more at most: {error}")
        return self._patience if left > 0 or not error.silent else 0.0

    def check(self, purpose: str) -> None:
        """Before a request is sent. Raises: ApiError where another was given up just now."""
        with self._lock:
            if self._given_up is None or self._clock() - self._given_up[0] > AFTERWARDS:
                return
            raise ApiError(
                f"{purpose}: not sent, since the API server is silent: {self._given_up[1]}"
            )
