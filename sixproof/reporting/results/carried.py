"""What a test must have carried, and what to say where it carried nothing (contract 12). Pure.

A cell shows what a test is about if it came to what the test itself expects. One that a policy of
the cluster's owner closes shows nothing, nor does one of which either may come; and a pod that
talks to itself shows nothing of the network, unless that is the question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from sixproof.model import Edge, Expectation, Family, Matrix, Observation
from sixproof.reporting.results.skip import Skip
from sixproof.workloads.existing.closed_flows import REMEDY

SHOWN = 3
"""Policies that one reason names."""

Expected = Mapping[tuple[Family, Edge], Expectation]


def unproven(matrix: Matrix, expected: Expected) -> Skip | None:
    """Why a matrix of which nothing is wrong proves nothing of some family; None where it does."""
    carried: set[Family] = set()
    for (family, edge), seen in relevant(matrix).items():
        if expected[family, edge].proven_by(seen.outcome):
            carried.add(family)
    lacking = [family for family in matrix.families() if family not in carried]
    if not lacking:
        return None
    cells = [
        expected[key].closed_by or seen.reason or expected[key].because
        for key, seen in matrix.cells.items()
        if key[0] in lacking and not expected[key].proven_by(seen.outcome)
    ]
    return nothing_carried(matrix.title, lacking, cells)


def relevant(matrix: Matrix) -> Mapping[tuple[Family, Edge], Observation]:
    """The cells between different endpoints, all where there are only others."""
    apart = {k: o for k, o in matrix.cells.items() if o.flow.source != o.flow.destination}
    return apart or matrix.cells


def nothing_carried(title: str, families: Iterable[Family], why: Iterable[str]) -> Skip:
    """The reason of a test that carried nothing over these families; `why` says of each flow what
    closed it."""
    counts = Counter(why)
    named = [f"{text} ({number})" for text, number in counts.most_common(SHOWN)]
    more = f" and {len(counts) - SHOWN} more" if len(counts) > SHOWN else ""
    if len(counts) == 1:
        named = list(counts)
    over = " and ".join(families)
    reason = f"{title}: not one flow over {over} is open, so none was carried"
    closed = f"; closed by {', '.join(named)}{more}" if named else ""
    return Skip(reason + closed, REMEDY, unproven=True)
