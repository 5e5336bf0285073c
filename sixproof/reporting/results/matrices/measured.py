"""One measured matrix of a run, with what was expected of it."""

from __future__ import annotations

import dataclasses
from collections import Counter

from sixproof.model import Disagreement, Family, Matrix
from sixproof.reporting.matrix.grid import CellState, Expected, state_of


@dataclasses.dataclass(frozen=True)
class Measured:
    """A matrix that a test measured.

    `headline` marks what the run is about (pod to pod, services): such matrices are shown even
    where nothing is wrong with them.
    """

    matrix: Matrix
    expected: Expected | None = None
    test: str = ""
    headline: bool = False

    def disagreements(self) -> tuple[Disagreement, ...]:
        """The wrong cells, none where nothing was expected."""
        if self.expected is None:
            return ()
        return self.matrix.disagreements(self.expected)

    def states(self, family: Family) -> Counter[CellState]:
        """How many cells of a family are in each state."""
        expected = self.expected or {}
        return Counter(
            state_of(seen.outcome, expected.get(key))
            for key, seen in self.matrix.cells.items()
            if key[0] is family
        )
