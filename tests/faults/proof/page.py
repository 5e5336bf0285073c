"""The proof as a page in Markdown: every fault with what was seen of it, and the totals."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Iterator, Sequence

from tests.faults.proof.trials import Proof

WIDEST = 160
"""Characters of a conclusion that a row shows."""


@dataclasses.dataclass(frozen=True, slots=True)
class Totals:
    """What the proof comes to, of `tests` of `collected`.

    Of those that inject a fault which must show (`visible`), `found` had a red run. Of those that
    ask the first line for words of place and cause, or had no conclusion to ask (`asked`), `named`
    had all. `healthy` are runs without a fault, `alarms` those that were red;
    `late` are others that could not measure everything, since agents were late.
    """

    tests: int
    collected: int
    passed: int
    visible: int
    found: int
    asked: int
    named: int
    healthy: int
    alarms: int
    late: int

    @classmethod
    def of(cls, proofs: Sequence[Proof]) -> Totals:
        """The totals of these tests."""
        visible = [one for one in proofs if one.visible]
        asked = [one for one in visible if one.words or not one.found]
        alarms = [trial for one in proofs for trial in one.alarms]
        green = [t for one in proofs for t in one.trials if not t.faults and not t.red]
        return cls(
            tests=len(proofs),
            collected=max((one.collected for one in proofs), default=0),
            passed=sum(one.passed for one in proofs),
            visible=len(visible),
            found=sum(one.found for one in visible),
            asked=len(asked),
            named=sum(one.found and not one.missing for one in asked),
            healthy=len(green) + len(alarms),
            alarms=len(alarms),
            late=sum(len(one.unmeasured) for one in proofs),
        )

    def __str__(self) -> str:
        late = f" ({self.late} more could not measure everything)" if self.late else ""
        return (
            f"faults found {share(self.found, self.visible)}, named in the first line "
            f"{share(self.named, self.asked)}, false alarms {self.alarms} in {self.healthy} runs "
            f"without a fault{late}; as expected {share(self.passed, self.tests)}, tried "
            f"{self.tests} of {self.collected} tests of faults"
        )


def share(part: int, whole: int) -> str:
    """``12 of 13 (92 %)``."""
    return f"{part} of {whole} ({100 * part // whole} %)" if whole else "none tried"


def page(proofs: Sequence[Proof], commit: str) -> str:
    """The page, of one commit."""
    days = ", ".join(sorted({one.day for one in proofs}))
    clusters = "; ".join(sorted({t.cluster for one in proofs for t in one.trials if t.cluster}))
    return "\n".join(
        (
            f"{days}, commit {commit}{clusters and f', on {clusters}'}: {Totals.of(proofs)}.",
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
    red = {_short(test) for trial in proof.broken for test in trial.red}
    first = next((trial.first_line for trial in proof.broken if trial.first_line), "")
    detected = [trial.detected for trial in proof.broken if trial.detected is not None]
    cells = (
        f"`{_short(proof.test)}`",
        ", ".join(dict.fromkeys(proof.faults)) or "none",
        ", ".join(dict.fromkeys(trial.bed for trial in proof.trials)),
        f"{len(red)}" if proof.broken else "",
        f"{min(detected):.0f} s" if detected else "",
        first if len(first) <= WIDEST else f"{first[: WIDEST - 3]}...",
        "yes" if proof.passed else f"**no**: {proof.failure}",
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _short(test: str) -> str:
    return test.rpartition("::")[2]


def _times(proofs: Iterable[Proof]) -> Iterator[str]:
    trials = [trial for proof in proofs for trial in proof.broken]
    detected = [trial.detected for trial in trials if trial.detected is not None]
    if detected:
        yield (
            f"Seconds of tests until the first is red: median {statistics.median(detected):.0f}, "
            f"worst {max(detected):.0f}, of {len(detected)} runs whose tests ran one after the "
            f"other; a run takes {statistics.median(t.seconds for t in trials):.0f} (median)."
        )
