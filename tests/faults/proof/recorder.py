"""Takes down what a test of faults does: which faults are in force, and what its runs came to."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from sixproof.reporting.conclusion.conclude import conclude
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import CaseOutcome
from testbed.variants import variant
from tests.faults.proof.trials import Trial

DISTRIBUTED = "-n"


class Recorder:
    """What one test has done so far: the `faults` that it injected, the `trials` that it ran, the
    `words` that it asked a first line for, and those `missing` there."""

    def __init__(self) -> None:
        self._in_force: list[str] = []
        self.begin()

    def begin(self) -> None:
        """Another test begins. What is in force stays so until it is cleared."""
        self.faults: list[str] = []
        self.trials: list[Trial] = []
        self.words: list[str] = []
        self.missing: list[str] = []

    def command(self, words: Sequence[str]) -> None:
        """``python -m testbed faults`` was run with these words, and did what they say."""
        if words[0] == "inject":
            self.fault(shlex.join(words[1:]))
        elif words[0] == "clear":
            self._in_force.clear()

    def fault(self, words: str) -> None:
        """A fault is in force, or is going to be injected by the run that begins."""
        self.faults.append(words)
        self._in_force.append(words)

    def run(self, suites: Sequence[str], results: Results, seconds: float) -> None:
        """The suites ran for some `seconds`."""
        concluded = conclude(results).every
        unproven = [c for c in results.cases if c.outcome is CaseOutcome.NOT_PROVEN]
        self.trials.append(
            Trial(
                bed=os.environ.get(variant.VARIABLE, variant.DEFAULT),
                faults=tuple(self._in_force),
                suites=tuple(Path(word).name if word.startswith("/") else word for word in suites),
                passed=sum(case.outcome is CaseOutcome.PASSED for case in results.cases),
                red=tuple(case.nodeid for case in results.cases if case.outcome.bad),
                unproven=tuple(case.nodeid for case in unproven),
                first_line=concluded[0].first_screen if concluded else "",
                seconds=seconds,
                detected=None if DISTRIBUTED in suites else _detected(results),
                cluster=_cluster(results.environment),
                late=bool(concluded) and not any(one.measured for one in concluded),
            )
        )

    def expect(self, words: Sequence[str], first_line: str) -> None:
        """The first line of a conclusion, "" where there is none, must have these words."""
        self.words += words
        self.missing += [word for word in words if word not in first_line]


def _cluster(environment: Iterable[tuple[str, str]]) -> str:
    facts = dict(environment)
    said = (f"Kubernetes {facts['Kubernetes']}" if "Kubernetes" in facts else "", facts.get("CNI"))
    return ", ".join(filter(None, said))


def _detected(results: Results) -> float | None:
    """The seconds of the tests up to the first that is red."""
    elapsed = 0.0
    for case in results.cases:
        elapsed += case.seconds
        if case.outcome.bad:
            return elapsed
    return None


CURRENT = Recorder()
"""Of this process, whose tests run one after the other."""
