"""What the user sees while the bed works: steps, counts, time left, never a silent minute."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

QUIET_SECONDS = 15.0
# A shorter step is not worth a line.
SHORT_SECONDS = 0.7


def duration(seconds: float) -> str:
    """`7 s`, `1 min 05 s`."""
    whole = max(0, round(seconds))
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


@dataclass(slots=True)
class Count:
    """Things done of a known total, with an estimate of the time left."""

    total: int
    unit: str
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def advance(self, number: int = 1) -> None:
        self.done += number
        self.total = max(self.total, self.done)

    def left(self) -> float | None:
        """Seconds left at the pace so far; None until the pace is known."""
        elapsed = self.clock() - self.started
        if self.done < 5 or elapsed < 2:
            return None
        return elapsed / self.done * (self.total - self.done)

    def __str__(self) -> str:
        text = f"{self.done} of {self.total} {self.unit}"
        left = self.left()
        if left is None:
            return text
        return f"{text}, about {duration(left)} left"


class Progress:
    """Prints steps; thread-safe. A heartbeat shows that a step without output still runs."""

    def __init__(self, stream: TextIO = sys.stderr, quiet: float = QUIET_SECONDS) -> None:
        self._stream = stream
        self._quiet = quiet
        self._lock = threading.Lock()
        self._said = time.monotonic()
        self._begun = time.monotonic()
        self.timings: dict[str, float] = {}

    def say(self, text: str) -> None:
        with self._lock:
            self._said = time.monotonic()
            clock = duration(self._said - self._begun)
            print(f"[{clock:>12}] {text}", file=self._stream, flush=True)

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        """A step; yields a function that sets what the heartbeat shows as its state."""
        state = [""]
        ended = threading.Event()
        begun = time.monotonic()

        def beat() -> None:
            if ended.wait(SHORT_SECONDS):
                return
            self.say(title)
            while not ended.wait(1.0):
                if time.monotonic() - self._said >= self._quiet:
                    detail = f": {state[0]}" if state[0] else ""
                    self.say(f"  ... {title}{detail} ({duration(time.monotonic() - begun)})")

        def report(text: str) -> None:
            state[0] = text

        heart = threading.Thread(target=beat, daemon=True)
        heart.start()
        try:
            yield report
        finally:
            ended.set()
            heart.join()
        took = time.monotonic() - begun
        if took >= SHORT_SECONDS:
            self.timings[title] = took
            self.say(f"  {title}: done in {duration(took)}")
