"""Takes down what a test of faults does: which faults are in force, and what its runs came to."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from sixproof.reporting.conclusion.conclude import conclude
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import CaseOutcome
from tests.faults.proof.trials import Trial


class Recorder:
    """What one test has done so far."""

    def __init__(self) -> None:
        self._in_force: list[str] = []
        self.trials: list[Trial] = []
        self.words: list[str] = []
        self.missing: list[str] = []

    def begin(self) -> None:
        """Another test begins. What is in force stays so until it is cleared."""
        self.trials, self.words, self.missing = [], [], []

    def said(self, words: Sequence[str]) -> None:
        """``python -m testbed faults`` was run with these words, and did what they say."""
        if words[0] == "inject":
            self._in_force.append(shlex.join(words[1:]))
        elif words[0] == "clear":
            self._in_force.clear()

    def ran(self, suites: Sequence[str], breaking: str, results: Results, seconds: float) -> None:
        """The suites ran for some `seconds`; `breaking` is the fault that was injected meanwhile,
        "" for none. It stays in force."""
        if breaking:
            self._in_force.append(breaking)
        concluded = conclude(results).every
        bad = [case for case in results.cases if case.outcome.bad]
        self.trials.append(
            Trial(
                faults=tuple(self._in_force),
                suites=tuple(suites),
                passed=sum(case.outcome is CaseOutcome.PASSED for case in results.cases),
                red=tuple(case.nodeid for case in bad),
                unproven=tuple(
                    case.nodeid for case in results.cases if case.outcome is CaseOutcome.NOT_PROVEN
                ),
                first_line=concluded[0].headline if concluded else "",
                seconds=seconds,
                detected=_detected(results),
            )
        )

    def asked(self, words: Sequence[str], first_line: str) -> None:
        """The first line of a conclusion was asked for these words."""
        self.words += words
        self.missing += [word for word in words if word not in first_line]


def _detected(results: Results) -> float | None:
    """The seconds of the tests up to the first that is red."""
    sum_ = 0.0
    for case in results.cases:
        sum_ += case.seconds
        if case.outcome.bad:
            return sum_
    return None


CURRENT = Recorder()
"""Of this process, whose tests run one after the other."""
