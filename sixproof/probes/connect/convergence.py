"""Convergence: how long a change takes to show, in each family; measured, never slept out.

Cheap rounds run until a family is as it must be twice in a row, for every family, or until the
deadline; then one round with full time-outs confirms, and is what is judged (design contract 6).
With sampled flows the confirming round is itself the second one that agrees (decision 0047).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence

from sixproof.kube.api import wait
from sixproof.model import Family, Observation, Outcome

FIRST = 0.3
"""Seconds that a flow of the first cheap round gets."""
_MARGIN = 20.0
"""A flow of a later round gets this many times the latency of the slowest one that worked."""
_IN_A_ROW = 2

Measure = Callable[[float], Sequence[Observation]]
"""One round: every flow gets at most so many seconds."""

Agrees = Callable[[Sequence[Observation]], bool]
"""Whether the observations of one family are as they must be."""


@dataclasses.dataclass(frozen=True, slots=True)
class Converged:
    """How it went. `seconds` run from the change to the end of the first of two rounds that agree;
    a family that never did has none. `observations` are those of the confirming round."""

    observations: tuple[Observation, ...]
    seconds: Mapping[Family, float]
    rounds: int
    waited: float

    @property
    def families(self) -> tuple[Family, ...]:
        """The families that were measured, IPv4 before IPv6."""
        return tuple(f for f in Family if any(o.flow.family is f for o in self.observations))

    def __str__(self) -> str:
        parts = [
            f"{f} converged after {self.seconds[f]:.2f} s"
            if f in self.seconds
            else f"{f} did not converge"
            for f in self.families
        ]
        return f"{', '.join(parts)} ({self.rounds} rounds in {self.waited:.1f} s)"


class _Follower:
    """What the cheap rounds have shown so far."""

    def __init__(
        self,
        measure: Measure,
        agrees: Agrees,
        began: float,
        first: float,
        patience: float,
        margin: float,
        in_a_row: int,
    ) -> None:
        self._measure = measure
        self._agrees = agrees
        self._began = began
        self._first = first
        self._patience = patience
        self._margin = margin
        self._in_a_row = in_a_row
        self._timeout = min(first, patience)
        self._streaks: dict[Family, int] = {}
        self.seconds: dict[Family, float] = {}
        self.rounds = 0
        self.last: Sequence[Observation] = ()

    def look(self) -> bool:
        """One round; whether every family has agreed often enough."""
        seen = self._measure(self._timeout)
        took = time.monotonic() - self._began
        self.rounds += 1
        self.last = seen
        for family in {o.flow.family for o in seen}:
            if self._agrees([o for o in seen if o.flow.family is family]):
                self._streaks[family] = self._streaks.get(family, 0) + 1
                self.seconds.setdefault(family, took)
            else:
                self._streaks[family] = 0
                self.seconds.pop(family, None)
        self._timeout = self._next(seen)
        return all(streak >= self._in_a_row for streak in self._streaks.values())

    def settled(self) -> dict[Family, float]:
        """The times of the families that agreed often enough, and still do."""
        return {f: s for f, s in self.seconds.items() if self._streaks[f] >= self._in_a_row}

    def _next(self, seen: Sequence[Observation]) -> float:
        """The time-out follows what allowed flows took; rounds that agents were too slow for
        double it."""
        slowest = max((o.latency or 0.0 for o in seen if o.outcome.works), default=0.0)
        wanted = max(self._first, slowest * self._margin)
        if any(o.outcome is Outcome.UNKNOWN for o in seen):
            wanted = max(wanted, self._timeout * 2)
        return min(wanted, self._patience)


def converge(
    measure: Measure,
    agrees: Agrees,
    *,
    began: float,
    deadline: float,
    patience: float,
    first: float = FIRST,
    margin: float = _MARGIN,
    confirm: Measure | None = None,
    sure: bool = False,
    sample: Measure | None = None,
) -> Converged:
    """Follow a change that was asked for at `began` (`time.monotonic`) for `deadline` seconds.

    `patience` are the seconds that a flow of the confirming round gets, `first` those of a cheap
    one (more for flows that must be refused: kernels send ICMP errors sparingly), `margin` what
    later ones get, in latencies of the slowest flow that worked (less where every silence is waited
    out). `confirm` measures the last round where it differs from the cheap ones; with `sure` the
    last cheap round replaces it where every family agreed.

    With `sample`, the cheap rounds are its own, of a few flows: one must agree, and the confirming
    round with it. Where that does not, the whole begins again without sampled flows, in the time
    that is left; what the confirming round took by itself is not taken from it.
    """
    confirm = confirm or measure

    def follow(rounds: Measure, in_a_row: int, judged: float = 0.0) -> tuple[_Follower, bool]:
        follower = _Follower(rounds, agrees, began, first, patience, margin, in_a_row)
        left = max(0.1, deadline + judged - (time.monotonic() - began))
        found = wait.until(follower.look, bool, timeout=left, first=0.02, longest=0.15)
        return follower, found.accepted

    before, judged = 0, 0.0
    if sample is not None:
        follower, agreed = follow(sample, 1)
        waited = time.monotonic() - began
        final = confirm(patience)
        if not agreed or agrees(final):
            return Converged(tuple(final), follower.settled(), follower.rounds, waited)
        before, judged = follower.rounds + 1, time.monotonic() - began - waited
    follower, agreed = follow(measure, _IN_A_ROW, judged)
    waited = time.monotonic() - began
    final = follower.last if sure and agreed else confirm(patience)
    return Converged(tuple(final), follower.settled(), before + follower.rounds, waited)
