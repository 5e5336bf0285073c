"""What a run concludes of each fault: the first line names the place and the cause, and no more."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from sixproof.model import Family
from sixproof.reporting.conclusion.conclude import Conclusions, conclude
from tests.faults.conftest import SuiteRun, faults, run_suites

pytestmark = [pytest.mark.bed, pytest.mark.usefixtures("mended")]

LONGEST = 280
"""Characters of a first line: two lines of a wide terminal."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A fault, the suites that notice it, and the words of the first line.

    `words` must all be in it; NODE and PEER stand for the nodes. `families` are those that may be
    accused at all.
    """

    inject: str
    suites: str
    words: tuple[str, ...]
    families: tuple[Family, ...] = tuple(Family)
    breaking: str = ""
    after: str = ""
    only: str = ""

    @property
    def name(self) -> str:
        """The fault's code, with its value where it has one."""
        return "-".join(self.inject.replace("--", "").split()[:3:2])


SIX = (Family.IPV6,)
FOUR = (Family.IPV4,)
MESH = "suites/pods/test_reachability.py"
CASES = (
    Case("I7 --node NODE", MESH, ("NODE", "packet filter rule drops"), SIX),
    Case("I7 --node NODE --family IPv4", MESH, ("NODE", "packet filter rule drops"), FOUR),
    Case("I10 --node NODE --peer PEER", MESH, ("NODE", "blackhole", "PEER"), SIX),
    Case("I10 --node NODE --peer PEER --family IPv4", MESH, ("NODE", "blackhole", "PEER"), FOUR),
    Case("I16 --node NODE", MESH, ("NODE", "net.ipv6.conf.all.forwarding is 0"), SIX),
    Case("I9 --node NODE", MESH, ("NODE", "Neighbor Solicitation"), SIX),
    Case("R2 --node NODE", MESH, ("NODE", "policy rule 5270", "table 52"), SIX),
    Case("R3 --node NODE", "suites/nodes suites/pods", ("NODE", "packet filter rule drops"), SIX),
    Case("R7 --node NODE", MESH, ("NODE", "4799", "4789")),
    Case("R9 --node NODE", MESH, ("NODE", "packet filter rule drops", "4789"), SIX),
    Case("S1 --node NODE", "suites/services", ("NODE", "KUBE-SERVICES"), SIX),
    Case("R1 --node NODE", "suites/services", ("NODE", "kube-proxy does not follow")),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_first_line_names_the_place_and_the_cause(
    tmp_path: Path, workers: tuple[str, str], case: Case
) -> None:
    """Place and cause in at most two lines, and no family accused that the fault does not reach."""
    node, peer = workers

    def said(text: str) -> str:
        return text.replace("NODE", node).replace("PEER", peer)

    faults("inject", *said(case.inject).split())
    suite_run = run_suites(tmp_path, *case.suites.split())
    concluded = conclude(suite_run.results)
    assert concluded.every, suite_run.output[-3000:]
    first = concluded.every[0].headline
    for word in case.words:
        assert said(word) in first, f"{first}\n{suite_run.output[-6000:]}"
    assert len(first) <= LONGEST, first
    assert_accuses_only(suite_run, concluded, case.families)
    (line,) = [x for x in suite_run.output.splitlines() if x.startswith("  ! ")][:1]
    assert first.startswith(line.removeprefix("  ! ").strip())


def assert_accuses_only(
    suite_run: SuiteRun, concluded: Conclusions, families: tuple[Family, ...]
) -> None:
    """What is measured wrong is of these families, in every conclusion."""
    accused = {f for c in concluded.every for fault in c.faults for f in fault.pattern.families}
    assert accused <= set(families), suite_run.output[-6000:]
