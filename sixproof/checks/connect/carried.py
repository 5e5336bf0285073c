"""What a test must have carried, and what to say where it carried nothing (contract 12). Pure.

A cell shows what a test is about if its outcome is what the test itself expects. One that a policy
of the cluster's owner closes shows nothing, nor does one where either outcome is right; and a pod
that talks to itself shows nothing about the network, unless that is the question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from sixproof.errors import NotAsked
from sixproof.model import Edge, Expectation, Family, Flow, Matrix, Observation
from sixproof.workloads.existing.closed_flows import REMEDY

SHOWN = 3
"""Policies that one reason names."""

Expected = Mapping[tuple[Family, Edge], Expectation]
Closed = Sequence[tuple[Flow, str]]
"""Flows that policies close, each with the policies' names."""


def must_carry(matrix: Matrix, expected: Expected) -> None:
    """Of each family that was measured, something that the test is about was carried.

    Raises:
        NotAsked: as not proven, otherwise.
    """
    __tracebackhide__ = True
    nothing = unproven(matrix, expected)
    if nothing is not None:
        raise nothing


def must_be_open(title: str, opened: Iterable[Family], closed: Closed) -> None:
    """Of each family of which flows are closed, some are open.

    Raises:
        NotAsked: as not proven, otherwise.
    """
    __tracebackhide__ = True
    left = set(opened)
    lacking = [f for f in Family if any(flow.family is f for flow, _ in closed) and f not in left]
    if lacking:
        raise nothing_carried(title, lacking, [by for flow, by in closed if flow.family in lacking])


def must_change(title: str, hidden: Iterable[Family], decided: Closed) -> None:
    """No family is `hidden`: one in which nothing changes, for other policies decide about it.

    Raises:
        NotAsked: as not proven, otherwise; names the policies that `decided` about flows.
    """
    __tracebackhide__ = True
    lacking = [family for family in Family if family in set(hidden)]
    if lacking:
        reason = f"{title}: nothing changes over {' and '.join(lacking)}, whatever is applied"
        by = _named(names for flow, names in decided if flow.family in lacking)
        raise NotAsked(f"{reason}; decided by {by}", REMEDY, unproven=True, families=lacking)


def parted(
    flows: Iterable[Flow], closed_by: Callable[[Flow], str]
) -> tuple[tuple[Flow, ...], tuple[tuple[Flow, str], ...]]:
    """The flows that are open, and those that are not, with what closes them."""
    judged = [(flow, closed_by(flow)) for flow in flows]
    return tuple(f for f, why in judged if not why), tuple((f, why) for f, why in judged if why)


def unproven(matrix: Matrix, expected: Expected) -> NotAsked | None:
    """Why a matrix without a wrong cell proves nothing for some family; None where it does."""
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


def nothing_carried(title: str, families: Iterable[Family], why: Iterable[str]) -> NotAsked:
    """The reason of a test that carried nothing over these families; `why` says of each flow what
    closed it."""
    lacking = tuple(families)
    reason = f"{title}: not one flow over {' and '.join(lacking)} is open, so none was carried"
    if named := _named(why):
        reason += f"; closed by {named}"
    return NotAsked(reason, REMEDY, unproven=True, families=lacking)


def _named(names: Iterable[str]) -> str:
    """Names in words, with the flows that each is named for, the most often named first."""
    counts = Counter(names)
    if len(counts) == 1:
        return next(iter(counts))
    more = f" and {len(counts) - SHOWN} more" if len(counts) > SHOWN else ""
    counted = [f"{text} ({number})" for text, number in counts.most_common(SHOWN)]
    return f"{', '.join(counted)}{more}"
