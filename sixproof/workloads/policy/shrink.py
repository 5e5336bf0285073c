"""Shrinking: from policies that disagree with the oracle to few that still do.

Each step leaves out one thing (a policy, a rule, a peer, a label) and tests again; what still
disagrees is kept. The large things are tried first, so that few steps do most of the work.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sixproof.workloads.policy.cases import Manifest

Policies = list[Manifest]
_Path = tuple[str | int, ...]


@dataclasses.dataclass(frozen=True)
class Shrunk:
    """What is left, after how many tries; `minimal` is false where the steps ran out before it was
    known that nothing more can be left out."""

    policies: Policies
    steps: int
    minimal: bool

    def __str__(self) -> str:
        said = "nothing more can be left out" if self.minimal else "perhaps not the smallest"
        policies = "1 policy" if len(self.policies) == 1 else f"{len(self.policies)} policies"
        return f"shrunk to {policies} in {self.steps} steps ({said})"


def shrink(
    policies: Sequence[Manifest],
    valid: Callable[[Sequence[Manifest]], bool],
    disagrees: Callable[[Sequence[Manifest]], bool],
    steps: int,
) -> Shrunk:
    """Leave out what is not needed for `disagrees`, which is called at most `steps` times, and only
    with policies that are `valid`."""
    left = copy.deepcopy(list(policies))
    asked = 0
    refused: list[Policies] = []
    while True:
        for smaller in _smaller(left):
            if smaller in refused or not valid(smaller):
                continue
            if asked == steps:
                return Shrunk(left, asked, minimal=False)
            asked += 1
            if disagrees(smaller):
                left = smaller
                break
            refused.append(smaller)
        else:
            return Shrunk(left, asked, minimal=True)


def _smaller(policies: Policies) -> Iterator[Policies]:
    """The policies with one thing less, the largest things first."""
    if len(policies) > 1:
        for index in range(len(policies)):
            yield policies[:index] + policies[index + 1 :]
    paths = [
        (index, path)
        for index, policy in enumerate(policies)
        for path in _removable(policy.get("spec", {}), ("spec",))
    ]
    for index, path in sorted(paths, key=lambda found: _turn(found[1])):
        fewer = copy.deepcopy(policies)
        _remove(fewer[index], path)
        yield fewer


def _turn(path: _Path) -> tuple[bool, int]:
    """Upper levels come first; directions last, since without them rules decide those."""
    return bool({"types", "policyTypes"} & set(path)), len(path)


def _removable(value: Any, at: _Path) -> Iterator[_Path]:
    """The paths of everything below a value that may be tried to be left out."""
    if isinstance(value, dict):
        inside: list[tuple[str | int, Any]] = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    else:
        return
    for key, item in inside:
        yield (*at, key)
        yield from _removable(item, (*at, key))


def _remove(policy: Any, path: _Path) -> None:
    *way, last = path
    for key in way:
        policy = policy[key]
    del policy[last]
