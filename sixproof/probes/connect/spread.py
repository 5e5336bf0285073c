"""Spread: which backends answered many connections of the same flow, and which never did."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping

from sixproof.model import Family, Flow, Observation, Outcome

CHANCE = 1e-9
"""The accepted probability of missing a backend by chance, per flow and backend set."""


def connections(backends: int, chance: float = CHANCE) -> int:
    """How many connections hit every one of `backends` except with a probability below `chance`.

    Each connection picks one of n backends uniformly and independently (kube-proxy picks at random
    in its iptables and nftables modes). Some backend is missed by k connections with a probability
    of at most n (1 - 1/n)^k, the sum over backends: 54 for three, 31 for two.
    """
    if backends <= 1:
        return 1
    return math.ceil(math.log(chance / backends) / math.log1p(-1 / backends))


def worst_of(observations: Iterable[Observation]) -> tuple[Observation, ...]:
    """The same observations, those that a matrix should keep of each edge last.

    A matrix keeps the last one of an edge: of many connections the one that did not work.
    """
    return tuple(sorted(observations, key=lambda o: (not o.outcome.works, not o.outcome.measured)))


@dataclasses.dataclass(frozen=True)
class Spread:
    """How often each pod answered, by flow; connections that did not work count under "" ."""

    answers: Mapping[Flow, Counter[str]]

    @classmethod
    def of(cls, observations: Iterable[Observation]) -> Spread:
        """The spread of these observations."""
        found: defaultdict[Flow, Counter[str]] = defaultdict(Counter)
        for seen in observations:
            by = seen.answered_by if seen.outcome in _ANSWERED else ""
            found[seen.flow][by] += 1
        return cls(dict(found))

    def misses(self, wanted: Callable[[Flow], Collection[str]]) -> dict[Flow, str]:
        """What is wrong, by flow: backends (pod names) that never answered, and others that did."""
        found: dict[Flow, str] = {}
        for flow, answers in self.answers.items():
            expected = set(wanted(flow))
            seen = set(answers) - {""}
            said = [
                *(f"{name} never answered" for name in sorted(expected - seen)),
                *(f"{name} answered {answers[name]} times" for name in sorted(seen - expected)),
            ]
            if said:
                found[flow] = f"of {answers.total()} connections {self._tally(answers)}: " + (
                    ", ".join(said)
                )
        return found

    def lost(self, wanted: Callable[[Flow], Collection[str]]) -> tuple[str, ...]:
        """Backends that never answered, one line each and family: over how many flows of how many
        that they should have answered."""
        missed: Counter[tuple[Family, str]] = Counter()
        asked: Counter[tuple[Family, str]] = Counter()
        for flow, answers in self.answers.items():
            for name in set(wanted(flow)):
                asked[flow.family, name] += 1
                missed[flow.family, name] += name not in answers
        return tuple(
            f"{name} never answered {n} of {asked[family, name]} {family} flows"
            for (family, name), n in sorted(missed.items())
            if n
        )

    def _tally(self, answers: Counter[str]) -> str:
        named = [
            f"{n} went to {name}" if name else f"{n} got no answer"
            for name, n in sorted(answers.items())
        ]
        return ", ".join(named)


_ANSWERED = (Outcome.ALLOWED, Outcome.MISROUTED, Outcome.CORRUPTED)
