"""What a check notes for the report: matrices, findings, and how long changes took."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

from sixproof.model import Edge, Expectation, Family, Finding, Matrix
from sixproof.reporting.results.application_record import ApplicationRow
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.part_files import PartWriter
from sixproof.reporting.results.test_record import Convergence


class Recorder:
    """Notes what tests measure. `current` returns the node id of the running test; `at_failure` is
    called with each matrix that has wrong cells, while the test still holds what it made."""

    def __init__(
        self,
        notes: PartWriter,
        current: Callable[[], str],
        at_failure: Callable[[Measured], None] | None = None,
    ) -> None:
        self._notes = notes
        self._current = current
        self._at_failure = at_failure
        self._limited = False

    def matrix(
        self,
        matrix: Matrix,
        expected: Mapping[tuple[Family, Edge], Expectation],
        *,
        headline: bool = False,
    ) -> None:
        """Note a matrix with what was expected of it, unless it is empty; a headline is shown even
        when all is well."""
        if not matrix.cells:
            return
        measured = Measured(matrix, dict(expected), self._current(), headline)
        self._notes.write(measured)
        if self._at_failure and not self._limited and measured.disagreements():
            self._at_failure(measured)

    @contextlib.contextmanager
    def under_a_known_limit(self) -> Iterator[None]:
        """What is wrong meanwhile is known of this cluster, and no failure."""
        self._limited = True
        try:
            yield
        finally:
            self._limited = False

    def finding(self, finding: Finding) -> None:
        """Note what the test found in the cluster; equal findings of tests are reported once."""
        self._notes.write(finding)

    def application(self, row: ApplicationRow) -> None:
        """Note what a port of an application of the cluster's owner answers."""
        self._notes.write(row)

    def convergence(self, what: str, seconds: float, family: Family, rounds: int) -> None:
        """Note how long a change took to show."""
        self._notes.write(Convergence(what, seconds, family, rounds, self._current()))
