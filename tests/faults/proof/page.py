"""The proof as a page: every fault with what was seen of it, the totals, and a line for the README.

``python -m tests.faults.proof.page FILE`` prints it in Markdown. All of it is of the commit of the
file's last line.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.faults.proof.trials import Proof, Trial, latest, read

WIDEST = 160
"""Characters of a conclusion that a row shows."""


@dataclasses.dataclass(frozen=True, slots=True)
class Totals:
    """What the proof comes to. A test is `found` where a run with its fault was red, and `named`
    where the first line had all the words for place and cause that the test asks for. `healthy` are
    runs without a fault, `alarms` those of them that were red; runs that a test itself makes red in
    another way, as with policies of its own, are neither."""

    tests: int
    passed: int
    broken: int
    found: int
    asked: int
    named: int
    healthy: int
    alarms: int
    days: tuple[str, ...] = ()

    @classmethod
    def of(cls, proofs: Iterable[Proof]) -> Totals:
        """The totals of these tests."""
        every = tuple(proofs)
        broken = [one for one in every if one.broken]
        asked = [one for one in broken if one.words]
        healthy = [
            trial for one in every for trial in one.healthy if not (one.passed and trial.red)
        ]
        return cls(
            tests=len(every),
            passed=sum(one.passed for one in every),
            broken=len(broken),
            found=sum(any(trial.red for trial in one.broken) for one in broken),
            asked=len(asked),
            named=sum(not one.missing for one in asked),
            healthy=len(healthy),
            alarms=sum(bool(trial.red) for trial in healthy),
            days=tuple(sorted({one.day for one in every})),
        )

    def __str__(self) -> str:
        return (
            f"faults found {share(self.found, self.broken)}, named in the first line "
            f"{share(self.named, self.asked)}, false alarms {self.alarms} in {self.healthy} runs "
            f"without a fault; {share(self.passed, self.tests)} tests of faults as expected"
        )


def share(part: int, whole: int) -> str:
    """``12 of 13 (92 %)``."""
    return f"{part} of {whole} ({100 * part // whole} %)" if whole else "none tried"


def page(proofs: Sequence[Proof], commit: str) -> str:
    """The page, in Markdown."""
    totals = Totals.of(proofs)
    return "\n".join(
        (
            f"{', '.join(totals.days)}, commit {commit}: {totals}.",
            "",
            "| test | fault | bed | red | until red | first line | as expected |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *(row(proof) for proof in sorted(proofs, key=lambda one: one.test)),
            "",
            *_times(proofs),
        )
    )


def row(proof: Proof) -> str:
    """One test as a row: what was red with the fault, and what the first line said."""
    faults = dict.fromkeys(fault for trial in proof.broken for fault in trial.faults)
    red = dict.fromkeys(_short(test) for trial in proof.broken for test in trial.red)
    first = next((trial.first_line for trial in proof.broken if trial.first_line), "")
    found = [trial.detected for trial in proof.broken if trial.detected is not None]
    cells = (
        f"`{_short(proof.test)}`",
        ", ".join(faults) or "none",
        proof.bed,
        f"{len(red)}" if proof.broken else "",
        f"{min(found):.0f} s" if found else "",
        first if len(first) <= WIDEST else f"{first[: WIDEST - 3]}...",
        "yes" if proof.passed else f"**no**: {proof.failure}",
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _short(test: str) -> str:
    return test.rpartition("::")[2]


def _times(proofs: Iterable[Proof]) -> Iterator[str]:
    trials: list[Trial] = [trial for proof in proofs for trial in proof.broken]
    found = [trial.detected for trial in trials if trial.detected is not None]
    if found:
        yield (
            f"Seconds of tests until the first is red: median {statistics.median(found):.0f}, "
            f"worst {max(found):.0f}, of {len(found)} runs; the run itself takes "
            f"{statistics.median(trial.seconds for trial in trials):.0f} (median)."
        )


def main(arguments: Sequence[str]) -> int:
    """Print the page of a file; 1 where something in it is not as expected."""
    proofs = read(Path(arguments[0]))
    if not proofs:
        sys.stderr.write(f"{arguments[0]}: nothing was shown yet; make proof\n")
        return 1
    commit = proofs[-1].commit
    mine = tuple(latest(proofs, commit).values())
    sys.stdout.write(f"{page(mine, commit)}\n")
    return 0 if all(proof.passed for proof in mine) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
